"""``/health`` and the probes of load balancers and orchestrators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from speech_translator import __version__
from speech_translator.api.answers import json_response
from speech_translator.api.dependencies import ApiState, services_of, state_of
from speech_translator.api.health import Health, assess
from speech_translator.api.openapi import gives, ref
from speech_translator.api.schemas import CheckAnswer, EngineHealth, HealthAnswer, StatusAnswer
from speech_translator.api.service_checks import ENGINE
from speech_translator.reliability.health_checks import (
    CheckResult,
    OverallStatus,
    overall_status,
)
from speech_translator.services import Services

router = APIRouter(tags=["health"])

_UNAVAILABLE = 503
_STATUS = gives({"application/json": ref(StatusAnswer)})


_IDENTIFY_S = 0.025
"""Seconds for finding out who asks: the answer must come at once, also while a database hangs."""

_WORST_FIRST: tuple[OverallStatus, ...] = ("unhealthy", "degraded", "healthy")


def health_of(
    state: ApiState, services: Services, results: Mapping[str, CheckResult] | None = None
) -> Health:
    """The verdict on the running service: what is known, from memory.

    Args:
        state: the application's.
        services: what runs behind it.
        results: of the checks, by name, where they were read already.
    """
    found = results_of(state) if results is None else results
    silent = [name for name in state.tasks if _has_failed(found.get(f"{ENGINE}{name}"))]
    health = assess(state.tasks, services.broker.status(), silent=silent, draining=state.draining)
    worst = min((health.overall_status, overall_status(found.values())), key=_WORST_FIRST.index)
    return replace(health, overall_status=worst)


def results_of(state: ApiState) -> dict[str, CheckResult]:
    """What the checks found last, by name."""
    return {} if state.health is None else {one.name: one for one in state.health.results()}


def _has_failed(result: CheckResult | None) -> bool:
    return result is not None and result.level == "failed"


@router.get(
    "/health",
    summary="Health of the service",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"application/json": ref(HealthAnswer)}),
)
async def health(request: Request) -> Response:
    """Answer healthy or degraded with 200, unhealthy with 503.

    Nothing is looked at for it: checks run by themselves, and it tells what they found last. In
    production engines and checks are shown to a key or token with the scope `admin` alone; another
    one, and one that is wrong, gets the short form, so that a load balancer never sees an error
    for it.
    """
    state, services = state_of(request), services_of(request)
    results = results_of(state)
    found = health_of(state, services, results)
    detailed = state.settings.environment == "development" or await _is_administrators(request)
    return json_response(
        HealthAnswer(
            overall_status=found.overall_status,
            ready=found.ready,
            version=__version__,
            uptime_seconds=round(time.monotonic() - state.started_at, 1),
            tasks=found.tasks,
            engines=_engines(state, services) if detailed else UNSET,
            checks=_checks(results) if detailed else UNSET,
        ),
        status=_UNAVAILABLE if found.overall_status == "unhealthy" else 200,
    )


async def _is_administrators(request: Request) -> bool:
    """Whether the request's key or token is known to open everything, as far as is known soon."""
    try:
        async with asyncio.timeout(_IDENTIFY_S):
            asking = await state_of(request).guard.identify(request)
    except TimeoutError:
        return False
    return asking is not None and asking.is_admin


def _checks(results: Mapping[str, CheckResult]) -> dict[str, CheckAnswer]:
    """The same with times of the wall clock, which was not asked when they were taken."""
    since_1970 = time.time() - time.monotonic()

    def shown(moment: float | None) -> float | None:
        return None if moment is None else round(moment + since_1970, 3)

    return {
        name: CheckAnswer(
            level=result.level,
            criticality=result.criticality,
            detail=result.detail,
            since=round(result.since + since_1970, 3),
            checked_at=shown(result.checked_at),
            last_ok=shown(result.last_ok),
            duration_ms=round(result.duration_s * 1000, 2),
        )
        for name, result in results.items()
    }


def _engines(state: ApiState, services: Services) -> dict[str, EngineHealth]:
    return {
        name: EngineHealth(
            task=state.tasks.get(name, ""),
            state=status.state,
            message=status.message,
            queued=status.queued,
            in_flight=status.in_flight,
            restarts=status.restarts,
        )
        for name, status in services.broker.status().items()
    }


@router.get(
    "/health/simple",
    summary="OK in plain text",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"text/plain": {"type": "string"}}),
)
async def health_simple(request: Request) -> Response:
    """Answer OK, or 503 when the service is unhealthy."""
    found = health_of(state_of(request), services_of(request))
    if found.overall_status == "unhealthy":
        return PlainTextResponse("UNHEALTHY", status_code=_UNAVAILABLE)
    return PlainTextResponse("OK")


@router.get(
    "/health/live",
    summary="Liveness probe",
    response_class=Response,
    response_model=None,
    openapi_extra=_STATUS,
)
async def health_live() -> Response:
    """Answer 200 as long as the process serves requests; a restart would not help."""
    return json_response(StatusAnswer(status="alive"))


@router.get(
    "/health/ready",
    summary="Readiness probe",
    response_class=Response,
    response_model=None,
    openapi_extra=_STATUS,
)
async def health_ready(request: Request) -> Response:
    """Answer 200 once the models are loaded, and 503 before that and while draining."""
    state = state_of(request)
    found = health_of(state, services_of(request))
    if found.ready:
        return json_response(StatusAnswer(status="ready"))
    status = "draining" if state.draining else "loading"
    if (
        status == "loading"
        and found.overall_status == "unhealthy"
        and "starting" not in set(found.tasks.values())
    ):
        status = "unavailable"
    return json_response(StatusAnswer(status=status), status=_UNAVAILABLE)
