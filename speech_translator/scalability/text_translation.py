"""Texts to texts: detection, the routes of a pair, and the plan over sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Literal

from speech_translator import text as texts_
from speech_translator.engines import catalog, routing
from speech_translator.errors import (
    EngineUnavailable,
    LanguageNotDetected,
    PoisonousInput,
    SpeechTranslatorError,
    UnsupportedPair,
)
from speech_translator.languages import Language
from speech_translator.scalability.cache_manager import MemoryCache
from speech_translator.scalability.concurrency import run_all
from speech_translator.scalability.engine_access import EngineAccess
from speech_translator.scalability.results import RequestContext, Translation
from speech_translator.scalability.sentence_translation import Sentence, SentenceTranslation

TextFormat = Literal["text", "html"]

TEXTS_AT_ONCE = 8
"""Texts of one request that are worked on at once."""

SENTENCES_AT_ONCE = 8
"""Sentences of one text at the engines at once; with the texts it bounds what a request queues."""

UNTRANSLATED = "none"
"""The ``engine`` of an answer that needed none: same language, or nothing but signs."""


class TextTranslation:
    """Translates texts over the chain of translation engines.

    Args:
        access: the engines.
        chain: names of translation engines in order of preference.
        cache: where sentences are kept.
    """

    def __init__(
        self, access: EngineAccess, chain: Sequence[str], cache: MemoryCache[Sentence]
    ) -> None:
        self._access = access
        self._chain = tuple(chain)
        self._by_sentence = SentenceTranslation(access, cache)
        self._planner = routing.RoutePlanner(())
        self._rules: frozenset[str] = frozenset()

    def planner(self) -> routing.RoutePlanner:
        """The planner over the engines that are loaded by now."""
        infos = tuple(self._access.infos(self._chain))
        if infos != self._planner.engines:
            self._planner = routing.RoutePlanner(infos)
            self._by_sentence.serve(infos)
            self._rules = frozenset(info.name for info in infos if info.rule_based)
        return self._planner

    def joined(self) -> int:
        """Sentences that waited for an equal one under way."""
        return self._by_sentence.joined

    async def translate(
        self,
        texts: Sequence[str],
        *,
        source: Language | None,
        target: Language,
        context: RequestContext,
        text_format: TextFormat = "text",
        glossary: Mapping[str, str] | None = None,
        spare: bool = False,
    ) -> list[Translation]:
        """One translation a text, in order; see ``AsyncTranslator.translate``.

        With ``spare``, a text that crashes its engine comes back as it is, ``degraded``, and does
        not cost the others theirs: nobody can send a recording again without one of its sentences.
        """
        sources: list[Language | None] = []
        for index, text in enumerate(texts):  # all of them before any work
            with _place(index, len(texts)):
                sources.append(source or self._detect(text, text_format))

        async def one(index: int, text: str, given: Language | None) -> Translation:
            try:
                with _place(index, len(texts)):
                    return await self._one(
                        text,
                        given or target,
                        target,
                        detected=source is None and given is not None,
                        text_format=text_format,
                        glossary=glossary or {},
                        context=context,
                    )
            except PoisonousInput:
                if not spare:
                    raise
                return Translation(text, given or target, target, UNTRANSLATED, (), degraded=True)

        numbered = enumerate(zip(texts, sources, strict=True))
        return await run_all(
            (one(index, text, given) for index, (text, given) in numbered),
            at_once=TEXTS_AT_ONCE,
        )

    def check_pair(self, source: Language, target: Language) -> tuple[routing.Route, ...]:
        """The routes of a pair.

        Raises:
            UnsupportedPair: nothing covers it; the details say what is supported.
            EngineUnavailable: an engine that may cover it is still loading.
        """
        planner = self.planner()
        routes = planner.routes(source.key, target.key)
        if routes:
            return routes
        if self._access.starting(self._chain):
            raise EngineUnavailable("Translation is still loading.", retry_after=2.0)
        targets = sorted(planner.targets(source.key))
        offer = (
            f"From {source.key} there is {', '.join(targets)}."
            if targets
            else f"Sources: {', '.join(sorted(planner.sources())) or 'none installed'}."
        )
        command = catalog.how_to_add(source.key, target.key)
        advice = f" To add it, run: {command}" if command else ""
        raise UnsupportedPair(
            f"No engine translates {source.tag} into {target.tag}. {offer}{advice}",
            source_language=source.tag,
            target_language=target.tag,
            supported_targets=targets,
            supported_sources=sorted(planner.sources()),
        )

    @staticmethod
    def _detect(text: str, text_format: TextFormat) -> Language | None:
        """The language of what is read in ``text``; None when it holds nothing that has one."""
        text = _read(text, text_format)
        if not texts_.has_letters(text):
            return None
        detection = texts_.detect_language(text)
        if detection.language is None:
            raise LanguageNotDetected(
                "The text is too short or too mixed to tell its language; give source_language."
            )
        return detection.language

    async def _one(
        self,
        text: str,
        source: Language,
        target: Language,
        *,
        detected: bool,
        text_format: TextFormat,
        glossary: Mapping[str, str],
        context: RequestContext,
    ) -> Translation:
        detected_language = source if detected else None
        if source.key == target.key or not texts_.has_letters(_read(text, text_format)):
            return Translation(
                text, source, target, UNTRANSLATED, (), detected_language=detected_language
            )
        routes = self.check_pair(source, target)
        hints = self._by_sentence.hints_for(routes)
        plan = texts_.plan(
            text,
            source=source,
            text_format=text_format,
            glossary=glossary,
            hints=hints,
        )
        answers: list[tuple[Sentence, bool]] = []
        try:
            batch = next(plan)
            while True:
                found = await self._sentences(batch, source, target, routes, context, hints)
                answers += found
                batch = plan.send([sentence.text for sentence, _ in found])
        except StopIteration as finished:
            translated: str = finished.value
        taken = answers[0][0].route if answers else ()
        return Translation(
            translated,
            source,
            target,
            engine=taken[-1].partition(":")[0] if taken else UNTRANSLATED,
            route=tuple(dict.fromkeys(step for answer, _ in answers for step in answer.route)),
            cached=bool(answers) and all(cached for _, cached in answers),
            degraded=any(answer.degraded for answer, _ in answers),
            rule_based=any(self._rules & answer.engines for answer, _ in answers),
            detected_language=detected_language,
        )

    async def _sentences(
        self,
        batch: Sequence[str],
        source: Language,
        target: Language,
        routes: Sequence[routing.Route],
        context: RequestContext,
        hints: texts_.Hints | None,
    ) -> list[tuple[Sentence, bool]]:
        told = [None] * len(batch) if hints is None else hints.latest
        return await run_all(
            (
                self._by_sentence.translate(sentence, source, target, routes, context, hint)
                for sentence, hint in zip(batch, told, strict=True)
            ),
            at_once=SENTENCES_AT_ONCE,
        )


@contextmanager
def _place(index: int, count: int) -> Iterator[None]:
    """Have an error say which text of a list it is about: the caller may send the others alone."""
    try:
        yield
    except SpeechTranslatorError as error:
        if count == 1:
            raise
        # A copy: others may wait for the same sentence, at another place of their list.
        told = copy(error)
        told.details = {**error.details, "index": index}
        raise told from error


def _read(text: str, text_format: TextFormat) -> str:
    """What people read of ``text``: all of it, but for HTML's tags, scripts and code."""
    return texts_.visible(text) if text_format == "html" else text
