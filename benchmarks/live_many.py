"""Many live sessions at once, each of which speaks half of the time: how late captions come.

Bar: at least 6 sessions with finals at most 2 s after the end of speech in 95 of 100 cases. From
there on their number goes up one by one until one is missed twice; if six are too many, down. Then
half as many again speak for twice as long: there latency has to stay bounded (no final later than
``BOUND_S``, and the last third's median no more than ``GROWTH_S`` above that of the third before),
every sentence has to have its final, and the word error rate has to stay within ``POINTS`` of a
session's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import report, service
from benchmarks.live_audio import talk
from benchmarks.live_latency import percentile
from benchmarks.live_session import Seen, run
from tests.support.recordings import word_error_rate

P95_S = 2.0
BAR = 6
BOUND_S = 15.0
GROWTH_S = 1.0
POINTS = 2.0
NEVER_S = 999.0
"""Stands for a final that did not come."""

PAUSE_S = 4.7
"""As long as the sentences are on average, so that half of the time is speech."""

STAGGER_S = 1.3


async def together(running: service.Service, count: int, sentences: int) -> list[Seen]:
    """``count`` sessions, each begun a moment after the one before, over different orders."""

    async def one(number: int) -> Seen:
        await asyncio.sleep(number * STAGGER_S)
        speech = talk([PAUSE_S] * sentences, seed=number, first=number)
        return await run(
            running,
            speech,
            timeout_s=180,
            source_language="en",
            target_languages=["pt"],
            partials=True,
        )

    return list(await asyncio.gather(*(one(number) for number in range(count))))


def judge(sessions: list[Seen]) -> dict[str, Any]:
    """Lags, and whether every sentence has its final."""
    told: list[tuple[float, float]] = []
    lost = 0
    for seen in sessions:
        for sentence in seen.talk.sentences:
            lag = seen.final_lag(sentence)
            lost += lag is None
            if lag is not None:
                told.append((sentence.end, lag))
    lags = [lag for _, lag in told] or [NEVER_S]
    errors = [word_error_rate([seen.talk.text], [seen.text]) for seen in sessions]
    return {
        "sessions": len(sessions),
        "median_s": round(statistics.median(lags), 3),
        "p95_s": round(percentile(lags, 0.95), 3),
        "p95_ratio_to_bar": round(percentile(lags, 0.95) / P95_S, 3),
        "worst_s": round(max(lags), 3),
        "growth_s": round(growth(told), 3),
        "without_final": lost,
        "word_error_rate_percent": round(statistics.mean(errors), 2),
        "warnings": sum(len(seen.told("warning")) for seen in sessions),
        "holds": percentile(lags, 0.95) <= P95_S and not lost,
    }


def growth(told: list[tuple[float, float]]) -> float:
    """How much later finals come in the last third of the time than in the second, in seconds.

    In the first third not all sessions have begun.

    Args:
        told: second at which a sentence ended, and its lag.
    """
    lags = [lag for _, lag in sorted(told)]
    third = len(lags) // 3
    if not third:
        return 0.0
    return statistics.median(lags[2 * third :]) - statistics.median(lags[third : 2 * third])


def climb(measured: Callable[[int], dict[str, Any]], first: int, last: int) -> int:
    """The largest number of sessions that holds; 0 where not even one does.

    Args:
        measured: a run with so many, as ``judge`` tells it.
        first: where to begin.
        last: the most that are tried.
    """
    if not _holds(measured, first):
        return next((count for count in range(first - 1, 0, -1) if _holds(measured, count)), 0)
    most = first
    while most < last and _holds(measured, most + 1):
        most += 1
    return most


def _holds(measured: Callable[[int], dict[str, Any]], count: int) -> bool:
    """Whether one run of two does: the 95th of 100 is the worst but one of few."""
    return bool(measured(count)["holds"] or measured(count)["holds"])


def bounded(beyond: dict[str, Any], alone: dict[str, Any]) -> bool:
    """Whether a run with too many sessions is as it should be, beside one alone."""
    worse = beyond["word_error_rate_percent"] - alone["word_error_rate_percent"]
    return bool(
        beyond["worst_s"] <= BOUND_S
        and beyond["growth_s"] <= GROWTH_S
        and not beyond["without_final"]
        and worse <= POINTS
    )


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=BAR, help="sessions to begin with")
    parser.add_argument("--last", type=int, default=24, help="the most to try")
    parser.add_argument("--sentences", type=int, default=6, help="of each session")
    options = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:

        def measured(count: int, sentences: int = options.sentences) -> dict[str, Any]:
            runs.append(judge(asyncio.run(together(running, count, sentences))))
            print(runs[-1], flush=True)
            return runs[-1]

        asyncio.run(together(running, 1, 2))  # a warm-up
        alone = measured(1)
        most = climb(measured, options.first, options.last)
        beyond = measured(max(most, options.first) * 3 // 2, 2 * options.sentences)
    holds = most >= BAR and bounded(beyond, alone)
    report.write(
        "live_many",
        {
            "bar_p95_s": P95_S,
            "bar_sessions": BAR,
            "most": most,
            "most_ratio_to_bar": round(most / BAR, 3),
            "beyond_bounded": bounded(beyond, alone),
            "holds": holds,
            "alone": alone,
            "beyond": beyond,
            "runs": runs[1:-1],
        },
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
