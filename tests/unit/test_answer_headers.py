"""The id and the limits on every answer of somebody else's application."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from speech_translator.errors import SpeechTranslatorError
from speech_translator.problems import on_error, request_id_of
from speech_translator.security import (
    AnswerHeaders,
    Guard,
    MemoryLimitStore,
    RateLimiter,
    Scope,
    load_tiers,
)
from speech_translator.security.scopes import Principal
from speech_translator.security.tiers import TierName

ADA = Principal("ada", "k1", TierName.FREE, frozenset({Scope.TRANSLATE}))
KEY = {"X-API-Key": "any"}


async def authenticate(_credential: str) -> Principal:
    return ADA


def application() -> Starlette:
    tiers = load_tiers()
    guard = Guard(authenticate, RateLimiter(MemoryLimitStore(), tiers), tiers)

    async def work(request: Request) -> Response:
        await guard.admit(request, Scope.TRANSLATE)
        return JSONResponse(request_id_of(request))

    async def free(_request: Request) -> Response:
        return Response()

    async def live(socket: WebSocket) -> None:
        await guard.admit(socket, Scope.TRANSLATE)
        await socket.accept()
        await socket.close()

    return Starlette(
        routes=[Route("/", work), Route("/free", free), WebSocketRoute("/live", live)],
        middleware=[Middleware(AnswerHeaders)],
        exception_handlers={SpeechTranslatorError: on_error},
    )


def client_of(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://elsewhere")


async def test_an_answer_has_the_id_that_the_application_sees_and_what_is_left() -> None:
    async with client_of(application()) as client:
        first, second = [await client.get("/", headers=KEY) for _ in range(2)]
    assert first.headers["x-request-id"] == first.json() != second.json()
    assert first.headers["ratelimit"].startswith('"requests-minute";r=9;')
    assert second.headers["x-ratelimit-remaining"] == "8"


async def test_a_refusal_has_both_too() -> None:
    async with client_of(application()) as client:
        refused = [await client.get("/", headers=KEY) for _ in range(11)][-1]
        nobody = await client.get("/")
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert nobody.headers["x-request-id"] == nobody.json()["request_id"]
    assert "ratelimit" not in nobody.headers


async def test_what_is_not_limited_says_so_by_silence_and_a_clients_id_is_not_taken() -> None:
    async with client_of(application()) as client:
        answer = await client.get("/free", headers={"X-Request-ID": "mine"})
    assert answer.headers["x-request-id"] != "mine"
    assert "ratelimit" not in answer.headers


async def test_one_application_within_another_says_it_once() -> None:
    outer = Starlette(
        routes=[Mount("/inner", application())], middleware=[Middleware(AnswerHeaders)]
    )
    async with client_of(outer) as client:
        answer = await client.get("/inner/", headers=KEY)
    assert answer.headers.get_list("x-request-id") == [answer.json()]
    assert len(answer.headers.get_list("ratelimit")) == 1


def test_a_sockets_handshake_has_them() -> None:
    with (
        TestClient(application()) as client,
        client.websocket_connect("/live", headers=KEY) as live,
    ):
        names = dict(live.extra_headers or ())
    assert names[b"x-request-id"]
    assert names[b"x-ratelimit-remaining"] == b"9"
