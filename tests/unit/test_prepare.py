"""The preparation of the environment: what it runs, when it does nothing, what it says."""

import json
import subprocess
import sys

import pytest

from scripts import prepare
from scripts.prepare import Environment, PreparationError, requirement_block

LOCK = """\
# Compiled
uv==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
uvloop==2.0 ; sys_platform != 'win32' \\
    --hash=sha256:cc
"""


def test_one_package_is_taken_out_of_a_lock_with_its_hashes():
    assert (
        requirement_block(LOCK, "uv")
        == "uv==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )
    assert requirement_block(LOCK, "uvloop").endswith("    --hash=sha256:cc\n")


def test_a_package_that_is_not_locked_is_refused():
    with pytest.raises(PreparationError, match="make lock"):
        requirement_block(LOCK, "npm")


def test_the_bootstrap_lock_holds_what_the_preparation_needs():
    lock = prepare.BOOTSTRAP.read_text()
    for name in ("uv", "setuptools"):
        assert "--hash=sha256:" in requirement_block(lock, name)


@pytest.fixture
def commands(monkeypatch):
    """Commands that would have been run."""
    run = []
    monkeypatch.setattr(prepare, "call", lambda command, **_: run.append([str(c) for c in command]))
    return run


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment that works once it was created."""
    made = Environment(tmp_path / "venv")
    made.folder.mkdir()
    monkeypatch.setattr(Environment, "works", lambda _: True)
    return made


def text_of(commands):
    return "\n".join(" ".join(command) for command in commands)


def test_everything_is_installed_with_hashes_and_only_once(environment, commands):
    prepare.prepare(environment, "production")
    done = text_of(commands)
    assert "pip install --quiet --require-hashes" in done
    assert "--require-hashes -r " + str(prepare.LOCKS["production"]) in done
    assert "--no-deps --build-constraints" in done
    commands.clear()
    prepare.prepare(environment, "production")
    assert commands == []


def test_development_holds_production(environment, commands):
    prepare.prepare(environment, "development")
    commands.clear()
    prepare.prepare(environment, "production")
    assert commands == []


def test_production_does_not_hold_development(environment, commands):
    prepare.prepare(environment, "production")
    commands.clear()
    prepare.prepare(environment, "development")
    assert "requirements-dev.txt" in text_of(commands)


@pytest.mark.parametrize("stamp", ["", "[]", '{"production": "of another lock"}'])
def test_a_stamp_that_says_nothing_is_not_believed(environment, commands, stamp):
    environment.stamp.write_text(stamp)
    prepare.prepare(environment, "production")
    assert commands
    assert json.loads(environment.stamp.read_text())["production"] == prepare.digest("production")


def test_a_change_of_the_lock_installs_again(environment, commands, tmp_path, monkeypatch):
    lock = tmp_path / "lock.txt"
    lock.write_text("one")
    monkeypatch.setitem(prepare.LOCKS, "production", lock)
    prepare.prepare(environment, "production")
    commands.clear()
    lock.write_text("two")
    prepare.prepare(environment, "production")
    assert str(lock) in text_of(commands)


def test_an_environment_that_does_not_start_is_made_anew(tmp_path, commands, monkeypatch):
    broken = Environment(tmp_path / "venv")
    (broken.folder / "bin").mkdir(parents=True)
    broken.python.symlink_to("/nowhere/python")
    assert not broken.works()
    monkeypatch.setattr(Environment, "install", lambda self, kind: self.folder.mkdir())
    prepare.prepare(broken, "production")
    assert commands[0] == [sys.executable, "-m", "venv", str(broken.folder)]


def test_a_moved_environment_does_not_count(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "a"], check=True)
    assert Environment(tmp_path / "a").works()
    (tmp_path / "a").rename(tmp_path / "b")
    assert not Environment(tmp_path / "b").works()


def test_a_python_without_ensurepip_is_told_what_to_do(tmp_path, commands, monkeypatch):
    monkeypatch.setattr(prepare, "has_ensurepip", lambda: False)
    monkeypatch.setattr(prepare, "install_debian", lambda packages: None)
    with pytest.raises(PreparationError, match="apt-get install python3-venv"):
        Environment(tmp_path / "venv").create()
    assert commands == []


def test_debian_packages_are_installed_as_root_only(commands, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "missing_debian", list)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 1000)
    prepare.install_debian(("some-data",))
    assert commands == []
    assert "apt-get install some-data" in capsys.readouterr().err
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 0)
    prepare.install_debian(("some-data",))
    assert [command[1] for command in commands] == ["update", "install", "install"]
    assert all(command[-1] == "some-data" for command in commands[1:])


def test_the_start_goes_on_without_packages_that_cannot_be_installed(monkeypatch, capsys):
    def fail(command, **_):
        raise PreparationError("no network")

    monkeypatch.setattr(prepare, "call", fail)
    monkeypatch.setattr(prepare, "missing_debian", list)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 0)
    prepare.install_debian(prepare.APERTIUM_PAIRS)
    assert "apt-get install apertium-eng-spa" in capsys.readouterr().err
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None)
    prepare.install_debian(prepare.APERTIUM_PAIRS)
    assert "no apt-get" in capsys.readouterr().err


def test_a_command_that_takes_too_long_is_ended():
    with pytest.raises(PreparationError, match="more than"):
        prepare.call([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.2)


def test_nothing_is_asked_of_debian_when_all_is_there(commands, monkeypatch):
    monkeypatch.setattr(prepare, "missing_debian", lambda packages: [])
    prepare.install_debian(("some-data",))
    assert commands == []


def test_voices_that_cannot_be_fetched_do_not_stop_the_start(environment, monkeypatch, capsys):
    def fail(command, **_):
        raise PreparationError("no network")

    monkeypatch.setattr(prepare, "call", fail)
    prepare.fetch_voices(environment)
    assert "make voices" in capsys.readouterr().err


def test_a_failure_is_an_exit_status_and_a_sentence(monkeypatch, tmp_path, capsys):
    def fail(environment, kind):
        raise PreparationError("This went wrong.")

    monkeypatch.setattr(prepare, "prepare", fail)
    assert prepare.main(["production", "--venv", str(tmp_path / "venv")]) == 1
    assert "This went wrong." in capsys.readouterr().err


def test_an_old_python_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(prepare, "MINIMUM_PYTHON", (99, 0))
    assert prepare.main(["production"]) == 1
    assert "Python 3.11 or newer" in capsys.readouterr().err


def test_a_command_that_fails_is_named():
    with pytest.raises(PreparationError, match="status 3"):
        prepare.call([sys.executable, "-c", "raise SystemExit(3)"])
