"""Recordings to transcripts: speech is found, cut at pauses into clips, and decoded in batches.

Each clip is one bounded unit of work in the broker's queue, so that a long recording never holds
an engine for more than a moment and a live session can always go in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from speech_translator.engines.registry import VOICE_ACTIVITY
from speech_translator.engines.values import (
    SAMPLE_RATE,
    DetectSpeechCall,
    EngineInfo,
    Priority,
    Samples,
    SpeechProbabilities,
    TranscribeCall,
    Transcript,
)
from speech_translator.errors import EngineUnavailable, UnsupportedPair
from speech_translator.languages import Language
from speech_translator.media.speech_regions import DEFAULT_REGIONS, Region, plan_clips
from speech_translator.scalability.concurrency import run_all
from speech_translator.scalability.engine_access import EngineAccess
from speech_translator.scalability.results import Likely, RequestContext, Spoken, Transcription
from speech_translator.scalability.transcripts import (
    english_of,
    language_of,
    spoken_key,
    transcription_of,
)

Sound = Literal["recording", "utterance", "draft"]
"""What samples are: a recording, which is searched for speech first; one stretch of speech found
by a voice activity detector, of at most 28 s; or such a stretch that goes on, of which a quick
first reading is wanted (``TranscribeCall.draft``)."""

Progress = Callable[[float, float], None]
"""Told the seconds that are done and the seconds in all."""

WINDOW = 512
"""Samples that one speech probability covers."""

_SEARCH_STEP = 60 * SAMPLE_RATE // WINDOW * WINDOW
_DETECTION_CLIPS = 4
_CLIPS_AT_ONCE = 16
_LONG_S = 30.0


@dataclass(frozen=True, slots=True)
class Recognised:
    """A transcription, and its English reading where that was asked for, segment by segment.

    ``reader`` is the engine that read it in English: not every one that recognises can.
    """

    transcription: Transcription
    english: tuple[str, ...] | None = None
    reader: str = ""


class Recognition:
    """Transcribes whole recordings over the chain of recognition engines.

    Args:
        access: the engines.
        chain: names of recognition engines in order of preference.
    """

    def __init__(self, access: EngineAccess, chain: Sequence[str]) -> None:
        self._access = access
        self._chain = tuple(chain)

    def infos(self) -> list[EngineInfo]:
        """Recognition engines that are loaded, the preferred one first."""
        return self._access.infos(self._chain)

    def languages(self) -> frozenset[str]:
        """Languages that the loaded engines recognise."""
        return frozenset(key for info in self.infos() for key in info.languages)

    async def detect_speech(
        self, samples: Samples, state: bytes | None, context: RequestContext
    ) -> SpeechProbabilities:
        """Probabilities of speech for the windows of ``samples``; see ``DetectSpeechCall``."""
        call = DetectSpeechCall(samples, state)
        result = await self._access.call(VOICE_ACTIVITY, call, context)
        assert isinstance(result, SpeechProbabilities)  # noqa: S101 - the contract of the call
        return result

    async def transcribe(
        self,
        samples: Samples,
        *,
        language: Spoken,
        context: RequestContext,
        word_timestamps: bool = False,
        sound: Sound = "recording",
        prompt: str | None = None,
        english: Callable[[Language], bool] = lambda _language: False,
        progress: Progress | None = None,
    ) -> Recognised:
        """The transcript of 16 kHz mono ``samples``.

        Args:
            samples: float32 in [-1, 1].
            language: what is spoken, or None to detect it from the first clips; see ``Likely``.
            context: deadline, owner, priority; a long recording steps back to bulk priority.
            word_timestamps: times for each word too.
            sound: what the samples are.
            prompt: terms that recognition should expect.
            english: asked with the spoken language whether an English reading is needed as well.
            progress: told after every clip.
        """
        duration = len(samples) / SAMPLE_RATE
        if duration > _LONG_S and context.priority is Priority.INTERACTIVE:
            context = replace(context, priority=Priority.BULK)
        given = language if isinstance(language, Language) else None
        engines = self._engines(given)
        clips = await self._clips(samples, context, one_clip=sound != "recording")
        template = TranscribeCall(
            samples[:0],
            language=given.key if given else None,
            word_timestamps=word_timestamps,
            prompt=prompt,
            draft=sound == "draft",
            likely=spoken_key(language.language) if isinstance(language, Likely) else None,
        )

        async def by(info: EngineInfo, attempt: RequestContext) -> list[Transcript]:
            work = _Recording(self._access, info.name, samples, clips, attempt, progress)
            return await work.transcripts(template)

        transcripts, index = await self._access.first_answer(
            engines, lambda info: [info.name], context, by
        )
        found = transcription_of(
            template.language, clips, transcripts, duration, engines[index].name
        )
        found = replace(found, degraded=index > 0)
        recognised = Recognised(found)
        if found.language is not None and transcripts and english(found.language):
            call = msgspec.structs.replace(template, language=found.language.key, task="translate")
            readings, reader, fell = await self._readings(
                found.language, call, samples, clips, context, first=found.engine
            )
            found = replace(found, degraded=found.degraded or fell)
            recognised = Recognised(found, tuple(english_of(transcripts, readings)), reader)
        if progress:
            progress(duration, duration)
        return recognised

    async def read_in_english(
        self,
        samples: Samples,
        *,
        language: Language,
        context: RequestContext,
        one_clip: bool = False,
    ) -> str:
        """The recogniser's own reading in English of ``samples``; arguments as ``transcribe``."""
        clips = await self._clips(samples, context, one_clip=one_clip)
        call = TranscribeCall(samples[:0], language=language.key, task="translate")
        readings, *_ = await self._readings(language, call, samples, clips, context)
        return " ".join(reading.text for reading in readings if reading.text)

    async def _readings(
        self,
        language: Language,
        call: TranscribeCall,
        samples: Samples,
        clips: Sequence[Region],
        context: RequestContext,
        *,
        first: str = "",
    ) -> tuple[list[Transcript], str, bool]:
        """The clips in English, who read them, and whether that is a fallback.

        ``first`` is asked before the others, where that engine can.
        """
        engines = [info for info in self._engines(language) if info.to_english]
        if not engines:
            raise UnsupportedPair(
                f"No engine reads speech in {language.tag} in English.",
                source_language=language.tag,
            )
        engines.sort(key=lambda info: info.name != first)

        async def by(info: EngineInfo, attempt: RequestContext) -> list[Transcript]:
            work = _Recording(self._access, info.name, samples, clips, attempt, None)
            return await work.transcripts(call)

        readings, index = await self._access.first_answer(
            engines, lambda info: [info.name], context, by
        )
        return readings, engines[index].name, index > 0

    def check(self, language: Language | None) -> None:
        """Refuse a spoken language before the work.

        Raises:
            UnsupportedPair: no engine recognises it.
            EngineUnavailable: an engine that may is still loading, or there is none.
        """
        self._engines(language)

    def _engines(self, language: Language | None) -> list[EngineInfo]:
        infos = self.infos()
        spoken = spoken_key(language) if language else None
        fitting = [info for info in infos if spoken is None or spoken in info.languages]
        if not fitting and self._access.starting(self._chain):
            raise EngineUnavailable("Speech recognition is still loading.", retry_after=2.0)
        if not infos:
            raise EngineUnavailable(
                "Speech recognition is not there; `speech-translator doctor` says what is missing."
            )
        if not fitting and language is not None:
            known = sorted({key for info in infos for key in info.languages})
            raise UnsupportedPair(
                f"No engine recognises speech in {language.tag}. Languages: {', '.join(known)}.",
                source_language=language.tag,
                supported_sources=known,
            )
        return fitting

    async def _clips(
        self, samples: Samples, context: RequestContext, *, one_clip: bool
    ) -> list[Region]:
        """Where to cut: stretches of speech, in seconds."""
        if one_clip and 0 < len(samples) <= DEFAULT_REGIONS.max_length * SAMPLE_RATE:
            return [Region(0.0, len(samples) / SAMPLE_RATE)]
        state: bytes | None = None
        found = []
        for start in range(0, len(samples), _SEARCH_STEP):
            piece = np.asarray(samples[start : start + _SEARCH_STEP], dtype=np.float32)
            short = -len(piece) % WINDOW
            if short:
                piece = np.pad(piece, (0, short))
            answer = await self.detect_speech(piece, state, context)
            state = answer.state
            found.append(np.asarray(answer.probabilities, dtype=np.float32))
        probabilities = np.concatenate(found) if found else np.zeros(0, np.float32)
        return plan_clips(probabilities, len(samples) / SAMPLE_RATE)


@dataclass(slots=True)
class _Recording:
    """One recording on its way through one engine."""

    access: EngineAccess
    engine: str
    samples: Samples
    clips: Sequence[Region]
    context: RequestContext
    progress: Progress | None
    done_s: float = 0.0

    async def transcripts(self, template: TranscribeCall) -> list[Transcript]:
        """Transcripts of all clips; an unknown language is voted on by the first few."""
        if template.language is not None or not self.clips:
            return await self._decode(range(len(self.clips)), template)
        head = range(min(_DETECTION_CLIPS, len(self.clips)))
        first = await self._decode(head, template)
        language, _ = language_of(first, None)
        if language is None:  # nothing was said so far
            rest = await self._decode(range(len(head), len(self.clips)), template)
            return first + rest
        settled = msgspec.structs.replace(template, language=language.key)
        # A clip that disagreed with the vote was decoded in the wrong language: once more.
        astray = [index for index in head if first[index].language != language.key]
        again = dict(zip(astray, await self._decode(astray, settled), strict=True))
        rest = await self._decode(range(len(head), len(self.clips)), settled)
        return [again.get(index, first[index]) for index in head] + rest

    async def _decode(self, indices: Sequence[int], template: TranscribeCall) -> list[Transcript]:
        async def one(index: int) -> Transcript:
            clip = self.clips[index]
            piece = self.samples[int(clip.start * SAMPLE_RATE) : int(clip.end * SAMPLE_RATE)]
            audio = np.ascontiguousarray(piece, dtype=np.float32)
            call = msgspec.structs.replace(template, audio=audio)
            result = await self.access.call(self.engine, call, self.context)
            assert isinstance(result, Transcript)  # noqa: S101 - the contract of TranscribeCall
            if self.progress:
                self.done_s = max(self.done_s, clip.end)
                self.progress(self.done_s, len(self.samples) / SAMPLE_RATE)
            return result

        return await run_all((one(index) for index in indices), at_once=_CLIPS_AT_ONCE)
