"""One sentence to a translation: from the cache, or by the first route that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from msgspec.structs import replace

from speech_translator.engines import routing
from speech_translator.engines.values import EngineInfo, TranslateCall
from speech_translator.languages import Language
from speech_translator.scalability.cache_manager import MemoryCache, SingleFlight, cache_key
from speech_translator.scalability.engine_access import EngineAccess
from speech_translator.scalability.results import RequestContext
from speech_translator.text import Hint, Hints, composed


@dataclass(frozen=True, slots=True)
class Sentence:
    """One translated sentence, as cached."""

    text: str
    route: tuple[str, ...]
    degraded: bool = False

    @property
    def engines(self) -> set[str]:
        """Who took its steps."""
        return {step.partition(":")[0] for step in self.route}


class SentenceTranslation:
    """Translates sentences; equal ones of one owner that are under way are done once.

    Args:
        access: the engines.
        cache: where sentences are kept.
    """

    def __init__(self, access: EngineAccess, cache: MemoryCache[Sentence]) -> None:
        self._access = access
        self._cache = cache
        self._flights: SingleFlight[Sentence] = SingleFlight()
        self._revision = ""
        self._contextual: frozenset[str] = frozenset()

    @property
    def joined(self) -> int:
        """Sentences that waited for an equal one under way."""
        return self._flights.joined

    def serve(self, infos: Sequence[EngineInfo]) -> None:
        """These are the engines from now on: what others translated is not what they would."""
        self._revision = _revision(infos)
        self._contextual = frozenset(info.name for info in infos if info.uses_context)

    def hints_for(self, routes: Sequence[routing.Route]) -> Hints | None:
        """Where hints are noted; None where no engine would read them."""
        if not self._contextual:
            return None
        engines = {step.engine for route in routes for step in route}
        return None if self._contextual.isdisjoint(engines) else Hints()

    async def translate(
        self,
        sentence: str,
        source: Language,
        target: Language,
        routes: Sequence[routing.Route],
        context: RequestContext,
        hint: Hint | None,
    ) -> tuple[Sentence, bool]:
        """One sentence and whether it came from the cache.

        Looked up and asked for in composed form; what comes back unchanged is as it was sent.
        """
        asked = composed(sentence)
        found, cached = await self._translate(asked, source, target, routes, context, hint)
        if asked != sentence and found.text == asked:
            found = changed(found, text=sentence)
        return found, cached

    async def _translate(
        self,
        sentence: str,
        source: Language,
        target: Language,
        routes: Sequence[routing.Route],
        context: RequestContext,
        hint: Hint | None,
    ) -> tuple[Sentence, bool]:
        if not context.use_cache:
            return await self._by_routes(sentence, routes, context, hint), False
        around = () if hint is None else (repr(hint.glossary), hint.context)
        key = cache_key(
            "text", self._revision, source.key, target.key, context.owner, sentence, *around
        )
        kept = self._cache.get(key)
        if kept is not None:
            return kept, True
        urgency = bytes([context.priority])  # nobody waits at a less urgent caller's place
        answer = await self._flights.run(
            key + urgency,
            lambda: self._by_routes(sentence, routes, context, hint),
            context.deadline,
        )
        if not answer.degraded:
            self._cache.put(key, answer, 2 * len(sentence) + 2 * len(answer.text))
        return answer, False

    async def _by_routes(
        self,
        sentence: str,
        routes: Sequence[routing.Route],
        context: RequestContext,
        hint: Hint | None,
    ) -> Sentence:
        async def walk(route: routing.Route, attempt: RequestContext) -> str:
            found = sentence
            for step in route:
                call = TranslateCall(found, step.source, step.target)
                if hint is not None and step.engine in self._contextual:
                    # What precedes it is in the language of the first step.
                    before = hint.context if step is route[0] else ""
                    call = replace(call, glossary=hint.glossary, context=before)
                result = await self._access.call(step.engine, call, attempt)
                assert isinstance(result, str)  # noqa: S101 - the contract of TranslateCall
                found = result
            return found

        translated, index = await self._access.first_answer(
            routes, lambda route: [step.engine for step in route], context, walk
        )
        return Sentence(translated, routing.names(routes[index]), degraded=index > 0)


def _revision(infos: Sequence[EngineInfo]) -> str:
    """What distinguishes the results of one set of engines and weights from another's."""
    return "|".join(f"{info.name}={','.join(info.models)}" for info in infos)
