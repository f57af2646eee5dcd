"""One utterance through the async door: recognised, and translated into several languages.

Where no text engine leads from what was spoken to a target, Whisper's own reading in English
stands in between; it is made once for all such targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from speech_translator.engines.values import Samples, SpeechProbabilities
from speech_translator.errors import (
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    PoisonousInput,
    SpeechTranslatorError,
    UnsupportedPair,
)
from speech_translator.languages import Language
from speech_translator.scalability.results import (
    RequestContext,
    Speech,
    Transcription,
    Translation,
)

ENGLISH = Language("en")


# What may go wrong with the reading in English alone.
_NO_ENGLISH = (EngineUnavailable, EngineFailed, EngineTimeout, PoisonousInput)


class Translating(Protocol):
    """The part of ``AsyncTranslator`` that live sessions need."""

    async def transcribe(
        self,
        samples: Samples,
        *,
        language: Language | None,
        context: RequestContext,
        target: Language | None = None,
        one_clip: bool = False,
    ) -> Transcription:
        """Speech to text."""
        ...

    async def translate(
        self,
        texts: Sequence[str],
        *,
        source: Language | None,
        target: Language,
        context: RequestContext,
    ) -> list[Translation]:
        """Text to text."""
        ...

    async def synthesize(
        self, text: str, *, language: Language, context: RequestContext, live: bool = False
    ) -> Speech:
        """Text to speech."""
        ...

    async def detect_speech(
        self, samples: Samples, state: bytes | None, *, context: RequestContext
    ) -> SpeechProbabilities:
        """Probabilities of speech."""
        ...

    def pairs(self) -> Mapping[str, frozenset[str]]:
        """Pairs of languages that text engines cover."""
        ...

    def spoken_languages(self) -> frozenset[str]:
        """Languages that recognition knows."""
        ...

    def check_voice(self, language: Language, *, live: bool = False) -> None:
        """Refuse a language that nothing speaks."""
        ...


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What was said in one utterance.

    ``language`` is None, and ``text`` empty, where nothing was said. ``translations`` and
    ``failures`` are by the target's tag; together they hold every target. ``english`` is the
    recogniser's own reading, where it was asked for, or why there is none.
    """

    text: str
    language: Language | None
    confidence: float
    translations: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, SpeechTranslatorError] = field(default_factory=dict)
    english: str | SpeechTranslatorError | None = None


class Interpreter:
    """Recognises and translates utterances.

    Args:
        translator: the async door.
    """

    def __init__(self, translator: Translating) -> None:
        self._translator = translator

    async def check(
        self,
        source: Language | None,
        targets: Sequence[Language],
        *,
        speech: bool,
        context: RequestContext,
    ) -> None:
        """Refuse at once what could never be answered.

        Raises:
            UnsupportedPair: the source cannot be recognised, or a target not be reached.
            UnsupportedVoice: speech is asked for and nothing speaks the first target.
            EngineUnavailable: what would tell is still loading.
        """
        if not self._translator.spoken_languages():
            raise EngineUnavailable("Speech recognition is still loading.", retry_after=2.0)
        if source is None:
            self._check_reachable(targets)
        else:
            # No samples: the door checks the pair, and no engine is called.
            nothing = np.zeros(0, np.float32)
            for target in targets or (None,):
                await self._translator.transcribe(
                    nothing, language=source, target=target, context=context
                )
        if speech:
            self._translator.check_voice(targets[0], live=True)

    async def interpret(
        self,
        samples: Samples,
        *,
        language: Language | None,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> Interpretation:
        """The text of an utterance and its translations; a target that fails fails alone.

        Args:
            samples: 16 kHz mono.
            language: what is spoken, or None to detect it.
            targets: the languages wanted.
            context: priority and deadline.

        Raises:
            SpeechTranslatorError: recognition itself failed.
        """
        heard, english = await self._recognise(samples, language, targets, context)
        if heard.language is None or not heard.text.strip():
            return Interpretation("", None, 0.0)
        said = Interpretation(
            heard.text.strip(), heard.language, heard.language_confidence, english=english
        )
        return await self._translated(said, targets, context)

    async def translate_again(
        self,
        samples: Samples,
        *,
        said: Interpretation,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> Interpretation:
        """``said`` with another try at some of its targets; what was recognised stays.

        Args:
            samples: of the utterance; read again in English only where that had failed.
            said: what came of the first try.
            targets: the languages to try again.
            context: priority and deadline.
        """
        if isinstance(said.english, SpeechTranslatorError):
            try:
                heard = await self._translator.transcribe(
                    samples, language=said.language, target=ENGLISH, context=context, one_clip=True
                )
            except SpeechTranslatorError as error:
                said = replace(said, english=error)
            else:
                said = replace(said, english=_english_of(heard))
        return await self._translated(said, targets, context)

    async def _translated(
        self, said: Interpretation, targets: Sequence[Language], context: RequestContext
    ) -> Interpretation:
        """``said`` with translations into ``targets``, or the reasons why there are none."""
        answers = await asyncio.gather(*(self._into(target, said, context) for target in targets))
        translations, failures = dict(said.translations), dict(said.failures)
        for target, answer in zip(targets, answers, strict=True):
            failures.pop(target.tag, None)
            if isinstance(answer, str):
                translations[target.tag] = answer
            else:
                failures[target.tag] = answer
        return replace(said, translations=translations, failures=failures)

    async def _recognise(
        self,
        samples: Samples,
        language: Language | None,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> tuple[Transcription, str | SpeechTranslatorError | None]:
        """The transcript, and a reading in English where a target may have to start from it."""
        english: str | SpeechTranslatorError | None = None
        if language is None:
            wants_english = bool(targets)
        else:
            wants_english = any(not self._is_direct(language, target) for target in targets)
        if wants_english:
            try:
                heard = await self._translator.transcribe(
                    samples, language=language, target=ENGLISH, context=context, one_clip=True
                )
            except UnsupportedPair:
                pass
            except _NO_ENGLISH as error:
                # The transcript is not lost with it: targets that need it fail one by one.
                english = error
            else:
                return heard, _english_of(heard)
        heard = await self._translator.transcribe(
            samples, language=language, target=None, context=context, one_clip=True
        )
        return heard, english

    async def _into(
        self,
        target: Language,
        said: Interpretation,
        context: RequestContext,
    ) -> str | SpeechTranslatorError:
        assert said.language is not None  # noqa: S101 - something was said
        text, source, english = said.text, said.language, said.english
        if target.key == source.key:
            return text
        if target.key == ENGLISH.key and isinstance(english, str):
            return english
        if english is not None and not self._is_direct(source, target):
            if not isinstance(english, str):
                return english
            text, source = english, ENGLISH
        try:
            (answer,) = await self._translator.translate(
                [text], source=source, target=target, context=context
            )
        except SpeechTranslatorError as error:
            return error
        return answer.text.strip()

    def _is_direct(self, spoken: Language, target: Language) -> bool:
        """Whether text engines alone lead from one to the other."""
        return spoken.key == target.key or target.key in self._translator.pairs().get(
            spoken.key, frozenset()
        )

    def _check_reachable(self, targets: Sequence[Language]) -> None:
        reached = frozenset().union({ENGLISH.key}, *self._translator.pairs().values())
        for target in targets:
            if target.key not in reached:
                raise UnsupportedPair(
                    f"No engine translates into {target.tag}. Targets: "
                    f"{', '.join(sorted(reached))}.",
                    target_language=target.tag,
                    supported_targets=sorted(reached),
                )


def _english_of(heard: Transcription) -> str | None:
    return heard.translation.text.strip() if heard.translation is not None else None
