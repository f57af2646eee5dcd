"""The files of the models that engines run, watched for damage while the service runs.

An engine keeps what it has read, but a restart reads its files again, and a file that was cut
short or replaced meanwhile would end it then. Sizes are compared at each look; digests of small
files at the first one, and those of large ones where they were put in place (``weights.py``,
``hub.py``): reading gigabytes again would cost every start its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from speech_translator.engines import catalog, pulled, weights
from speech_translator.engines.model_card import ModelCard

HASHED_BYTES = 16 * 1024 * 1024
"""Files up to this size are hashed at the first look."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file, and what it must be; ``sha256`` is None for a part of a file that has one."""

    model: str
    path: Path
    size: int
    sha256: str | None


def files_of(engines: Collection[str], models_dir: Path) -> list[ModelFile]:
    """The files of every installed model of ``engines``."""
    return [
        file
        for card in catalog.CARDS
        if card.engine in engines and catalog.installed(card, models_dir)
        for file in _files(card, models_dir)
    ]


@dataclass(slots=True)
class ModelFiles:
    """Compares files with what they must be, and with what they were at the first look.

    Args:
        files: what is watched.
    """

    files: Collection[ModelFile]
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def damaged(self) -> str | None:
        """What is wrong with the first file that is not as it must be; None where all are."""
        found = (self._fault(file) for file in self.files)
        return next((fault for fault in found if fault is not None), None)

    def _fault(self, file: ModelFile) -> str | None:
        name = f"{file.path.name} of {file.model}"
        try:
            status = file.path.stat()
        except OSError:
            return f"{name} is gone"
        if status.st_size != file.size:
            return f"{name} has {status.st_size:,} bytes in place of {file.size:,}"
        seen = status.st_size, status.st_mtime_ns
        if self._seen.get(file.path) == seen:
            return None
        # Looked at for the first time, or replaced since.
        if file.sha256 is not None and file.size <= HASHED_BYTES:
            try:
                if pulled.digest(file.path) != file.sha256:
                    return f"{name} does not match its SHA-256"
            except OSError:
                return f"{name} cannot be read"
        self._seen[file.path] = seen
        return None


def _files(card: ModelCard, models_dir: Path) -> Iterator[ModelFile]:
    record = pulled.record(card, models_dir) if card.hub is not None else None
    if record is not None:
        home = pulled.directory(card, models_dir)
        for each in record.files:
            yield ModelFile(card.id, home / each.name, each.size, each.sha256)
    for file in card.files:
        joined = models_dir / (card.directory or "") / file.name
        if card.directory is not None and joined.is_file():
            yield ModelFile(card.id, joined, file.size, file.sha256)
            continue
        parts = [weights.package_file(package, path) for package, path in file.parts]
        whole = file.sha256 if len(parts) == 1 else None
        for part in parts:
            yield ModelFile(card.id, part, part.stat().st_size, whole)
