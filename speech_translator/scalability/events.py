"""What the broker tells its listener: frozen facts for metrics and logs; no text, no audio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineReady:
    """A replica has loaded, ``seconds`` after it was started."""

    engine: str
    replica: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EngineExited:
    """A replica's process is gone. ``reason``: crashed, hung, load_failed, load_timeout."""

    engine: str
    replica: int
    reason: str
    in_flight: int


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
    """An input was convicted of crashing the engine; ``digest`` is BLAKE2b, in hexadecimal."""

    engine: str
    digest: str


@dataclass(frozen=True, slots=True)
class CallRejected:
    """A call was refused at the door. ``reason`` is the error's code."""

    engine: str
    reason: str


BrokerEvent = EngineReady | EngineExited | EngineRestarting | BatchDone | Quarantined | CallRejected
