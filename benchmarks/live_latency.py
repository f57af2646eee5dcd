"""One live session in real time: how long after the words their captions come.

Bars: final with translation a median of 0.9 s and a P95 of 1.5 s after the end of speech, the wait
for that end included; first partial 1.0 s after speech begins; partials at least every 0.6 s.
Normalised erasure, transcript and translation, at most 0.3; WER of the finals at most 2 points
above the same model's on the whole file.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import wave
from itertools import takewhile

import httpx

from benchmarks import report, service
from benchmarks.live_audio import RATE, Talk, talk
from benchmarks.live_session import Seen, run
from tests.support.recordings import word_error_rate


def percentile(values: list[float], share: float) -> float:
    """The smallest value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def erasure(seen: Seen, language: str | None) -> float:
    """Words of captions that were taken back, by the words of the finals.

    Normalised erasure: Arivazhagan et al., "Re-translation versus Streaming for Simultaneous
    Translation" (2020).
    """
    erased = words = 0
    shown: dict[int, list[str]] = {}
    for _, event in seen.events:
        if event["type"] not in {"partial", "final"}:
            continue
        text = event["text"] if language is None else event["translations"].get(language, "")
        now, before = text.split(), shown.get(event["segment_id"], [])
        pairs = zip(now, before, strict=False)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        erased += len(before) - kept
        shown[event["segment_id"]] = now
        if event["type"] == "final":
            words += len(now)
    return erased / max(1, words)


def whole_file(running: service.Service, speech: Talk) -> str:
    """What the same model makes of a talk that it has as a file."""
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes(speech.pcm())
    answer = httpx.post(
        f"http://127.0.0.1:{running.port}/transcribe/audio",
        headers={"X-API-Key": running.key},
        files={"file": recording.getvalue()},
        data={"source_language": "en"},
        timeout=120,
        trust_env=False,
    )
    return str(answer.raise_for_status().json()["text"])


def measure(running: service.Service, rounds: int) -> tuple[list[Seen], Talk]:
    """Sessions one after the other over the same talk, with other noise."""
    pauses = (0.5, 1.2, 1.0, 1.4, 1.1) * 2
    found = []
    for number in range(rounds + 1):
        speech = talk(pauses, seed=number)
        seen = asyncio.run(
            run(running, speech, source_language="en", target_languages=["pt"], partials=True)
        )
        if number:  # the first is a warm-up
            found.append(seen)
    return found, speech


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:
        sessions, speech = measure(running, options.rounds)
        as_file = word_error_rate([speech.text], [whole_file(running, speech)])
    finals, firsts, gaps = [], [], []
    for seen in sessions:
        for sentence in seen.talk.sentences:
            lag, first = seen.final_lag(sentence), seen.first_partial(sentence)
            finals += [lag] if lag is not None else [99.0]
            firsts += [first] if first is not None else [99.0]
            gaps += seen.partial_gaps(sentence)
    live = statistics.mean(word_error_rate([speech.text], [seen.text]) for seen in sessions)
    report.write(
        "live_latency",
        {
            "final_s": {
                "median": round(statistics.median(finals), 3),
                "p95": round(percentile(finals, 0.95), 3),
                "worst": round(max(finals), 3),
                "bars": [0.9, 1.5],
                "ratios_to_bars": [
                    round(statistics.median(finals) / 0.9, 3),
                    round(percentile(finals, 0.95) / 1.5, 3),
                ],
            },
            "first_partial_s": {
                "median": round(statistics.median(firsts), 3),
                "p95": round(percentile(firsts, 0.95), 3),
                "bar": 1.0,
            },
            "partial_gap_s": {
                "median": round(statistics.median(gaps), 3),
                "p95": round(percentile(gaps, 0.95), 3),
                "bar": 0.6,
            },
            "erasure": {
                "transcript": round(max(erasure(seen, None) for seen in sessions), 3),
                "translation": round(max(erasure(seen, "pt") for seen in sessions), 3),
                "bar": 0.3,
            },
            "word_error_rate": {
                "live_percent": round(live, 2),
                "whole_file_percent": round(as_file, 2),
                "points_above": round(live - as_file, 2),
                "bar_points_above": 2.0,
            },
            "sentences": len(finals),
        },
    )


if __name__ == "__main__":
    main()
