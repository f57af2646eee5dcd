import errno
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from speech_translator.engines import weights
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

PARTS = (b"the first half, " * 1000, b"and the second\n" * 500)
WHOLE = b"".join(PARTS)
SHA256 = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"part{number}" for number in range(len(PARTS))]
    for path, content in zip(paths, PARTS, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "base" / "model.bin"


def join(parts: list[Path], target: Path) -> Path:
    return weights.join_parts(parts, target, SHA256, len(WHOLE))


def leftovers(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()} - {
        target.name,
        f".{target.name}.lock",
        f".{target.name}.verified",
    }


def test_parts_are_joined_in_order(parts, target) -> None:
    assert join(parts, target).read_bytes() == WHOLE
    assert leftovers(target) == set()


def test_a_second_start_reads_nothing(parts, target, monkeypatch) -> None:
    join(parts, target)
    for part in parts:
        part.unlink()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert join(parts, target) == target


@pytest.mark.parametrize("damage", [WHOLE[:-1], WHOLE + b"x", b"X" + WHOLE[1:], b""])
def test_a_damaged_file_is_mended(parts, target, damage) -> None:
    join(parts, target)
    target.write_bytes(damage)
    assert join(parts, target).read_bytes() == WHOLE


def test_a_lost_or_broken_stamp_costs_only_a_hash(parts, target) -> None:
    join(parts, target)
    before = target.stat().st_ino
    stamp = target.with_name(".model.bin.verified")
    for content in (None, b"{", b"[]", b'{"size": 1}', b"\xff"):
        stamp.unlink()
        if content is not None:
            stamp.write_bytes(content)
        join(parts, target)
        assert json.loads(stamp.read_bytes())["sha256"] == SHA256
    assert target.stat().st_ino == before, "the right file was written again"


def test_another_version_of_the_weights_replaces_the_old_one(parts, target) -> None:
    join(parts, target)
    parts[0].write_bytes(b"new")
    whole = b"new" + PARTS[1]
    digest = hashlib.sha256(whole).hexdigest()
    assert weights.join_parts(parts, target, digest, len(whole)).read_bytes() == whole


def test_verify_finds_what_a_stamp_cannot_see(parts, target) -> None:
    join(parts, target)
    weights.verify(target, SHA256, len(WHOLE))
    status = target.stat()
    target.write_bytes(b"X" + WHOLE[1:])
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert weights.is_stamped(target, SHA256, len(WHOLE))
    with pytest.raises(ModelDamaged):
        weights.verify(target, SHA256, len(WHOLE))
    assert join(parts, target).read_bytes() == WHOLE


def test_verify_says_that_nothing_is_there_yet(target) -> None:
    with pytest.raises(ModelMissing):
        weights.verify(target, SHA256, len(WHOLE))


@pytest.mark.parametrize("content", [b"short", b"X" + PARTS[1][1:]])
def test_damaged_parts_are_refused_and_leave_nothing(parts, target, content) -> None:
    parts[1].write_bytes(content)
    with pytest.raises(ModelDamaged, match="--force-reinstall"):
        join(parts, target)
    assert not target.exists()
    assert leftovers(target) == set()


def test_damaged_parts_do_not_touch_a_file_that_is_there(parts, target) -> None:
    join(parts, target)
    target.write_bytes(WHOLE[:-1])
    parts[1].write_bytes(b"X" + PARTS[1][1:])
    with pytest.raises(ModelDamaged):
        join(parts, target)
    assert target.read_bytes() == WHOLE[:-1]


def test_a_full_disk_is_told_and_nothing_is_left(parts, target, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="no space left") as caught:
        join(parts, target)
    assert str(target.parent) not in caught.value.message
    assert not target.exists()
    assert leftovers(target) == set()


def test_a_directory_that_cannot_be_written_is_told(parts, tmp_path) -> None:
    (tmp_path / "models").write_text("a file where a directory should be")
    with pytest.raises(ConfigurationError, match="CACHE_DIR"):
        join(parts, tmp_path / "models" / "model.bin")


def test_what_a_killed_writer_left_is_overwritten(parts, target) -> None:
    target.parent.mkdir(parents=True)
    target.with_name(".model.bin.partial").write_bytes(b"half of it")
    assert join(parts, target).read_bytes() == WHOLE
    assert leftovers(target) == set()


def test_a_lock_that_is_never_freed_ends_in_an_error(tmp_path) -> None:
    path = tmp_path / "lock"
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with (
        weights._locked(path),
        pytest.raises(ConfigurationError, match="Another process"),
        weights._locked(path, timeout_s=5, clock=lambda: now, sleep=sleep),
    ):
        pytest.fail("two processes held one lock")
    assert now >= 5


@pytest.mark.parametrize(
    ("package", "path"), [("no_such_package", "data/x"), ("jiwer", "data/no_such_file")]
)
def test_missing_packages_name_the_command_that_adds_them(package, path) -> None:
    with pytest.raises(ModelMissing, match=r"speech-translator\[models\]") as caught:
        weights.package_file(package, path)
    assert caught.value.details["command"] == weights.INSTALL_COMMAND


def test_package_files_are_found_without_running_the_package(tmp_path, monkeypatch) -> None:
    package = tmp_path / "weights_for_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('was run')")
    (package / "part").write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    assert weights.package_file(package.name, "part") == package / "part"
    assert package.name not in sys.modules


def test_a_weight_file_is_installed_once_and_needs_no_package_then(tmp_path, monkeypatch) -> None:
    package = tmp_path / "weights_for_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    for number, content in enumerate(PARTS):
        (package / str(number)).write_bytes(content)
    file = weights.WeightFile(
        "model.bin", len(WHOLE), SHA256, ((package.name, "0"), (package.name, "1"))
    )
    with pytest.raises(ModelMissing):
        file.install(tmp_path / "models")
    monkeypatch.syspath_prepend(tmp_path)
    assert file.install(tmp_path / "models").read_bytes() == WHOLE
    monkeypatch.undo()
    assert file.install(tmp_path / "models").read_bytes() == WHOLE
