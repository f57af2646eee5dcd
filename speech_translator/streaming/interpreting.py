"""One utterance through the async door: recognised, and translated into several languages.

Where no text engine leads from what was spoken to a target, Whisper's own reading in English
stands in between; it is made once for all such targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from speech_translator.engines.values import Samples, SpeechProbabilities
from speech_translator.errors import SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.scalability.recognition import Sound
from speech_translator.scalability.results import (
    RequestContext,
    Speech,
    Spoken,
    Transcription,
    Translation,
)

ENGLISH = Language("en")


class Translating(Protocol):
    """The part of ``AsyncTranslator`` that live sessions need."""

    async def transcribe(
        self,
        samples: Samples,
        *,
        language: Spoken,
        context: RequestContext,
        target: Language | None = None,
        sound: Sound = "recording",
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
        glossary: Mapping[str, str] | None = None,
    ) -> list[Translation]:
        """Text to text."""
        ...

    async def synthesize(
        self,
        text: str,
        *,
        language: Language,
        context: RequestContext,
        voice: str | None = None,
        speed: float = 1.0,
        live: bool = False,
    ) -> Speech:
        """Text to speech."""
        ...

    async def detect_speech(
        self, samples: Samples, state: bytes | None, *, context: RequestContext
    ) -> SpeechProbabilities:
        """Probabilities of speech."""
        ...

    async def read_in_english(
        self,
        samples: Samples,
        *,
        language: Language,
        context: RequestContext,
        one_clip: bool = False,
    ) -> str:
        """Speech to English text by recognition alone."""
        ...

    def needs_english(self, spoken: Language, target: Language) -> bool:
        """Whether that is the only way to ``target``."""
        ...

    def check_speech(
        self,
        source: Language | None,
        target: Language | None,
        *,
        speak: bool = False,
        voice: str | None = None,
        live: bool = False,
    ) -> None:
        """Refuse languages that can never be served."""
        ...


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What was said in one utterance.

    ``language`` is None, and ``text`` empty, where nothing was said. ``translations`` and
    ``failures`` are by the target's tag; together they hold every target. ``english`` is the
    recogniser's own reading, where it was asked for, or why there is none. ``certainty`` in [0, 1]
    is of the text, ``confidence`` of the language.
    """

    text: str
    language: Language | None
    confidence: float
    translations: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, SpeechTranslatorError] = field(default_factory=dict)
    english: str | SpeechTranslatorError | None = None
    certainty: float = 1.0


class Interpreter:
    """Recognises and translates utterances.

    Recognition is not told the terms of the glossary: in what is as short as an utterance, or is
    no speech at all, it would hear them.

    Args:
        translator: the async door.
        glossary: source terms and the words that must stand for them in translations.
    """

    def __init__(self, translator: Translating, glossary: Mapping[str, str] | None = None) -> None:
        self._translator = translator
        self._glossary = glossary or {}

    def check(
        self,
        source: Language | None,
        targets: Sequence[Language],
        *,
        speech: bool,
        voice: str | None = None,
    ) -> None:
        """Refuse at once what could never be answered.

        Raises:
            UnsupportedPair: the source cannot be recognised, or a target not be reached.
            UnsupportedVoice: speech is asked for and nothing speaks the first target, or not this
                voice.
            EngineUnavailable: what would tell is still loading.
        """
        for index, target in enumerate(targets or (None,)):
            spoken = speech and index == 0
            self._translator.check_speech(
                source, target, speak=spoken, voice=voice if spoken else None, live=True
            )

    async def interpret(
        self,
        samples: Samples,
        *,
        language: Spoken,
        targets: Sequence[Language],
        context: RequestContext,
        sound: Sound = "utterance",
    ) -> Interpretation:
        """The text of an utterance and its translations; a target that fails fails alone.

        Args:
            samples: 16 kHz mono.
            language: what is spoken, or None to detect it; see ``Likely``.
            targets: the languages wanted.
            context: priority and deadline.
            sound: "draft" where what comes of it is soon replaced.

        Raises:
            SpeechTranslatorError: recognition itself failed.
        """
        heard = await self._translator.transcribe(
            samples, language=language, context=context, sound=sound
        )
        if heard.language is None or not heard.text.strip():
            return Interpretation("", None, 0.0)
        text = heard.text.strip()
        said = Interpretation(
            _capital(text) if sound == "draft" else text,
            heard.language,
            heard.language_confidence,
            certainty=min((segment.confidence for segment in heard.segments), default=0.0),
        )
        said = await self._with_english(samples, said, targets, context)
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
        said = await self._with_english(samples, said, targets, context)
        return await self._translated(said, targets, context)

    async def render(
        self,
        text: str,
        *,
        language: Language,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> Interpretation:
        """``text`` with its translations, as far as text engines lead; for a partial.

        Args:
            text: what was recognised so far.
            language: what it is in.
            targets: the languages wanted.
            context: priority and deadline.
        """
        return await self._translated(Interpretation(text, language, 0.0), targets, context)

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

    async def _with_english(
        self,
        samples: Samples,
        said: Interpretation,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> Interpretation:
        """``said`` with a reading in English, where a target has to start from it."""
        spoken = said.language
        if spoken is None or isinstance(said.english, str):
            return said
        if not any(self._translator.needs_english(spoken, target) for target in targets):
            return said
        try:
            english = await self._translator.read_in_english(
                samples, language=spoken, context=context, one_clip=True
            )
        except SpeechTranslatorError as error:
            return replace(said, english=error)  # targets that need it fail one by one
        return replace(said, english=english.strip())

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
        if english is not None and self._translator.needs_english(source, target):
            if not isinstance(english, str) or target.key == ENGLISH.key:
                return english
            text, source = english, ENGLISH
        try:
            (answer,) = await self._translator.translate(
                [text], source=source, target=target, context=context, glossary=self._glossary
            )
        except SpeechTranslatorError as error:
            return error
        return answer.text.strip()


def _capital(text: str) -> str:
    """A draft as its final will begin; otherwise its first word would change under the reader."""
    first = text[:1].upper()
    return first + text[1:] if len(first) == 1 else text
