"""Models that were pulled from a hub: where they lie, and the record of what was pulled.

A pulled model is a directory with the repository's own file names and ``pulled.json``: repository,
commit, and every file's size and SHA-256. The whole directory appears in one step once all of it
was checked, so a model without a record is not installed, whatever files lie there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speech_translator.engines.model_card import ModelCard
from speech_translator.errors import ModelDamaged, ModelMissing

RECORD = "pulled.json"
"""Name of the record, beside the model's files."""


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A file as it was when its digest was checked."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """What ``pulled.json`` holds."""

    id: str
    repository: str
    commit: str
    files: tuple[PulledFile, ...]

    def encode(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def directory(card: ModelCard, models_dir: Path) -> Path:
    """Where a pulled model lies."""
    return models_dir / card.id


def command(card: ModelCard) -> str:
    """The command that pulls a model, or mends it."""
    return f"speech-translator models pull {card.id}"


def record(card: ModelCard, models_dir: Path) -> Pulled | None:
    """The record of a model; None where there is none that can be read."""
    return read(directory(card, models_dir))


def read(home: Path) -> Pulled | None:
    """The record in a directory; None where there is none that can be read."""
    try:
        content = json.loads((home / RECORD).read_bytes())
        return _pulled(content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def installed(card: ModelCard, models_dir: Path) -> bool:
    """Whether all of the card's files were pulled and still have their sizes. Nothing is hashed."""
    found = record(card, models_dir)
    if card.hub is None or found is None:
        return False
    recorded = {file.name for file in found.files}
    if not recorded.issuperset(file.name for file in card.hub.files):
        return False
    home = directory(card, models_dir)
    try:
        return all((home / file.name).stat().st_size == file.size for file in found.files)
    except OSError:
        return False


def verify(card: ModelCard, models_dir: Path) -> None:
    """Hash every file and compare it with the record.

    Raises:
        ModelMissing: the model is not installed.
        ModelDamaged: a file has changed since it was pulled.
    """
    found = record(card, models_dir)
    if found is None or not installed(card, models_dir):
        raise ModelMissing(f"{card.name} is not installed. Run: {command(card)}")
    for file in found.files:
        if digest(directory(card, models_dir) / file.name) != file.sha256:
            raise ModelDamaged(
                f"{file.name} of {card.name} does not match its SHA-256. This fetches it again: "
                f"{command(card)}",
                command=command(card),
            )


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pulled(content: Mapping[str, Any]) -> Pulled:
    files = tuple(
        PulledFile(str(file["name"]), int(file["size"]), str(file["sha256"]))
        for file in content["files"]
    )
    return Pulled(str(content["id"]), str(content["repository"]), str(content["commit"]), files)
