"""What a server that speaks OpenAI's protocol answers: its bodies, its refusals, its pauses.

Nothing that a server says gets into an error or a log line.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from speech_translator.errors import EngineFailed


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, whole."""

    body: bytes
    content_type: str

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            EngineFailed: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise EngineFailed("The OpenAI-compatible server answered no JSON.") from None


class RequestRefused(EngineFailed):
    """The server does not take the request as it is; ``param`` is the field that it names."""

    def __init__(self, param: str = "") -> None:
        super().__init__("The OpenAI-compatible server does not take this request.")
        self.param = param


async def read(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """The body; None when it is larger, or packed although that was not asked for."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def refused_field(body: bytes | None) -> str:
    """The field that an error names, or the first of ours that its words mention."""
    with contextlib.suppress(ValueError, RecursionError):
        error = json.loads(body or b"")
        error = error.get("error", error) if isinstance(error, dict) else {}
        if isinstance(error, dict):
            return next(_named(error), "")
    return ""


def _named(error: Mapping[str, object]) -> Iterator[str]:
    known = ("max_tokens", "temperature", "response_format", "timestamp_granularities", "speed")
    for told in (error.get("param"), error.get("message")):
        yield from (name for name in known if isinstance(told, str) and name in told)


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the server wants to be left alone (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:6])
    with contextlib.suppress(ValueError):
        when = parsedate_to_datetime(value).timestamp()
        return max(0.0, when - _now(response))
    return None


def _now(response: httpx2.Response) -> float:
    """The server's own time, since its clock and ours may differ; ours where it tells none."""
    with contextlib.suppress(KeyError, ValueError):
        return parsedate_to_datetime(response.headers["date"]).timestamp()
    return time.time()
