"""Which engines a configuration asks for, as specs that the broker can start.

Adding an engine means one factory module and one entry in ``_BUILDERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from msgspec.structs import replace

from speech_translator.engines import apertium_modes, catalog, pulled
from speech_translator.engines.licences import check_licences
from speech_translator.engines.model_card import ModelCard
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.translation_selection import chosen_models
from speech_translator.engines.values import Task
from speech_translator.errors import ConfigurationError, UnknownLanguage
from speech_translator.languages import Language
from speech_translator.settings import Settings

# One engine must not let its libraries start a thread per core behind the broker's back:
# CTranslate2 beside onnxruntime is known to deadlock or oversubscribe with OpenMP's defaults.
_ONE_OPENMP_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# glibc gives every thread its own arena; two are enough and save tens of MiB a process.
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

SPEECH_NICENESS = 5
"""Synthesis yields to recognition and translation, which people wait for word by word."""

VOICE_ACTIVITY = "silero"
"""Name of the engine that finds speech; every recognition needs it."""


def _options(settings: Settings) -> dict[str, object]:
    return {"models_dir": str(settings.models_dir), "threads": settings.engine_threads}


def _spec(settings: Settings, name: str, task: Task, **options: object) -> EngineSpec:
    return EngineSpec(
        name=name,
        task=task,
        factory=f"speech_translator.engines.{name}:load",
        options={**_options(settings), **options},
        load_timeout_s=settings.engine_load_timeout_s,
        call_timeout_s=settings.engine_call_timeout_s,
        memory_limit_mb=settings.engine_memory_limit_mb,
        memory_growth_mb=settings.engine_memory_growth_mb,
        queue_limit=settings.engine_queue_limit,
        environment={**_ONE_OPENMP_THREAD, **_FEW_ARENAS, **_OFFLINE},
    )


def _whisper(settings: Settings) -> EngineSpec:
    spec = _spec(
        settings,
        "whisper",
        "recognition",
        device=settings.whisper_device,
        compute_type=settings.whisper_compute_type,
        **_whisper_model(settings),
    )
    # CTranslate2 spreads one call over OpenMP threads, so here they are wanted.
    return replace(
        spec,
        environment={**spec.environment, "OMP_NUM_THREADS": str(settings.engine_threads)},
    )


def _whisper_model(settings: Settings) -> dict[str, object]:
    """The embedded model, one of the catalog by its id or size, or a directory."""
    name = settings.whisper_model
    if name in {"base", "whisper-base"}:
        return {"model": "base"}
    for card in catalog.cards_of("whisper"):
        if card.hub is not None and card.id in {name, f"whisper-{name}"}:
            directory = pulled.directory(card, settings.models_dir)
            return {"model": str(directory), "id": card.id, "install": pulled.command(card)}
    return {"model": name}


def _ctranslate2(settings: Settings) -> EngineSpec | None:
    models = chosen_models(settings)
    if not models:
        return None
    spec = _spec(
        settings,
        "ctranslate2",
        "translation",
        models=models,
        device=settings.ctranslate2_device,
        compute_type=settings.ctranslate2_compute_type,
    )
    return replace(
        spec,
        # Not the name of the library that it imports.
        factory="speech_translator.engines.ctranslate2_engine:load",
        environment={**spec.environment, "OMP_NUM_THREADS": str(settings.engine_threads)},
    )


def _speech(name: str) -> Callable[[Settings], EngineSpec]:
    return lambda settings: replace(_spec(settings, name, "synthesis"), nice=SPEECH_NICENESS)


def _apertium(settings: Settings) -> EngineSpec | None:
    if not settings.apertium_url and not apertium_modes.available():
        return None
    return _spec(
        settings,
        "apertium",
        "translation",
        url=settings.apertium_url,
        memory_mb=settings.apertium_memory_mb,
        call_timeout_s=settings.engine_call_timeout_s,
    )


def _openai(settings: Settings) -> EngineSpec:
    return _openai_spec(settings, "openai", "translation", settings.openai_translation_model)


def _openai_transcription(settings: Settings) -> EngineSpec:
    model = settings.openai_transcription_model
    return _openai_spec(settings, "openai-transcription", "recognition", model)


def _openai_speech(settings: Settings) -> EngineSpec:
    model = settings.openai_speech_model
    spec = _openai_spec(settings, "openai-speech", "synthesis", model)
    return replace(spec, options={**spec.options, "voices": settings.openai_voices})


def _openai_spec(settings: Settings, name: str, task: Task, model: str) -> EngineSpec:
    module = name.replace("-", "_") if "-" in name else "openai_translation"
    if not settings.openai_url or not model:
        variable = f"{module.upper()}_MODEL"
        raise ConfigurationError(f"The engine `{name}` needs OPENAI_URL and {variable}.")
    key = settings.openai_api_key
    spec = _spec(
        settings,
        name,
        task,
        url=settings.openai_url,
        model=model,
        languages=_openai_languages(settings),
        concurrency=settings.openai_concurrency,
        call_timeout_s=settings.engine_call_timeout_s,
    )
    return replace(
        spec,
        factory=f"speech_translator.engines.{module}:load",
        secrets={"api_key": key.get_secret_value()} if key else {},
    )


def _openai_languages(settings: Settings) -> tuple[str, ...]:
    try:
        keys = [Language.parse(code).key for code in settings.openai_languages]
    except UnknownLanguage as error:
        raise ConfigurationError(f"OPENAI_LANGUAGES: {error.message}") from error
    if not keys:
        raise ConfigurationError("OPENAI_LANGUAGES names no language.")
    return tuple(dict.fromkeys(keys))


_BUILDERS: Mapping[str, Callable[[Settings], EngineSpec | None]] = {
    "whisper": _whisper,
    VOICE_ACTIVITY: lambda settings: _spec(settings, VOICE_ACTIVITY, "voice_activity", threads=1),
    "bergamot": lambda settings: _spec(settings, "bergamot", "translation"),
    "ctranslate2": _ctranslate2,
    "apertium": _apertium,
    "openai": _openai,
    "openai-transcription": _openai_transcription,
    "openai-speech": _openai_speech,
    "hibari": _speech("hibari"),
    "kokoro": _speech("kokoro"),
    "espeak": _speech("espeak"),
}


def engine_specs(settings: Settings, tasks: Collection[Task] | None = None) -> list[EngineSpec]:
    """Specs of every engine that the settings name, once each.

    Args:
        settings: the configuration.
        tasks: only engines for these tasks; all by default.

    Raises:
        ConfigurationError: a setting names an engine that does not exist, or a model whose licence
            forbids its use in production.
    """
    wanted = [*settings.transcribers, *settings.translators, *settings.synthesizers]
    wanted += [name for name in settings.live_synthesizers if name not in wanted]
    if settings.transcribers:
        wanted.append(VOICE_ACTIVITY)
    specs = []
    for name in dict.fromkeys(wanted):
        builder = _BUILDERS.get(name)
        if builder is None:
            known = ", ".join(sorted(set(_BUILDERS) - {VOICE_ACTIVITY}))
            raise ConfigurationError(f"There is no engine {name!r}. Engines: {known}.")
        spec = builder(settings)
        if spec is not None and (tasks is None or spec.task in tasks):
            specs.append(spec)
    check_licences(specs, settings)
    return specs


def left_out(settings: Settings, started: Collection[str]) -> list[ModelCard]:
    """What of the translators is not in ``started`` because nothing of it is installed.

    Only what one command adds; models of a hub are for whoever wants them.
    """
    return [
        card
        for name in dict.fromkeys(settings.translators)
        if name not in started
        for card in catalog.cards_of(name)
        if card.hub is None
    ]
