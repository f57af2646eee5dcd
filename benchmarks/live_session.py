"""A client of ``WS /translate/stream`` that sends in real time and notes when what arrives."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.live_audio import RATE, Sentence, Talk
from benchmarks.service import Service

FRAME_S = 0.1


@dataclass
class Seen:
    """Events with the second of the session's audio at which each arrived."""

    talk: Talk
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def told(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """Events of a type."""
        return [(at, event) for at, event in self.events if event["type"] == kind]

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(event["text"] for _, event in self.told("final"))

    def final_lag(self, sentence: Sentence) -> float | None:
        """Seconds from the end of a sentence to the last final about it; None without one."""
        about = [at for at, event in self.told("final") if _overlap(event, sentence) > 0]
        return max(about) - sentence.end if about else None

    def first_partial(self, sentence: Sentence) -> float | None:
        """Seconds from the beginning of a sentence to the first words of it."""
        shown = [
            at
            for kind in ("partial", "final")
            for at, event in self.told(kind)
            if event["text"] and _overlap(event, sentence) > 0
        ]
        return min(shown) - sentence.start if shown else None

    def partial_gaps(self, sentence: Sentence) -> list[float]:
        """Seconds between partials while a sentence is spoken, from the first one on."""
        moments = sorted(
            at
            for at, event in self.told("partial")
            if event["text"] and _overlap(event, sentence) > 0 and at <= sentence.end
        )
        return [later - earlier for earlier, later in pairwise(moments)]


def _overlap(event: dict[str, Any], sentence: Sentence) -> float:
    return min(event["end"], sentence.end) - max(event["start"], sentence.start) - 0.1


async def run(
    service: Service, talk: Talk, *, pace: float = 1.0, timeout_s: float = 60, **start: Any
) -> Seen:
    """One session over ``talk``, sent at ``pace`` times the speed of speech."""
    seen = Seen(talk)
    address = f"ws://127.0.0.1:{service.port}/translate/stream"
    headers = {"X-API-Key": service.key}
    async with connect(address, additional_headers=headers, ping_timeout=None) as socket:
        await socket.send(json.dumps(start))
        first = json.loads(await socket.recv())
        assert first["type"] == "ready", first  # noqa: S101
        began = time.monotonic()

        async def speak() -> None:
            await send_paced(socket, talk, began, pace=pace)
            await socket.send('{"type": "end"}')

        async with asyncio.timeout(talk.seconds / pace + timeout_s):
            speaking = asyncio.create_task(speak())
            async for message in socket:
                seen.events.append(((time.monotonic() - began) * pace, json.loads(message)))
            await speaking
    return seen


async def send_paced(
    socket: ClientConnection, talk: Talk, began: float, *, pace: float = 1.0
) -> None:
    """All of ``talk``, each frame once its last sample would have been spoken.

    Args:
        socket: takes 16-bit PCM at 16 kHz.
        talk: what is said.
        began: when, by the monotonic clock.
        pace: times the speed of speech.
    """
    pcm, step = talk.pcm(), int(FRAME_S * RATE) * 2
    for count, at in enumerate(range(0, len(pcm), step), start=1):
        await asyncio.sleep(max(0.0, began + count * FRAME_S / pace - time.monotonic()))
        await socket.send(pcm[at : at + step])
