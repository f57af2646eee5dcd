"""What the broker tells its listener: frozen facts for metrics and logs; no text, no audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "crashed", "hung", "killed", "outgrown", "load_failed", "load_timeout", "not_started"
]
"""Why a replica is gone. *killed* is a signal from outside, *outgrown* that it was replaced because
it had grown too much, *not_started* that the system would not start a process."""


@dataclass(frozen=True, slots=True)
class EngineStarting:
    """A replica's process runs and loads; ``pid`` is None where it is no process of its own."""

    engine: str
    replica: int
    pid: int | None


@dataclass(frozen=True, slots=True)
class EngineReady:
    """A replica has loaded, ``seconds`` after it was started."""

    engine: str
    replica: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EngineExited:
    """A replica's process is gone, and ``in_flight`` calls with it."""

    engine: str
    replica: int
    reason: Reason
    in_flight: int


@dataclass(frozen=True, slots=True)
class EngineOutgrown:
    """A replica has added ``grown_mb`` MiB since it loaded, and is replaced once it is idle."""

    engine: str
    replica: int
    grown_mb: int


@dataclass(frozen=True, slots=True)
class EngineRestarting:
    """A replica will be started again ``after_s`` seconds from now."""

    engine: str
    replica: int
    after_s: float


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch was answered: longest wait of its items and the engine's own time, in seconds."""

    engine: str
    size: int
    queue_wait_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An input was convicted of ending its process; ``digest`` is BLAKE2b, in hexadecimal."""

    engine: str
    digest: str


@dataclass(frozen=True, slots=True)
class OwnerSuspended:
    """Too many inputs of an owner were convicted: for ``seconds`` none of theirs is taken."""

    engine: str
    owner: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CallRejected:
    """A call was refused at the door, or gave way to another. ``reason`` is the error's code."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallRetried:
    """A call failed for the ``attempt``-th time and is made again; ``error`` is a type's name."""

    engine: str
    attempt: int
    pause_s: float
    error: str


@dataclass(frozen=True, slots=True)
class RetryWithheld:
    """A call failed in a way that may pass and is not made again, for one of a few reasons."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """Another engine was asked for what this one was to do; ``reason`` is an error's code."""

    engine: str
    reason: str


BrokerEvent = (
    EngineStarting
    | EngineReady
    | EngineExited
    | EngineOutgrown
    | EngineRestarting
    | BatchDone
    | Quarantined
    | OwnerSuspended
    | CallRejected
    | CallRetried
    | RetryWithheld
    | FellBack
)
