"""``GET /captions/{session}``: one of many readers of a shared session; ``docs/LIVE.md``.

Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), to be read by
``fetch``: the secret comes in a header, and stands in no log. It opens one session's captions and
nothing else; readers need no key, and are counted by their address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from speech_translator.api.dependencies import state_of
from speech_translator.api.http_protocol import ABORT
from speech_translator.api.middleware.exchange import HEAD_ONLY
from speech_translator.api.openapi import gives
from speech_translator.api.realtime.stream import hub_of
from speech_translator.errors import InvalidField, NotFound
from speech_translator.languages import Language
from speech_translator.security.limits import Rate
from speech_translator.security.rate_limiter import REFUSED
from speech_translator.streaming.messages import Final, Partial
from speech_translator.streaming.sharing import CaptionHub, Reader, Share, in_language

router = APIRouter(tags=["translation"])

SECRET_HEADER = "x-share-secret"  # noqa: S105 - the name of one # nosec B105

READS = Rate("captions-minute", 600)
"""Readers a minute from one address: a hall may stand behind one."""

HEARTBEAT_S = 15.0
"""Seconds without captions after which a comment says that the connection stands."""

_LONGEST_ID = 15
_RETRY_MS = 2000
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would collect captions, and tell them late
}
_PARAMETERS = [
    {
        "name": "session",
        "in": "path",
        "required": True,
        "description": "The `session_id` of `ready`.",
        "schema": {"type": "string"},
    },
    {
        "name": "language",
        "in": "query",
        "required": False,
        "description": "Only this one of the session's languages, as `text`.",
        "schema": {"type": "string"},
    },
    {
        "name": "X-Share-Secret",
        "in": "header",
        "required": False,
        "description": "The `share_secret` of `ready`.",
        "schema": {"type": "string"},
    },
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "The last `id` that was read: captions go on behind it.",
        "schema": {"type": "string"},
    },
]


@router.get(
    "/captions/{session}",  # noqa: FAST003 - declared, the document would promise its own 422
    summary="Read the captions of a shared live session",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": _PARAMETERS,
        **gives({"text/event-stream": {"type": "string"}}, failures=(404, 422, 429, 503)),
    },
)
async def captions(request: Request) -> Response:
    """Follow a speaker who shares the session: what was said so far, then what is said.

    Events are `session`, `final` (with an `id`), `partial` and `done`.
    """
    state = state_of(request)
    await state.guard.limit_address(request, READS)
    hub = hub_of(request.app).captions
    try:
        share = hub.find(request.path_params["session"], request.headers.get(SECRET_HEADER, ""))
    except NotFound:
        await state.guard.limit_address(request, REFUSED)
        raise
    language = _language(request.query_params.get("language"), share)
    reader = hub.read(share, _last_id(request.headers.get("last-event-id", "")))
    return CaptionStream(reader, hub, language, state.settings.live_send_timeout_s)


def _language(code: str | None, share: Share) -> str | None:
    """The one language that is asked for; a detected source may be any."""
    if code is None:
        return None
    language, asked = Language.parse(code), share.request
    if language in asked.targets or asked.source in {None, language}:
        return language.tag
    raise InvalidField(
        "The session has no captions in this language.",
        field="language",
        supported=[each.tag for each in (asked.source, *asked.targets) if each is not None],
    )


def _last_id(text: str) -> int:
    """What a browser gives back; anything else than ours is no place."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID else 0


class CaptionStream(Response):
    """The answer to a reader; it ends with the session, with the reader, or when one is too slow.

    Args:
        reader: closed at the end.
        hub: looks now and then whether speakers came back.
        language: the only one; None for all.
        send_s: seconds in which the reader must take what it is sent.
    """

    def __init__(
        self, reader: Reader, hub: CaptionHub, language: str | None, send_s: float
    ) -> None:
        super().__init__(media_type="text/event-stream", headers=_HEADERS)
        self.raw_headers = [field for field in self.raw_headers if field[0] != b"content-length"]
        self._reader = reader
        self._hub = hub
        self._language = language
        self._send_s = send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until it is over, or the reader has gone."""
        if scope.get(HEAD_ONLY):
            self._reader.close()
            await self._begin(send)
            await send({"type": "http.response.body", "body": b""})
            return
        writing = asyncio.create_task(self._write(scope, send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._reader.close()
            for task in (writing, leaving):
                task.cancel()
            outcomes = await asyncio.gather(writing, leaving, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _begin(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})

    async def _write(self, scope: Scope, send: Send) -> None:
        await self._begin(send)
        try:
            await self._send(send, _opening(self._reader.share))
            await self._follow(send)
        except TimeoutError:
            # What it was sent waits in buffers, and would for as long as it likes.
            abort = scope.get("extensions", {}).get(ABORT)
            if abort is not None:
                abort["call"]()

    async def _follow(self, send: Send) -> None:
        """Tell what is new, until nothing more comes.

        Raises:
            TimeoutError: the reader is too slow.
        """
        reader = self._reader
        while not reader.cut:
            events = reader.take()
            if events:
                await self._send(send, b"".join(map(self._told, events)))
            elif reader.over:
                reason = reader.share.over
                await self._send(
                    send, _event("done", {"reason": reason}) if reason else b"", last=True
                )
                return
            elif not await reader.wait(HEARTBEAT_S):
                self._hub.sweep()
                await self._send(send, b":\n\n")
        raise TimeoutError

    async def _send(self, send: Send, data: bytes, *, last: bool = False) -> None:
        async with asyncio.timeout(self._send_s):
            await send({"type": "http.response.body", "body": data, "more_body": not last})

    def _told(self, event: Final | Partial) -> bytes:
        chosen = event if self._language is None else in_language(event, self._language)
        if chosen is None:
            return b""
        body = msgspec.to_builtins(chosen)
        kind = body.pop("type")
        body.pop("latency_ms", None)
        return _event(kind, body, event.segment_id if isinstance(event, Final) else None)


def _opening(share: Share) -> bytes:
    asked = share.request
    return b"retry: %d\n" % _RETRY_MS + _event(
        "session",
        {
            "session_id": share.session_id,
            "source_language": asked.source.tag if asked.source else None,
            "target_languages": [target.tag for target in asked.targets],
        },
    )


def _event(kind: str, body: Mapping[str, Any], place: int | None = None) -> bytes:
    """One server-sent event; JSON has no line ends."""
    head = b"" if place is None else b"id: %d\n" % place
    return head + b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(body))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
