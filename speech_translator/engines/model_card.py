"""What the catalog says of a model. Types only: no model is looked for here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speech_translator.engines.values import Task
from speech_translator.engines.weights import WeightFile


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a hub's repository."""

    name: str
    """Path in the repository, and below the model's directory."""
    size: int | None = None
    """Bytes; None where nothing published says it."""
    sha256: str | None = None
    """None where it is not known before the first pull, which records it."""


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where a model is on a hub that speaks Hugging Face's protocol."""

    repository: str
    """``owner/name``."""
    revision: str | None
    """Commit, 40 hexadecimal digits; None where it is not known before the first pull."""
    files: tuple[HubFile, ...]
    """All that the engine needs."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What there is to know of a model before it is loaded."""

    id: str
    """Unique in the catalog, e.g. ``kokoro-82m-int8``."""
    engine: str
    """The engine that runs it, as settings name it."""
    task: Task | Literal["language_identification"]
    name: str
    """For people."""
    languages: tuple[str, ...]
    """``Language.key`` strings that the model was made for."""
    size_bytes: int
    """Of its files; 0 where packages differ between machines, or nothing published says it."""
    licence: str
    """SPDX identifier of the weights' licence."""
    commercial_use: bool
    """Whether that licence allows commercial use."""
    source: str
    """Where it comes from: a package of an index, or a repository of a hub."""
    revision: str
    """Version of the package, or commit in the repository."""
    sha256: str | None
    """Of the file with the weights; None where the lock file's hash of the package does."""
    provenance: str
    """Who trained it, who packaged it, and what follows from that."""
    embedded: bool
    """Whether it comes with the product's own packages: no account, no hub."""
    install: str
    """The command that adds it."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Source and target of a translation model."""
    files: tuple[WeightFile, ...] = ()
    """Its files and the packages that hold them."""
    directory: str | None = None
    """Where the files are joined, below the models' directory; None when used in the package."""
    package: str | None = None
    """Import name of a package that stands for the whole model."""
    family: str | None = None
    """Whose tokens and languages a downloaded model has: ``nllb``, ``m2m100``, ``madlad400``,
    ``opus-mt``, ``whisper``."""
    hub: HubSource | None = None
    """Where it is pulled from; its files lie in ``models_dir / id``."""
