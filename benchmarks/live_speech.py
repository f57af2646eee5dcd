"""Spoken translation in a live session: from the end of a sentence to its first sound.

Bars: Portuguese, spoken by Kokoro, at most 3 s; English, spoken by Hibari, at most 1.5 s. The
Portuguese sentences are those that the service itself speaks in the first part, so that both
directions have marks that no detector of a session has set.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import statistics
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from benchmarks import report, service
from benchmarks.live_audio import RATE, composed, talk, trimmed
from benchmarks.live_latency import percentile
from benchmarks.live_session import Seen, run

PAUSE_S = 6.0
"""Long enough for a sentence to be spoken before the next one."""


def lags(seen: Seen) -> list[float]:
    """Seconds from the end of each sentence to the first sound of a segment that is about it."""
    found = []
    firsts = {event["segment_id"]: at for at, event in seen.told("audio") if event["index"] == 0}
    for sentence in seen.talk.sentences:
        about = [
            event["segment_id"]
            for _, event in seen.told("final")
            if min(event["end"], sentence.end) - max(event["start"], sentence.start) > 0.1
        ]
        heard = [firsts[segment] for segment in about if segment in firsts]
        found.append(max(heard) - sentence.end if heard else 99.0)
    return found


def spoken(seen: Seen) -> list[npt.NDArray[np.float32]]:
    """What was spoken, by segment, at 16 kHz, without the silence around it."""
    pieces: dict[int, list[npt.NDArray[np.float32]]] = {}
    for _, event in seen.told("audio"):
        samples = np.frombuffer(base64.b64decode(event["audio"]), "<i2").astype(np.float32) / 32_768
        resampled = soxr.resample(samples, event["sample_rate"], RATE).astype(np.float32)
        pieces.setdefault(event["segment_id"], []).append(resampled)
    return [trimmed(np.concatenate(found)) for found in pieces.values()]


def figures(found: list[float], bar: float) -> dict[str, Any]:
    """What is told of a direction."""
    return {
        "median_s": round(statistics.median(found), 3),
        "p95_s": round(percentile(found, 0.95), 3),
        "worst_s": round(max(found), 3),
        "sentences": len(found),
        "bar_s": bar,
    }


def main() -> int:
    """Measure, keep, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=10)
    options = parser.parse_args()
    with service.running() as running:
        english = talk([PAUSE_S] * options.sentences)
        into_portuguese = asyncio.run(
            run(running, english, source_language="en", target_languages=["pt"], speech=True)
        )
        clips = [("", clip) for clip in spoken(into_portuguese)]
        into_english = asyncio.run(
            run(
                running,
                composed(clips, [PAUSE_S] * len(clips)),
                source_language="pt",
                target_languages=["en"],
                speech=True,
            )
        )
    found = {
        "portuguese": figures(lags(into_portuguese), 3.0),
        "english": figures(lags(into_english), 1.5),
    }
    report.write("live_speech", found)
    return 0 if all(each["p95_s"] <= each["bar_s"] for each in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
