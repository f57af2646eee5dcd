"""The composition root: settings in, an ASGI application out. Nothing runs before its lifespan."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from speech_translator import __version__
from speech_translator.api import openapi
from speech_translator.api.account_events import AccountEvents
from speech_translator.api.accounts import AccountsDoor, database_breaker
from speech_translator.api.brand import Brand
from speech_translator.api.compat import libretranslate, openai_realtime
from speech_translator.api.dependencies import ApiState
from speech_translator.api.direct_route import DirectRoute
from speech_translator.api.engine_metrics import (
    BreakerEvents,
    EngineEvents,
    HealthEvents,
    current_figures,
)
from speech_translator.api.errors import on_http_exception, on_validation_error
from speech_translator.api.metering import Metering
from speech_translator.api.middleware import Boundary, BoundaryConfig, Envelope
from speech_translator.api.preflight import check_administrator
from speech_translator.api.realtime import captions, stream
from speech_translator.api.refusals import on_forbidden
from speech_translator.api.routes import (
    admin,
    audio,
    auth,
    health,
    information,
    metrics,
    operations,
    pages,
    text,
    tokens,
    usage,
)
from speech_translator.api.service_checks import service_checks
from speech_translator.api.shared import SharedEvents, shared_of
from speech_translator.engines.registry import engine_specs
from speech_translator.errors import (
    Forbidden,
    SpeechTranslatorError,
)
from speech_translator.observability import Metrics, configure_logging
from speech_translator.problems import on_error
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.reliability.health_checks import HealthMonitor
from speech_translator.security.concurrency import ConcurrencyLimiter
from speech_translator.security.cors import Cors, CorsConfig, parse_origins
from speech_translator.security.forwarding import ForwardedHeaders, trusted_networks
from speech_translator.security.guard import Guard
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.networks import parse_networks
from speech_translator.security.rate_limiter import RateLimiter
from speech_translator.security.security_headers import SecurityHeaders, SecurityHeadersConfig
from speech_translator.security.tiers import TierName, load_tiers
from speech_translator.services import Services, open_services
from speech_translator.settings import Settings

_DESCRIPTION = """Speech in any of Whisper's languages becomes text, translated text and
translated speech. Errors are `application/problem+json` with a stable `code`; every answer
carries `X-Request-ID`."""
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
}


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """The application over ``settings``.

    Its lifespan starts the engine processes and the decoders and returns before the models are
    loaded: the server listens at once, and ``/health/ready`` tells when they are.

    Args:
        settings: the whole configuration.
        services: parts that already run, for tests; they are not stopped at the end.

    Raises:
        ConfigurationError: the settings name an engine that does not exist, or a Redis by what is
            no address, or networks or origins that are none, or a colour or logo of the page.
    """
    tasks = {spec.name: spec.task for spec in engine_specs(settings)}
    parse_networks(settings.metrics_networks, "METRICS_NETWORKS")
    parse_networks(settings.bootstrap_networks)
    brand = Brand.from_settings(settings)
    figures = Metrics()
    shared = shared_of(settings, SharedEvents(figures, shown=settings.redis_url is not None))
    breakers = services.breakers if services else CircuitBreakerRegistry()
    accounts = AccountsDoor(
        settings, shared.revocations, AccountEvents(figures), database_breaker(breakers)
    )
    metering = Metering(settings, accounts, shared.limits, figures)
    guard = _guard(settings, accounts, metering.limits)
    live = ConcurrencyLimiter(shared.leases, "live-sessions")
    state = ApiState(settings, figures, tasks, shared, accounts, guard, metering, live)
    app = FastAPI(
        title="speech-translator",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan(state, services, breakers),
        openapi_url=None,  # served by routes.pages, kept as bytes
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        generate_unique_id_function=lambda route: route.name,
        middleware=_middleware(settings, state),
        exception_handlers={
            SpeechTranslatorError: on_error,
            Forbidden: on_forbidden,
            HTTPException: on_http_exception,
            RequestValidationError: on_validation_error,
        },
    )
    app.state.api = state
    app.state.brand = brand
    state.metrics.watch(lambda: current_figures(state, stream.hub_of(app)))
    app.router.routes.append(DirectRoute("/translate/text", text.translate_text, methods=["POST"]))
    for module in (
        text,
        audio,
        stream,
        captions,
        auth,
        tokens,
        usage,
        admin,
        operations,
        health,
        information,
        metrics,
        pages,
        libretranslate,
        openai_realtime,
    ):
        app.include_router(module.router)
    openapi.install(app)
    return app


def _middleware(settings: Settings, state: ApiState) -> list[Middleware]:
    """The layers around the routes, from the outside."""
    proxies = trusted_networks(settings.trusted_proxies)
    origins = parse_origins(settings.cors_origins)
    headers = SecurityHeadersConfig(hsts_max_age_s=settings.hsts_max_age_s)
    return [
        *([Middleware(ForwardedHeaders, proxies=proxies)] if proxies else []),
        Middleware(SecurityHeaders, config=headers),
        *([Middleware(Cors, config=CorsConfig(origins))] if origins else []),
        Middleware(
            Envelope,
            metrics=state.metrics,
            max_concurrent=settings.max_concurrent_requests,
            draining=lambda: state.draining,
        ),
        Middleware(Boundary, config=BoundaryConfig.from_settings(settings)),
    ]


def _guard(settings: Settings, accounts: AccountsDoor, limits: LimitStore) -> Guard:
    tiers = load_tiers(settings.tiers_file)
    limiter = RateLimiter(limits, tiers)
    anonymous = TierName(settings.anonymous_tier) if settings.anonymous_tier else None
    return Guard(accounts.authenticate, limiter, tiers, anonymous=anonymous)


def _lifespan(
    state: ApiState, given: Services | None, breakers: CircuitBreakerRegistry
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if given is None and not structlog.is_configured():  # served by uvicorn's own command
            start_logging(state.settings)
        events = EngineEvents(state.metrics)
        breakers.subscribe(BreakerEvents(state.metrics))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(state.shared)
            stack.push_async_callback(state.accounts.close)
            if state.settings.environment == "production":
                await check_administrator(state.accounts)
            stack.push_async_callback(state.metering.journal.stop)
            await state.metering.journal.start()
            if state.settings.spool_dir is not None:
                await asyncio.to_thread(_make_directory, state.settings.spool_dir)
            services = given
            if services is None:
                opened = open_services(
                    state.settings,
                    listener=events,
                    stop_grace_s=state.grace_left,
                    breakers=breakers,
                )
                services = await stack.enter_async_context(opened)
            state.services = services
            checks = service_checks(state, services, events.answered)
            monitor = HealthMonitor(checks, listener=HealthEvents())
            state.health = await stack.enter_async_context(monitor)
            yield
            state.drain()  # a server that is not ours tells us only now

    return lifespan


def _make_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def start_logging(settings: Settings) -> None:
    """Configure logging as the settings say."""
    log_format = settings.log_format
    if log_format == "auto":
        for_people = settings.environment == "development" and sys.stderr.isatty()
        log_format = "text" if for_people else "json"
    configure_logging(log_format=log_format, level=settings.log_level)
