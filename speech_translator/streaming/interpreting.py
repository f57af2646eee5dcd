"""One utterance through the async door: recognised, and translated into several languages.

Where no text engine leads from what was spoken to a target, Whisper's own reading in English
stands in between; it is made once for all such targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from speech_translator.engines.values import Samples, SpeechProbabilities, Voice
from speech_translator.errors import (
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    PoisonousInput,
    SpeechTranslatorError,
    UnsupportedPair,
    UnsupportedVoice,
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
_NO_ENGLISH = (UnsupportedPair, EngineUnavailable, EngineFailed, EngineTimeout, PoisonousInput)


class Translating(Protocol):
    """The part of ``AsyncTranslator`` that live sessions need."""

    async def transcribe(
        self,
        samples: Samples,
        *,
        language: Language | None,
        context: RequestContext,
        target: Language | None = None,
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

    def voices(self) -> tuple[Voice, ...]:
        """Voices that can be asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What was said in one utterance.

    ``language`` is None, and ``text`` empty, where nothing was said. ``translations`` and
    ``failures`` are by the target's tag; together they hold every target.
    """

    text: str
    language: Language | None
    confidence: float
    translations: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, SpeechTranslatorError] = field(default_factory=dict)


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
            self._check_voice(targets[0])

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
        said = await self._recognise(samples, language, targets, context)
        spoken = said.language
        if spoken is None or not said.text.strip():
            return Interpretation("", None, 0.0)
        english = said.translation.text if said.translation is not None else None
        answers = await asyncio.gather(
            *(self._into(target, said.text, spoken, english, context) for target in targets)
        )
        pairs = list(zip(targets, answers, strict=True))
        return Interpretation(
            said.text.strip(),
            spoken,
            said.language_confidence,
            {target.tag: answer for target, answer in pairs if isinstance(answer, str)},
            {target.tag: answer for target, answer in pairs if not isinstance(answer, str)},
        )

    async def _recognise(
        self,
        samples: Samples,
        language: Language | None,
        targets: Sequence[Language],
        context: RequestContext,
    ) -> Transcription:
        """The transcript, with a reading in English where a target may have to start from it."""
        if language is None:
            wants_english = bool(targets)
        else:
            wants_english = any(not self._is_direct(language, target) for target in targets)
        if wants_english:
            try:
                return await self._translator.transcribe(
                    samples, language=language, target=ENGLISH, context=context
                )
            except _NO_ENGLISH:
                pass  # the transcript is not lost with it: targets that need it fail one by one
        return await self._translator.transcribe(
            samples, language=language, target=None, context=context
        )

    async def _into(
        self,
        target: Language,
        text: str,
        spoken: Language,
        english: str | None,
        context: RequestContext,
    ) -> str | SpeechTranslatorError:
        if target.key == spoken.key:
            return text.strip()
        if target.key == ENGLISH.key and english is not None:
            return english.strip()
        source = spoken
        if english is not None and not self._is_direct(spoken, target):
            text, source = english, ENGLISH
        try:
            (answer,) = await self._translator.translate(
                [text.strip()], source=source, target=target, context=context
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

    def _check_voice(self, target: Language) -> None:
        spoken = sorted({voice.language for voice in self._translator.voices()})
        if target.key not in spoken:
            raise UnsupportedVoice(
                f"No engine speaks {target.tag}. Languages: {', '.join(spoken) or 'none'}.",
                supported_languages=spoken,
            )
