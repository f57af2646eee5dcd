"""Feed mutated audio files to the real decoders and see that nothing but the file fails.

Run:  python -m benchmarks.fuzz_media --count 2000 [--seed 1] [--keep FOLDER]

Every outcome must be samples (finite, within [-1, 1]) or an ``InvalidAudio``; after every 25 files
an intact one must decode. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import report
from speech_translator.errors import InvalidAudio
from speech_translator.media import DecoderConfig, DecoderPool
from tests.support.media_samples import every_container

_CHECK_EVERY = 25
_MAX_SECONDS = 60.0
_DEADLINE_S = 60.0
_EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")


@dataclass
class FuzzReport:
    """What came out: outcomes by name, and what must stay empty: ``failures``."""

    count: int = 0
    seconds: float = 0.0
    peak_memory_kb: int = 0
    longest_s: float = 0.0
    decoders_lost: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def _flip(data: bytearray, _at: int, _length: int, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 32)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _extreme(data: bytearray, at: int, _length: int, rng: random.Random) -> None:
    data[at : at + 4] = rng.choice(_EXTREMES)


def _noise(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at : at + length] = rng.randbytes(length)


def _cut(data: bytearray, at: int, length: int, _rng: random.Random) -> None:
    del data[at : at + length]


def _repeat(data: bytearray, at: int, length: int, rng: random.Random) -> None:
    data[at:at] = data[at : at + length] * rng.randint(1, 8)


def _truncate(data: bytearray, at: int, _length: int, _rng: random.Random) -> None:
    del data[max(16, at) :]


_FAULTS = (_flip, _extreme, _noise, _cut, _repeat, _truncate)


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """One to four random faults; headers are hit more often than the rest."""
    mutated = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = (
            rng.randrange(len(mutated)) if rng.random() < 0.5 else rng.randrange(512) % len(mutated)
        )
        length = rng.choice((1, 2, 4, 16, 256, 4096))
        if rng.random() < 0.1:
            start = rng.randrange(len(other))
            mutated[at : at + length] = other[start : start + length]
        else:
            rng.choice(_FAULTS)(mutated, at, length, rng)
        mutated += data[: max(0, 16 - len(mutated))]
    return bytes(mutated)


def corpus(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` mutated files, the same for the same seed; all containers in turn."""
    rng = random.Random(seed)
    intact = every_container(0.7)
    names = list(intact)
    for number in range(count):
        name = names[number % len(names)]
        yield f"{number}-{name}", mutate(intact[name], intact[rng.choice(names)], rng)


async def fuzz(count: int, seed: int, *, keep: Path | None = None) -> FuzzReport:
    """Run the files through a pool, as many at a time as it has decoders."""
    result = FuzzReport(count=count)
    intact = every_container(0.7)["ogg-opus"]
    pool = DecoderPool(DecoderConfig(processes=2, memory_mb=512, stall_timeout_s=15.0))
    queue = corpus(count, seed)
    begin = time.perf_counter()

    async def worker() -> None:
        for done, (name, data) in enumerate(queue):
            await _one(pool, name, data, result, keep)
            if done % _CHECK_EVERY == 0:
                await _one(pool, f"intact after {name}", intact, result, keep)

    await pool.start()
    try:
        await asyncio.gather(worker(), worker())
        result.peak_memory_kb = pool.peak_memory_kb
        result.decoders_lost = pool.decoders_lost
    finally:
        await pool.stop()
    result.seconds = round(time.perf_counter() - begin, 1)
    return result


async def _one(
    pool: DecoderPool, name: str, data: bytes, result: FuzzReport, keep: Path | None
) -> None:
    begin = time.perf_counter()
    try:
        with os.fdopen(os.memfd_create("upload"), "w+b") as upload:
            upload.write(data)
            upload.flush()
            audio = await pool.decode(upload, max_seconds=_MAX_SECONDS, deadline=_DEADLINE_S)
    except InvalidAudio as error:
        outcome = error.code
    except Exception as error:  # noqa: BLE001 - this is what the run is looking for
        outcome = f"FAILED: {type(error).__name__}"
    else:
        sound = bool(np.isfinite(audio.samples).all() and np.abs(audio.samples).max() <= 1.0)
        outcome = ("truncated" if audio.truncated else "decoded") if sound else "FAILED: values"
    result.longest_s = max(result.longest_s, round(time.perf_counter() - begin, 2))
    if name.startswith("intact"):
        outcome = "intact" if outcome == "decoded" else f"FAILED: intact file {outcome}"
    result.outcomes[outcome] = result.outcomes.get(outcome, 0) + 1
    if outcome.startswith("FAILED"):
        result.failures.append(f"{name}: {outcome}")
        if keep is not None:
            (keep / name.replace(" ", "-")).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    result = asyncio.run(fuzz(arguments.count, arguments.seed, keep=arguments.keep))
    report.write("fuzz_media", {**asdict(result), "seed": arguments.seed})
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
