"""``/health`` and the probes of load balancers and orchestrators."""

from __future__ import annotations

import time

from fastapi import APIRouter
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from speech_translator import __version__
from speech_translator.api.answers import json_response
from speech_translator.api.dependencies import ApiState, services_of, state_of
from speech_translator.api.health import Health, assess
from speech_translator.api.openapi import gives, ref
from speech_translator.api.schemas import EngineHealth, HealthAnswer, StatusAnswer
from speech_translator.services import Services

router = APIRouter(tags=["health"])

_UNAVAILABLE = 503
_STATUS = gives({"application/json": ref(StatusAnswer)})


def health_of(state: ApiState, services: Services) -> Health:
    """The verdict on the running service."""
    return assess(state.tasks, services.broker.status(), draining=state.draining)


@router.get(
    "/health",
    summary="Health of the service",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"application/json": ref(HealthAnswer)}),
)
async def health(request: Request) -> Response:
    """Answer healthy or degraded with 200, unhealthy with 503.

    In production each engine is shown to a key or token with the scope `admin` alone; another one,
    and one that is wrong, gets the short form, so that a load balancer never sees an error for it.
    """
    state, services = state_of(request), services_of(request)
    found = health_of(state, services)
    detailed = state.settings.environment == "development"
    if not detailed:
        asking = await state.guard.identify(request)
        detailed = asking is not None and asking.is_admin
    return json_response(
        HealthAnswer(
            overall_status=found.overall_status,
            ready=found.ready,
            version=__version__,
            uptime_seconds=round(time.monotonic() - state.started_at, 1),
            tasks=found.tasks,
            engines=_engines(state, services) if detailed else UNSET,
        ),
        status=_UNAVAILABLE if found.overall_status == "unhealthy" else 200,
    )


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
