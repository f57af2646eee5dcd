"""A live session of five minutes whose server is killed three times behind a supervisor.

The client keeps what was not acknowledged and comes back with its token; the supervisor starts the
server anew at once, over the same data. Every sentence has to be final once: no final overlaps
another, none is told twice, and the words of all finals are those that were spoken (their word
error rate beside that of a session that nobody disturbed). The exit status is 1 where that fails.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from itertools import pairwise
from typing import Any

from benchmarks import report
from benchmarks.live_audio import Talk, talk
from tests.support.recordings import word_error_rate
from tests.support.resuming_client import ResumingClient
from tests.support.server import start_server

KILLS = 3
START = {"source_language": "en", "target_languages": ["pt"], "partials": True}
SETTINGS = {"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}


async def session(speech: Talk, kills: int) -> ResumingClient:
    """One session over as many servers as it takes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**SETTINGS, "DATA_DIR": folder}
        addresses: list[str] = []
        headers: dict[str, str] = {}
        client = ResumingClient(lambda: addresses[-1], headers, speech.pcm(), START)
        running: asyncio.Task[None] | None = None
        for life in range(kills + 1):
            with start_server(settings, keyed=not headers, ready=not life) as server:
                headers |= server.headers
                addresses.append(server.socket_url)
                running = running or asyncio.create_task(client.run())
                if life == kills:
                    async with asyncio.timeout(2 * speech.seconds + 120):
                        await running
                    break
                await asyncio.wait({running}, timeout=speech.seconds / (kills + 1))
                os.kill(server.process.pid, signal.SIGKILL)
                await asyncio.to_thread(server.process.wait)
        return client


def judge(speech: Talk, client: ResumingClient) -> dict[str, Any]:
    """What came of a session."""
    finals = client.told("final")
    ids = [final["segment_id"] for final in finals]
    said = [sentence.text for sentence in speech.sentences]
    return {
        "connections": client.connections,
        "finals": len(finals),
        "told_twice": len(ids) - len(set(ids)),
        "overlapping": sum(a["end"] > b["start"] for a, b in pairwise(finals)),
        "word_error_rate_percent": round(
            word_error_rate([" ".join(said)], [" ".join(final["text"] for final in finals)]), 2
        ),
        "without_translation": sum("pt" not in final["translations"] for final in finals),
    }


def main() -> int:
    """Measure, keep, and say whether nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    sentences = round(options.minutes * 60 / 6.0)  # with its pause, one takes six seconds
    speech = talk([(0.9, 1.2, 1.0, 1.4, 1.1)[number % 5] for number in range(sentences)])
    killed = judge(speech, asyncio.run(session(speech, KILLS)))
    whole = judge(speech, asyncio.run(session(speech, 0)))
    holds = (
        killed["told_twice"] == killed["overlapping"] == killed["without_translation"] == 0
        and killed["connections"] == KILLS + 1
        and killed["word_error_rate_percent"] <= whole["word_error_rate_percent"] + 1
    )
    report.write(
        "live_resume",
        {"seconds": round(speech.seconds), "killed": killed, "whole": whole, "holds": holds},
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
