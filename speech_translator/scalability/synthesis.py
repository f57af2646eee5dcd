"""Text to speech over the chain of synthesis engines, in parts that are short work for any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from speech_translator.engines.speech_text import pause_after, pieces
from speech_translator.engines.values import Audio, EngineInfo, Samples, SynthesizeCall, Voice
from speech_translator.errors import EngineUnavailable, UnsupportedVoice
from speech_translator.languages import Language
from speech_translator.scalability.concurrency import run_all
from speech_translator.scalability.engine_access import EngineAccess
from speech_translator.scalability.results import RequestContext, Speech
from speech_translator.text.sentences import split

_PARTS_AT_ONCE = 4


class Synthesis:
    """Speaks texts.

    Args:
        access: the engines.
        chain: engines in order of preference for recordings.
        live_chain: engines in order of preference where the first audio must come soon.
    """

    def __init__(
        self, access: EngineAccess, chain: Sequence[str], live_chain: Sequence[str]
    ) -> None:
        self._access = access
        self._chain = tuple(chain)
        self._live_chain = tuple(live_chain)

    def infos(self, *, live: bool = False) -> list[EngineInfo]:
        """Loaded engines, the preferred one first."""
        return self._access.infos(self._live_chain if live else self._chain)

    def voices(self) -> tuple[Voice, ...]:
        """All voices of the loaded engines, those of the preferred engine first."""
        return tuple(voice for info in self.infos() for voice in info.voices)

    def check(self, language: Language, *, voice: str | None = None, live: bool = False) -> None:
        """Refuse at once what could not be spoken. Raises what ``synthesize`` would."""
        self._engines(language, voice, live=live)

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
        """``text`` spoken; see ``AsyncTranslator.synthesize``."""
        engines = self._engines(language, voice, live=live)
        parts = [
            part for start, end in split(text, language.key) for part in pieces(text[start:end])
        ]

        async def by(info: EngineInfo, attempt: RequestContext) -> Speech:
            spoken = voice or _default_voice(info, language)
            audio = await run_all(
                (self._part(info.name, part, language, spoken, speed, attempt) for part in parts),
                at_once=_PARTS_AT_ONCE,
            )
            rate = next((one.sample_rate for one in audio if len(one.samples)), 24_000)
            samples = _joined(audio, [pause_after(part) / speed for part in parts], rate)
            return Speech(samples, rate, spoken or info.name, info.name, language)

        speech, index = await self._access.first_answer(
            engines, lambda info: [info.name], context, by
        )
        return replace(speech, degraded=index > 0)

    async def _part(
        self,
        engine: str,
        part: str,
        language: Language,
        voice: str | None,
        speed: float,
        context: RequestContext,
    ) -> Audio:
        call = SynthesizeCall(part, language.key, voice, speed)
        result = await self._access.call(engine, call, context)
        assert isinstance(result, Audio)  # noqa: S101 - the contract of SynthesizeCall
        return result

    def _engines(self, language: Language, voice: str | None, *, live: bool) -> list[EngineInfo]:
        infos = self.infos(live=live)
        chain = self._live_chain if live else self._chain
        if voice is not None:
            owner = [info for info in infos if any(known.id == voice for known in info.voices)]
            if owner and _may_speak(owner[0], voice, language):
                return owner
            if not owner and self._access.starting(chain):
                raise EngineUnavailable("Speech synthesis is still loading.", retry_after=2.0)
            offered = sorted(
                v.id for info in infos for v in info.voices if v.language == language.key
            )
            raise UnsupportedVoice(
                f"There is no such voice for {language.tag}; GET /voices lists them.",
                supported_voices=offered,
            )
        fitting = [info for info in infos if language.key in info.languages]
        if fitting:
            return fitting
        if self._access.starting(chain):
            raise EngineUnavailable("Speech synthesis is still loading.", retry_after=2.0)
        known = sorted({key for info in infos for key in info.languages})
        raise UnsupportedVoice(
            f"No engine speaks {language.tag}. Languages: {', '.join(known) or 'none installed'}.",
            supported_languages=known,
        )


def _may_speak(info: EngineInfo, voice: str, language: Language) -> bool:
    """Whether a voice is one for the language, as far as the engine's list says.

    Some voices read a second language that they are not listed under (``zh-Hant``, ``nn``): where
    a language has no voice of its own, the engine decides.
    """
    own = [known.id for known in info.voices if known.language == language.key]
    return voice in own if own else language.key in info.languages


def _default_voice(info: EngineInfo, language: Language) -> str | None:
    """The engine's first voice of the language, one of the same region if there is one."""
    voices = [voice for voice in info.voices if voice.language == language.key]
    regional = [voice for voice in voices if language.region and voice.region == language.region]
    return next((voice.id for voice in regional or voices), None)


def _joined(audio: Sequence[Audio], pauses_s: Sequence[float], rate: int) -> Samples:
    """All parts, each followed by its pause but for the last one."""
    joined: list[Samples] = []
    for one, pause_s in zip(audio, pauses_s, strict=True):
        samples = np.asarray(one.samples, np.float32)
        if len(samples):
            joined += [samples, np.zeros(int(pause_s * rate), np.float32)]
    return np.concatenate(joined[:-1]) if joined else np.zeros(0, np.float32)
