"""``GET /languages``, ``/voices`` and ``/models``: what the engines can do, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE, json_response
from speech_translator.api.dependencies import services_of, state_of
from speech_translator.api.languages import language_answers, loaded
from speech_translator.api.openapi import gives, ref
from speech_translator.api.schemas import LanguageAnswer, ModelAnswer, VoiceAnswer
from speech_translator.engines import catalog
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
        # Half a second with a model of two hundred languages, once.
        answers = await asyncio.to_thread(language_answers, engines)
        body = json_response(answers).body
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


@router.get(
    "/models",
    summary="Models and their licences",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({JSON_TYPE: {"type": "array", "items": ref(ModelAnswer)}}),
)
async def models(request: Request) -> Response:
    """List every model of the catalog, with its licence, its source and whether it is here."""
    directory = state_of(request).settings.models_dir
    return json_response(await asyncio.to_thread(_models, _infos(request), directory))


def _is_loaded(card: catalog.ModelCard, info: EngineInfo | None) -> bool:
    """Whether the card's engine runs it, by its id; those of a package's pairs by their pairs."""
    if info is None:
        return False
    if card.id == catalog.APERTIUM.id:
        return True  # its pairs are what the machine has
    if card.hub is None and card.pairs:
        return set(card.pairs) <= set(info.pairs)
    return card.id in info.models


def _models(infos: Mapping[str, EngineInfo], directory: Path) -> list[ModelAnswer]:
    """Looks at files, so it belongs in a thread."""
    return [
        ModelAnswer(
            id=card.id,
            engine=card.engine,
            task=card.task,
            name=card.name,
            languages=card.languages,
            pairs=card.pairs,
            size_bytes=card.size_bytes,
            licence=card.licence,
            commercial_use=card.commercial_use,
            source=card.source,
            revision=card.revision,
            sha256=card.sha256,
            provenance=card.provenance,
            embedded=card.embedded,
            installed=catalog.installed(card, directory),
            loaded=_is_loaded(card, infos.get(card.engine)),
            install=card.install,
        )
        for card in (catalog.as_installed(card, directory) for card in catalog.CARDS)
    ]
