"""A translator for those who hold a key."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from speech_translator.errors import InvalidField, SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.problems import on_error
from speech_translator.reliability import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.security import (
    AnswerHeaders,
    Caller,
    Guard,
    RateLimiter,
    Scope,
    SecurityHeaders,
    load_tiers,
    open_accounts,
    open_metering,
)
from speech_translator.security.cors import Cors, CorsConfig, parse_origins
from speech_translator.security.fallback import FallbackConfig
from speech_translator.security.forwarding import ForwardedHeaders, trusted_networks
from speech_translator.security.input_validator import check_text
from speech_translator.security.redis_client import RedisConfig
from speech_translator.security.shared import shared_in_redis
from speech_translator.services import open_services
from speech_translator.settings import load_settings

MAX_BODY_BYTES = 64 * 1024
MAX_CHARS = 10_000
DEADLINE_S = 10.0
ENGLISH, PORTUGUESE = Language.parse("en"), Language.parse("pt")
ORIGINS = parse_origins(["https://app.example"])
PROXIES = trusted_networks(["127.0.0.1/32", "::1/128"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application needs, and close it at the end."""
    tiers = load_tiers(Path("tiers.toml"))
    pepper = os.environ["SECRET_PEPPER"].encode()
    redis = RedisConfig(os.environ["REDIS_URL"])
    settings = load_settings(translators=("bergamot",))
    async with (
        shared_in_redis(redis, FallbackConfig(replicas=2)) as shared,
        open_accounts(
            os.environ["DATABASE_URL"], [pepper], revocations=shared.revocations
        ) as accounts,
        open_services(settings, tasks={"translation"}, decode=False) as services,
        open_metering(Path("usage"), accounts.usage, shared.limits) as metering,
    ):
        await services.broker.wait_ready()
        limiter = RateLimiter(metering.limits, tiers)
        app.state.guard = Guard(accounts.authenticate, limiter, tiers)
        app.state.accounts = accounts
        app.state.metering = metering
        app.state.translator = services.translator
        yield


app = FastAPI(lifespan=lifespan, max_body_size=MAX_BODY_BYTES, docs_url=None, redoc_url=None)
app.add_exception_handler(SpeechTranslatorError, on_error)
app.add_middleware(AnswerHeaders)
app.add_middleware(Cors, config=CorsConfig(ORIGINS))
app.add_middleware(SecurityHeaders)
app.add_middleware(ForwardedHeaders, proxies=PROXIES)


class Wanted(BaseModel):
    """What is sent."""

    text: str


@app.exception_handler(RequestValidationError)
async def on_wrong_body(request: Request, _error: RequestValidationError) -> Response:
    """Say what is wanted."""
    return await on_error(request, InvalidField("Send JSON with a `text`.", field="text"))


async def admitted(request: Request) -> Caller:
    """Who asks, if they may."""
    guard: Guard = request.app.state.guard
    return await guard.admit(request, Scope.TRANSLATE)


@app.post("/token")
async def make_token(request: Request) -> JSONResponse:
    """A token for a page, given to whoever holds a key."""
    caller = await request.app.state.guard.admit(request, endpoint="account")
    caller.principal.require_key()  # a token makes no other
    tokens = request.app.state.accounts.tokens
    token = await tokens.issue(caller.principal)
    return JSONResponse(
        {"access_token": token, "token_type": "Bearer", "expires_in": tokens.life_s},
        headers={"Cache-Control": "no-store"},
    )


@app.get("/usage")
async def show_usage(request: Request) -> dict[str, int]:
    """What the caller used this month."""
    caller = await request.app.state.guard.admit(request, endpoint="account")
    used = await request.app.state.metering.book.used("month", owner=caller.owner)
    return {"requests": used.requests, "characters": used.characters}


@app.post("/translate")
async def translate(
    wanted: Wanted, caller: Annotated[Caller, Depends(admitted)]
) -> dict[str, str | bool]:
    """English into Portuguese."""
    return await translated(wanted.text, caller)


@app.websocket("/live")
async def live(socket: WebSocket) -> None:
    """The same, text by text."""
    guard: Guard = app.state.guard
    caller = await guard.admit(socket, Scope.STREAM)
    await socket.accept("lines" if "lines" in socket.scope["subprotocols"] else None)
    async for text in socket.iter_text():
        await socket.send_json(await translated(text, caller))


async def translated(text: str, caller: Caller) -> dict[str, str | bool]:
    """A text in Portuguese, and whether that was known already."""
    check_text(text, max_chars=min(MAX_CHARS, caller.tier.max_text_chars or MAX_CHARS))
    meter = app.state.metering.meter
    async with await meter.reserve(caller, "translate", characters=len(text)) as reservation:
        [found] = await app.state.translator.translate(
            [text],
            source=ENGLISH,
            target=PORTUGUESE,
            context=RequestContext(Deadline.after(DEADLINE_S), owner=caller.owner),
        )
        if found.cached:
            await reservation.settle(characters=0)
    return {"translation": found.text, "cached": found.cached}
