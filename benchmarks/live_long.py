"""A long live session in real time: does it fall behind, and does memory grow.

Bars: the median lag of the finals of the last minute is that of the first one (``SLACK_S`` apart at
most), every sentence has its final, and from half an hour on the memory of all processes grows by
at most ``GROWTH_PERCENT`` an hour (a line fitted by least squares to what was there after the first
minutes; a shorter session is too short for that, and only tells).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

import psutil

from benchmarks import report, service
from benchmarks.live_audio import Talk, talk
from benchmarks.live_session import Seen, run
from tests.support.recordings import word_error_rate

SLACK_S = 0.2
GROWTH_PERCENT = 3.0
GROWTH_FROM_S = 1_800.0
"""Length of a session from which its memory's growth is judged."""

SETTLED_S = 300.0
"""Time in which memory may still grow into its place."""

SAMPLE_EVERY_S = 10.0
PAUSES_S = (0.9, 1.2, 1.0, 1.4, 1.1)
SENTENCE_S = 5.8
"""What a sentence takes on average, its pause included."""

Memory = list[tuple[float, float]]
"""Second of the session, and MiB that are resident in all its processes."""


async def watched(running: service.Service, speech: Talk) -> tuple[Seen, Memory]:
    """One session, and the memory while it ran."""
    memory: Memory = []

    async def watch() -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            with suppress(psutil.NoSuchProcess):  # one that ended in between
                found = await asyncio.to_thread(running.memory)
                memory.append((clock() - began, found["rss_mib"]))
            await asyncio.sleep(SAMPLE_EVERY_S)

    watching = asyncio.create_task(watch())
    try:
        languages = {"source_language": "en", "target_languages": ["pt"]}
        seen = await run(running, speech, timeout_s=120, partials=True, **languages)
    finally:
        watching.cancel()
    return seen, memory


def by_minute(lags: list[tuple[float, float]], seconds: float) -> list[float]:
    """The median lag of each minute; what is left over belongs to the last whole one.

    Args:
        lags: second at which a sentence ended, and its lag.
        seconds: length of the session.
    """
    last = max(0, int(seconds / 60) - 1)
    minutes: dict[int, list[float]] = defaultdict(list)
    for ended, lag in lags:
        minutes[min(int(ended / 60), last)].append(lag)
    return [round(statistics.median(minutes[minute]), 3) for minute in sorted(minutes)]


def growth(memory: Memory) -> dict[str, float]:
    """How memory went on once it was settled: MiB, and percent of the settled value an hour."""
    longest = memory[-1][0]
    settled = [one for one in memory if one[0] >= min(SETTLED_S, longest / 5)]
    slope, _ = statistics.linear_regression(*zip(*settled, strict=True))
    usual = statistics.median(mib for _, mib in settled)
    return {
        "first_mib": round(settled[0][1]),
        "last_mib": round(settled[-1][1]),
        "highest_mib": round(max(mib for _, mib in memory)),
        "growth_mib_per_hour": round(slope * 3_600, 1),
        "growth_percent_per_hour": round(100 * slope * 3_600 / usual, 2),
    }


def judge(seen: Seen, memory: Memory) -> dict[str, Any]:
    """What came of a session."""
    lags, lost = [], 0
    for sentence in seen.talk.sentences:
        lag = seen.final_lag(sentence)
        lost += lag is None
        if lag is not None:
            lags.append((sentence.end, lag))
    minutes = by_minute(lags, seen.talk.seconds)
    grown = growth(memory)
    flat = seen.talk.seconds < GROWTH_FROM_S or grown["growth_percent_per_hour"] <= GROWTH_PERCENT
    return {
        "first_minute_s": minutes[0],
        "last_minute_s": minutes[-1],
        "lag_ratio_last_to_first_minute": round(minutes[-1] / minutes[0], 3),
        "slack_s": SLACK_S,
        "worst_s": round(max(lag for _, lag in lags), 3),
        "without_final": lost,
        "word_error_rate_percent": round(word_error_rate([seen.talk.text], [seen.text]), 2),
        "median_s_by_minute": minutes,
        "memory": {**grown, "bar_percent_per_hour": GROWTH_PERCENT},
        "holds": minutes[-1] <= minutes[0] + SLACK_S and not lost and flat,
    }


def main() -> int:
    """Measure, keep, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    count = max(2, round(options.minutes * 60 / SENTENCE_S))
    speech = talk([PAUSES_S[number % len(PAUSES_S)] for number in range(count)])
    with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:
        asyncio.run(watched(running, talk(PAUSES_S)))  # a warm-up
        found = judge(*asyncio.run(watched(running, speech)))
    report.write("live_long", {"minutes": round(speech.seconds / 60, 1), **found})
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
