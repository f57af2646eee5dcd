"""The guard in somebody else's application: Starlette alone, and nothing of our API."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from speech_translator.errors import SpeechTranslatorError, StoreUnavailable
from speech_translator.problems import on_error
from speech_translator.security.guard import Guard, address_block
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.rate_limiter import RateLimiter
from speech_translator.security.scopes import Principal, Scope, refusal
from speech_translator.security.tiers import TierName, load_tiers

ADA = Principal("ada", "k1", TierName.FREE, frozenset({Scope.TRANSLATE}))


async def authenticate(credential: str) -> Principal:
    if credential == "broken":
        raise StoreUnavailable("The database does not answer.")
    if credential != "right":
        raise refusal()
    return ADA


def application(**options: object) -> httpx.AsyncClient:
    tiers = load_tiers()
    limiter = RateLimiter(MemoryLimitStore(), tiers)
    guard = Guard(authenticate, limiter, tiers, **options)  # type: ignore[arg-type]

    async def show(request: Request) -> JSONResponse:
        caller = await guard.admit(request, Scope(request.query_params.get("scope", "translate")))
        return JSONResponse([caller.owner, caller.subject, caller.tier.name])

    app = Starlette(routes=[Route("/", show)])
    app.add_exception_handler(SpeechTranslatorError, on_error)
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 5))
    return httpx.AsyncClient(transport=transport, base_url="http://elsewhere")


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": "right"}, {"Authorization": "Bearer right"}, {"authorization": "bEARER right "}],
)
async def test_a_credential_is_taken_from_where_it_may_stand(headers: dict[str, str]) -> None:
    async with application() as client:
        answer = await client.get("/", headers=headers)
        assert answer.json() == ["ada", "owner:ada", "free"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"X-API-Key": "", "Authorization": "Bearer right"}, 401),
        ({"Authorization": "Basic right"}, 401),
        ({"X-API-Key": "broken"}, 503),
    ],
)
async def test_all_else_is_refused(headers: dict[str, str], status: int) -> None:
    async with application() as client:
        assert (await client.get("/", headers=headers)).status_code == status


async def test_a_scope_that_is_missing_is_named_and_costs_nothing() -> None:
    headers = {"X-API-Key": "right"}
    async with application() as client:
        for _ in range(20):
            answer = await client.get("/", params={"scope": "admin"}, headers=headers)
            assert (answer.status_code, answer.json()["scope"]) == (403, "admin")
        codes = [(await client.get("/", headers=headers)).status_code for _ in range(11)]
    assert codes == [200] * 10 + [429]


async def test_without_a_key_an_address_counts_where_that_is_allowed() -> None:
    async with application(anonymous=TierName.BASIC) as client:
        assert (await client.get("/")).json() == ["anonymous", "address:203.0.113.9", "basic"]
        assert (await client.get("/", headers={"X-API-Key": "wrong"})).status_code == 401


@pytest.mark.parametrize(
    ("peer", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        (None, "unknown"),
    ],
)
def test_one_host_is_one_address(peer: str | None, block: str) -> None:
    assert address_block(peer) == block
