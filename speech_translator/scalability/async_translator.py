"""The one door to the models: routes, live sessions, jobs and the command line go through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from speech_translator.engines.values import Samples, SpeechProbabilities, Voice
from speech_translator.errors import EmptyAudio
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability.cache_manager import CacheStatistics, MemoryCache
from speech_translator.scalability.engine_access import CallBroker, EngineAccess
from speech_translator.scalability.engine_guards import EngineGuards
from speech_translator.scalability.recognition import Progress, Recognition, Sound
from speech_translator.scalability.results import (
    RequestContext,
    Speech,
    Spoken,
    SpokenTranslation,
    Transcription,
    Translation,
)
from speech_translator.scalability.sentence_translation import Sentence
from speech_translator.scalability.speech_translation import SpeechTranslation
from speech_translator.scalability.synthesis import Synthesis
from speech_translator.scalability.text_translation import TextFormat, TextTranslation
from speech_translator.settings import Settings


@dataclass(frozen=True, slots=True)
class TranslatorConfig:
    """Chains of engines in order of preference, and the bounds of the cache."""

    translators: tuple[str, ...]
    transcribers: tuple[str, ...]
    synthesizers: tuple[str, ...]
    live_synthesizers: tuple[str, ...]
    cache_max_bytes: int = 64 * 1024 * 1024
    cache_ttl_s: float = 24 * 3600.0

    @classmethod
    def from_settings(cls, settings: Settings) -> TranslatorConfig:
        """The part of the settings that matters here."""
        return cls(
            settings.translators,
            settings.transcribers,
            settings.synthesizers,
            settings.live_synthesizers,
            settings.cache_max_bytes,
            settings.cache_ttl_s,
        )


class AsyncTranslator:
    """Translation, recognition and synthesis over the engines of one broker.

    All methods raise ``InvalidRequest`` for what the caller must change and ``Unavailable`` for
    what may pass; none outlives its context's deadline. A coroutine that is cancelled drops its
    work that is still queued.

    Args:
        broker: runs calls on engines.
        config: chains and bounds.
        guards: breakers and retries of the engines; none by default.
        clock: monotonic seconds, for the age of cached results.
    """

    def __init__(
        self,
        broker: CallBroker,
        config: TranslatorConfig,
        *,
        guards: EngineGuards | None = None,
        clock: Clock | None = None,
    ) -> None:
        access = EngineAccess(broker, guards or EngineGuards())
        options = {"clock": clock} if clock else {}
        self._cache: MemoryCache[Sentence] = MemoryCache(
            max_bytes=config.cache_max_bytes, ttl_s=config.cache_ttl_s, **options
        )
        self._texts = TextTranslation(access, config.translators, self._cache)
        self._recognition = Recognition(access, config.transcribers)
        self._speech = SpeechTranslation(self._texts, self._recognition)
        self._synthesis = Synthesis(access, config.synthesizers, config.live_synthesizers)

    async def translate(
        self,
        texts: Sequence[str],
        *,
        source: Language | None,
        target: Language,
        context: RequestContext,
        text_format: TextFormat = "text",
        glossary: Mapping[str, str] | None = None,
    ) -> list[Translation]:
        """One translation for each text, in order.

        Args:
            texts: validated texts.
            source: their language, or None to detect it text by text.
            target: the language wanted.
            context: who asks, how urgently, until when.
            text_format: ``html`` translates between the tags and keeps the rest byte for byte.
            glossary: source terms and the words that must stand for them.

        Raises:
            UnsupportedPair: no engine and no pivot covers the pair.
            LanguageNotDetected: ``source`` is None and a text is too short to be sure.
        """
        return await self._texts.translate(
            texts,
            source=source,
            target=target,
            context=context,
            text_format=text_format,
            glossary=glossary,
        )

    async def transcribe(
        self,
        samples: Samples,
        *,
        language: Spoken,
        context: RequestContext,
        target: Language | None = None,
        word_timestamps: bool = False,
        sound: Sound = "recording",
        glossary: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Transcription:
        """The transcript of a recording, translated as well when ``target`` is given.

        Args:
            samples: mono float32 at 16 kHz.
            language: what is spoken, or None to detect it; see ``Likely``.
            context: who asks, how urgently, until when.
            target: translate into this language too, segment by segment.
            word_timestamps: times and probabilities for each word.
            sound: a recording, one stretch of speech, or one of which a quick first reading is
                wanted; see ``Sound``.
            glossary: terms for recognition to expect and for translation to keep.
            progress: told the seconds done and in all, after every clip.

        Raises:
            UnsupportedPair: the spoken language cannot be recognised, or not be translated.
        """
        if isinstance(language, Language) and target is not None:
            self._speech.check(language, target)
        recognised = await self._recognition.transcribe(
            samples,
            language=language,
            context=context,
            word_timestamps=word_timestamps,
            sound=sound,
            prompt=", ".join(glossary) if glossary else None,
            english=lambda spoken: (
                target is not None and self._speech.needs_english(spoken, target)
            ),
            progress=progress,
        )
        if target is None:
            return recognised.transcription
        return await self._speech.translated(recognised, target, glossary or {}, context)

    async def read_in_english(
        self,
        samples: Samples,
        *,
        language: Language,
        context: RequestContext,
        one_clip: bool = False,
    ) -> str:
        """What is said in ``language``, in English, as the recogniser itself reads it.

        Raises:
            UnsupportedPair: no engine can; see ``needs_english``.
        """
        return await self._recognition.read_in_english(
            samples, language=language, context=context, one_clip=one_clip
        )

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
        """``text`` spoken by ``voice``, or by the best voice of the language.

        Args:
            text: what to say; text with nothing to say gives no samples.
            language: of the text; its region picks a regional voice where there is one.
            context: who asks, how urgently, until when.
            voice: a ``Voice.id``.
            speed: 0.5 to 2, 1 being the voice's own pace.
            live: prefer engines that begin soon over those that sound best.

        Raises:
            UnsupportedVoice: no such voice, or none for the language.
        """
        return await self._synthesis.synthesize(
            text, language=language, context=context, voice=voice, speed=speed, live=live
        )

    async def translate_speech(
        self,
        samples: Samples,
        *,
        source: Language | None,
        target: Language,
        context: RequestContext,
        voice: str | None = None,
        glossary: Mapping[str, str] | None = None,
    ) -> SpokenTranslation:
        """Speech to speech: recognised, translated, spoken.

        Raises:
            EmptyAudio: nothing was said.
        """
        transcription = await self.transcribe(
            samples, language=source, target=target, glossary=glossary, context=context
        )
        if transcription.translation is None or not transcription.translation.text.strip():
            raise EmptyAudio("No speech was found in the recording.")
        speech = await self.synthesize(
            transcription.translation.text, language=target, voice=voice, context=context
        )
        return SpokenTranslation(transcription, speech)

    def check_speech(
        self,
        source: Language | None,
        target: Language | None,
        *,
        speak: bool = False,
        voice: str | None = None,
        live: bool = False,
    ) -> None:
        """Refuse a recording for its languages or voice alone, before the work.

        Args:
            source: what is spoken; None where that is found out later.
            target: translate into it; None for a transcript alone.
            speak: the translation is spoken.
            voice: by this voice; None for the best one.
            live: by the engines that speak in live sessions.

        Raises:
            UnsupportedPair: ``source`` cannot be recognised, or nothing spoken reaches ``target``.
            UnsupportedVoice: ``target`` cannot be spoken, or not by this voice.
            EngineUnavailable: an engine that may serve it is still loading.
        """
        self._recognition.check(source)
        if target is None:
            return
        if speak:
            self._synthesis.check(target, voice=voice, live=live)
        self._speech.check(source, target)

    async def detect_speech(
        self, samples: Samples, state: bytes | None, *, context: RequestContext
    ) -> SpeechProbabilities:
        """Probability of speech in each 512-sample window; ``state`` continues a stream."""
        return await self._recognition.detect_speech(samples, state, context)

    def pairs(self) -> dict[str, frozenset[str]]:
        """Text: which languages each source reaches, by ``Language.key``."""
        planner = self._texts.planner()
        return {source: planner.targets(source) for source in sorted(planner.sources())}

    def spoken_languages(self) -> frozenset[str]:
        """Languages that recognition knows."""
        return self._recognition.languages()

    def needs_english(self, spoken: Language, target: Language) -> bool:
        """Whether recognition's own reading in English is the only way to ``target``."""
        return self._speech.needs_english(spoken, target)

    def voices(self) -> tuple[Voice, ...]:
        """Voices of the loaded engines, the preferred engine's first."""
        return self._synthesis.voices()

    def cache_statistics(self) -> CacheStatistics:
        """Hits, misses and what is held."""
        return replace(self._cache.statistics, joined=self._texts.joined())

    def clear_cache(self) -> int:
        """Forget all cached results; how many there were."""
        return self._cache.clear()
