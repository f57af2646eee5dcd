"""The body of ``GET /languages``: what every language can do with the engines that are loaded.

The shape is LibreTranslate's (``code``, ``name``, ``targets``) with more fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speech_translator.api.schemas import LanguageAnswer, SpeechSupport
from speech_translator.engines.routing import RoutePlanner, names
from speech_translator.engines.values import EngineInfo
from speech_translator.languages import Language
from speech_translator.scalability.transcripts import spoken_key
from speech_translator.settings import Settings

ENGLISH = "en"


def loaded(settings: Settings, infos: Mapping[str, EngineInfo]) -> tuple[EngineInfo, ...]:
    """What the loaded engines said of themselves, in the operator's order of preference."""
    order = (
        *settings.translators,
        *settings.transcribers,
        *settings.synthesizers,
        *settings.live_synthesizers,
    )
    return tuple(infos[name] for name in dict.fromkeys(order) if name in infos)


def language_answers(engines: Sequence[EngineInfo]) -> list[LanguageAnswer]:
    """One entry for each language that any engine knows.

    Languages that text can be translated from come first, so that a client of LibreTranslate
    finds what it looks for; those that can only be recognised or spoken follow.
    """
    planner = RoutePlanner(tuple(info for info in engines if info.task == "translation"))
    recognisers = [info for info in engines if info.task == "recognition"]
    heard = {key for info in recognisers for key in info.languages}
    to_english = {key for info in recognisers if info.to_english for key in info.languages}
    spoken = {key for info in engines if info.task == "synthesis" for key in info.languages}
    sources = planner.sources()
    reached = {target for source in sources for target in planner.targets(source)}
    answers = [
        _entry(key, planner, heard=heard, spoken=spoken, to_english=to_english)
        for key in sources | reached | heard | spoken
    ]
    return sorted(answers, key=lambda entry: (not entry.targets, entry.name, entry.code))


def _entry(
    key: str,
    planner: RoutePlanner,
    *,
    heard: set[str],
    spoken: set[str],
    to_english: set[str],
) -> LanguageAnswer:
    language = Language.parse(key)
    targets = sorted(planner.targets(key))
    routes = {target: planner.best(key, target) for target in targets}
    by_rules = {info.name for info in planner.engines if info.rule_based}
    heard_as = spoken_key(language)
    by_speech = set(targets) if heard_as in heard else set()
    if heard_as in to_english:
        by_speech |= {ENGLISH, *planner.targets(ENGLISH)}
    return LanguageAnswer(
        code=language.tag,
        name=language.name,
        targets=tuple(targets),
        flores=language.flores,
        iso639_3=language.iso3,
        routes={target: names(route) for target, route in routes.items()},
        rule_based=tuple(
            target
            for target, route in routes.items()
            if any(step.engine in by_rules for step in route)
        ),
        speech=SpeechSupport(
            recognised=heard_as in heard,
            spoken=key in spoken,
            targets=tuple(sorted(by_speech - {key})),
        ),
    )
