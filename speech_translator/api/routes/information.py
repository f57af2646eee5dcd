"""``GET /languages`` and ``/voices``: what the loaded engines can do."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE, json_response
from speech_translator.api.dependencies import services_of, state_of
from speech_translator.api.languages import language_answers, loaded
from speech_translator.api.openapi import gives, ref
from speech_translator.api.schemas import LanguageAnswer, VoiceAnswer
from speech_translator.engines.values import EngineInfo

router = APIRouter(tags=["information"])


def _infos(request: Request) -> Mapping[str, EngineInfo]:
    """What the loaded engines said of themselves, by name."""
    found = services_of(request).broker.status()
    return {name: status.info for name, status in found.items() if status.info is not None}


@router.get(
    "/languages",
    summary="Languages and what can be done with each",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({JSON_TYPE: {"type": "array", "items": ref(LanguageAnswer)}}),
)
async def languages(request: Request) -> Response:
    """List every language that a loaded engine knows, in LibreTranslate's shape and more."""
    state = state_of(request)
    engines = loaded(state.settings, _infos(request))
    kept = state.languages
    if kept is None or kept[0] != engines:
        body = json_response(language_answers(engines)).body
        kept = state.languages = (engines, bytes(body))
    return Response(kept[1], media_type=JSON_TYPE)


@router.get(
    "/voices",
    summary="Voices",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({JSON_TYPE: {"type": "array", "items": ref(VoiceAnswer)}}),
)
async def voices(request: Request) -> Response:
    """List the voices that speech can be asked for, the preferred engine's first."""
    return json_response(
        [
            VoiceAnswer(
                id=voice.id,
                name=voice.name,
                engine=voice.id.partition(":")[0],
                language=voice.language,
                gender=voice.gender,
                region=voice.region,
            )
            for voice in services_of(request).translator.voices()
        ]
    )
