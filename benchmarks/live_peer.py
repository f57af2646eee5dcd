"""Live captions side by side with WhisperLiveKit: the same recordings, weights and machine.

Both hear two recordings in real time, one after the other and each alone on the machine; who goes
first changes from round to round. Ours translates into Portuguese as well, its peer does not. Lag
is the time from the end of a sentence, as it is marked in the recording, until its last word is
committed, which is what our finals and its confirmed lines are. Beside it: until the word is shown
at all, and from the end of the last sentence until the server is done.

Bar: our median lag is at most a quarter of its, on each recording.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from typing import Any

from benchmarks import report, service, whisper_live_kit
from benchmarks.live_audio import Talk, talk
from benchmarks.live_captions import Followed, followed
from benchmarks.live_session import run
from tests.support.recordings import word_error_rate

BAR = 0.25
OURS, PEER = "ours", "whisperlivekit"
RECORDINGS = {"10 s": ((0.3, 0.8), 1), "44 s": ((0.6,) * 8, 0)}
"""Pauses before the sentences, and which sentence is the first."""

PATIENCE_S = 120.0
"""How long after the end of a recording a client waits."""

Sessions = dict[str, list[Followed]]
"""By the recording."""


def recordings() -> dict[str, Talk]:
    """What both hear, by its length."""
    return {name: talk(pauses, first=first) for name, (pauses, first) in RECORDINGS.items()}


async def follow_ours(running: service.Service, speech: Talk) -> Followed:
    """A session of ours."""
    languages = {"source_language": "en", "target_languages": ["pt"]}
    seen = await run(running, speech, timeout_s=PATIENCE_S, partials=True, **languages)
    return followed(seen)


async def follow_peer(port: int, speech: Talk) -> Followed:
    """A session of WhisperLiveKit."""
    return await whisper_live_kit.follow(port, speech, timeout_s=PATIENCE_S)


def hear(who: str, found: dict[str, Sessions]) -> None:
    """Start one of the two, warm it up, and let it hear the recordings."""
    warming, speeches = talk((0.5,)), recordings()
    if who == OURS:
        with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:
            asyncio.run(follow_ours(running, warming))
            for name, speech in speeches.items():
                found[who][name].append(asyncio.run(follow_ours(running, speech)))
    else:
        with whisper_live_kit.running() as port:
            asyncio.run(follow_peer(port, warming))
            for name, speech in speeches.items():
                found[who][name].append(asyncio.run(follow_peer(port, speech)))


def figures(sessions: list[Followed]) -> dict[str, Any]:
    """What is told of one of them over one recording."""
    committed = [lag for one in sessions for lag in one.committed_lags()]
    errors = [word_error_rate([one.talk.text], [one.text]) for one in sessions]
    return {
        "lag_median_s": round(statistics.median(committed), 3),
        "lag_worst_s": round(max(committed), 3),
        "shown_median_s": round(
            statistics.median(lag for one in sessions for lag in one.shown_lags()), 3
        ),
        "finish_median_s": round(statistics.median(one.finish_s for one in sessions), 3),
        "unfinished": sum(not one.finished for one in sessions),
        "word_error_rate_percent": round(statistics.mean(errors), 2),
    }


def compared(found: dict[str, Sessions]) -> dict[str, Any]:
    """Both over each recording, and ours as a share of its."""
    answer: dict[str, Any] = {}
    for name in RECORDINGS:
        ours, peer = figures(found[OURS][name]), figures(found[PEER][name])
        ratios = {
            f"{kind}_ratio": round(ours[f"{kind}_s"] / max(peer[f"{kind}_s"], 0.001), 3)
            for kind in ("lag_median", "lag_worst", "shown_median", "finish_median")
        }
        whole = not ours["unfinished"]
        holds = whole and ratios["lag_median_ratio"] <= BAR
        answer[name] = {**ratios, "holds": holds, OURS: ours, PEER: peer}
    return answer


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    whisper_live_kit.environment()
    found: dict[str, Sessions] = {who: {name: [] for name in RECORDINGS} for who in (OURS, PEER)}
    for turn in range(options.rounds):
        for who in (OURS, PEER) if turn % 2 == 0 else (PEER, OURS):
            hear(who, found)
            print(f"{who}: round {turn + 1} of {options.rounds} done", file=sys.stderr)
    answer = compared(found)
    holds = all(each["holds"] for each in answer.values())
    report.write(
        "live_peer",
        {
            "peer": f"WhisperLiveKit {whisper_live_kit.VERSION}, faster-whisper, LocalAgreement",
            "bar_lag_median_ratio": BAR,
            "holds": holds,
            "rounds": options.rounds,
            "recordings": answer,
        },
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
