"""Steady mixed load on one service, with every request accounted for.

Each request has one outcome, judged by its content: a sentence holds the number that only it was
sent with, a recording the words that are said in it. A client that retries does so with the same
``Idempotency-Key``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from tests.support.recordings import path_of

Verdict = Literal["right", "degraded", "refused", "unavailable", "wrong", "lost"]
"""``refused`` is for a reason of the client's own (4xx), ``unavailable`` says when to come back,
``lost`` had no answer, ``wrong`` is everything else."""

COME_BACK = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.CONFLICT}

SAID = {"not", "young", "man"}
REQUEST_S = 60.0

MIXED = (("text", "several"), ("text",), ("text", "several", "text"), ("recording",))
"""What four clients ask for in turn."""

UNLIMITED = """[enterprise]
requests_per_minute = "unlimited"
requests_per_day = "unlimited"
characters_per_minute = "unlimited"
characters_per_month = "unlimited"
audio_minutes_per_month = "unlimited"
"""
"""Tiers of which one has no limits that load would run into."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request. Times are monotonic seconds."""

    kind: str
    verdict: Verdict
    begun: float
    ended: float
    detail: str = ""

    @property
    def seconds(self) -> float:
        """How long its client waited."""
        return self.ended - self.begun


@dataclass(frozen=True, slots=True)
class Client:
    """Where requests go, and how they are sent.

    ``attempts`` above 1 are made after a broken connection or a gateway's own error, and while
    another attempt is under way, as whoever answers that says to wait.
    """

    url: str
    headers: Mapping[str, str]
    attempts: int = 1
    pause_s: float = 0.02


@dataclass
class Traffic:
    """The load. ``outcomes`` holds what is done, ``sent`` counts what was begun."""

    client: Client
    outcomes: list[Outcome] = field(default_factory=list)
    sent: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(1000))
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, since: float = 0.0) -> Counter[Verdict]:
        """Outcomes of requests that were begun from ``since`` on."""
        return Counter(one.verdict for one in self.outcomes if one.begun >= since)

    def bad(self) -> list[Outcome]:
        """What should not be: lost, wrong or unavailable."""
        return [o for o in self.outcomes if o.verdict in {"lost", "wrong", "unavailable"}]

    def availability(self) -> float:
        """Right answers, and refusals for reasons of the client's own, as a share of all."""
        return 1.0 - len(self.bad()) / max(1, len(self.outcomes))

    async def text(self, http: httpx.AsyncClient) -> None:
        """One sentence that nobody sent before."""
        number = next(self._numbers)
        body = {
            "text": f"The number of the house is {number}.",
            "source_language": "en",
            "target_language": "pt",
        }
        await self._ask(
            "text",
            lambda headers: http.post("/translate/text", json=body, headers=headers),
            lambda answer: str(number) in answer.json()["translation"],
        )

    async def several(self, http: httpx.AsyncClient) -> None:
        """Sentences together, of which one is always the same."""
        numbers = [next(self._numbers) for _ in range(3)]
        texts = [f"Room {number} is free." for number in numbers]
        body = {"text": ["Good morning.", *texts], "source_language": "en", "target_language": "pt"}
        await self._ask(
            "texts",
            lambda headers: http.post("/translate/text", json=body, headers=headers),
            lambda answer: (
                answer.json()["translation"][0].startswith("Bom dia")
                and all(
                    str(number) in text
                    for number, text in zip(numbers, answer.json()["translation"][1:], strict=True)
                )
            ),
        )

    async def recording(self, http: httpx.AsyncClient) -> None:
        """Three seconds of speech."""
        file = await asyncio.to_thread(path_of("0880").read_bytes)
        await self._ask(
            "recording",
            lambda headers: http.post(
                "/transcribe/audio",
                files={"file": ("a.wav", file)},
                data={"source_language": "en"},
                headers=headers,
            ),
            lambda answer: set(answer.json()["text"].lower().strip(".").split()) >= SAID,
        )

    async def run(self, clients: Sequence[Sequence[str]]) -> None:
        """Clients that ask for one thing after the other, until ``end``.

        Args:
            clients: for each, the names of this class's methods that it calls in turn.
        """
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=self.client.url, timeout=REQUEST_S, trust_env=False, limits=limits
        ) as http:

            async def one(names: Sequence[str]) -> None:
                for name in itertools.cycle(names):
                    if self._over.is_set():
                        return
                    await getattr(self, name)(http)
                    await asyncio.sleep(self.client.pause_s)

            await asyncio.gather(*(one(names) for names in clients))

    def end(self) -> None:
        """Ask for nothing more."""
        self._over.set()

    async def _ask(
        self,
        kind: str,
        send: Callable[[dict[str, str]], Awaitable[httpx.Response]],
        is_right: Callable[[httpx.Response], bool],
    ) -> None:
        begun = time.monotonic()
        self.sent += 1
        verdict: Verdict = "lost"
        detail = ""
        headers = dict(self.client.headers)
        if self.client.attempts > 1:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        pause_s = 0.0
        for attempt in range(self.client.attempts):
            await asyncio.sleep(pause_s)
            pause_s = 0.4 * 2**attempt
            try:
                answer = await send(headers)
            except httpx.HTTPError as error:
                verdict, detail = "lost", repr(error)
                continue
            verdict, detail = judge(answer, is_right)
            if answer.status_code == httpx.codes.CONFLICT:  # its answer comes to a later attempt
                pause_s = max(pause_s, float(answer.headers.get("retry-after", 0)))
            elif answer.status_code not in {502, 504}:
                break
        self.outcomes.append(Outcome(kind, verdict, begun, time.monotonic(), detail))


def judge(
    answer: httpx.Response, is_right: Callable[[httpx.Response], bool]
) -> tuple[Verdict, str]:
    """The verdict on one answer, and what it said where that is not right."""
    if answer.status_code == httpx.codes.OK:
        if not is_right(answer):
            return "wrong", answer.text[:200]
        return ("degraded" if answer.json().get("degraded") else "right"), ""
    detail = f"{answer.status_code} {answer.text[:200]}"
    if answer.status_code in COME_BACK and "retry-after" in answer.headers:
        return "unavailable", detail
    return ("refused" if answer.is_client_error else "wrong"), detail


@contextlib.asynccontextmanager
async def traffic(client: Client, clients: Sequence[Sequence[str]]) -> AsyncIterator[Traffic]:
    """Load for as long as the block; every request is answered when it ends."""
    load = Traffic(client)
    running = asyncio.create_task(load.run(clients))
    try:
        yield load
    finally:
        load.end()
        await running
    assert load.sent == len(load.outcomes)
