"""Many live sessions at once, each of which speaks half of the time: how late captions come.

Bar: at least 6 sessions with finals at most 2 s after the end of speech in 95 of 100 cases. Beyond
the largest number that holds, latency has to stay bounded, and no sentence may go without its
final: the word error rate of every run stands beside that of a session alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from itertools import takewhile
from typing import Any

from benchmarks import report, service
from benchmarks.live_audio import talk
from benchmarks.live_latency import percentile
from benchmarks.live_session import Seen, run
from tests.support.recordings import word_error_rate

P95_S = 2.0
BAR = 6
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
    lags = [seen.final_lag(sentence) for seen in sessions for sentence in seen.talk.sentences]
    told = [lag for lag in lags if lag is not None] or [NEVER_S]
    errors = [word_error_rate([seen.talk.text], [seen.text]) for seen in sessions]
    warnings = sum(len(seen.told("warning")) for seen in sessions)
    return {
        "sessions": len(sessions),
        "median_s": round(statistics.median(told), 3),
        "p95_s": round(percentile(told, 0.95), 3),
        "worst_s": round(max(told), 3),
        "without_final": lags.count(None),
        "word_error_rate_percent": round(statistics.mean(errors), 2),
        "warnings": warnings,
        "holds": percentile(told, 0.95) <= P95_S and None not in lags,
    }


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 4, 6, 8, 12])
    parser.add_argument("--sentences", type=int, default=6)
    options = parser.parse_args()
    found = []
    with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:
        asyncio.run(together(running, 1, 2))  # a warm-up
        for count in options.counts:
            found.append(judge(asyncio.run(together(running, count, options.sentences))))
            print(found[-1])
    held = [one["sessions"] for one in takewhile(lambda one: bool(one["holds"]), found)]
    most = max(held, default=0)
    report.write(
        "live_many",
        {
            "bar_p95_s": P95_S,
            "bar_sessions": BAR,
            "most": most,
            "holds": most >= BAR,
            "runs": found,
        },
    )
    return 0 if most >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
