"""espeak-ng: formant speech in more than a hundred languages; robotic, quick, the last resort.

GPL-3.0-or-later, in a dependency group of its own, loaded only inside this engine's process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speech_translator.engines import speech_samples, speech_text
from speech_translator.engines.espeak_library import EspeakLibrary, EspeakVoice, library
from speech_translator.engines.values import Audio, EngineInfo, SynthesizeCall, Voice
from speech_translator.engines.voices import VoiceBook
from speech_translator.errors import TextTooLong, UnknownLanguage
from speech_translator.languages import Language

NAME = "espeak"
MAX_CHARS = 5_000
MAX_SECONDS = 900.0
"""Longest speech of one call. Digits say more than their length tells."""

# Voices that are left out: what they make of real text in their language is not that language.
_UNREADABLE = {
    "ja": "every kanji is read as the words 'Chinese letter'",
    "hak": "knows romanised text only",
    "th": "does not reorder vowels or find tones",
    "my": "knows no more than some consonants",
    "shn": "does not reorder vowels or find tones",
    "fo": "its dictionary is not in the data",
    "kaa": "its dictionary is not in the data",
}
# Default voices where the library's order would give another.
_DEFAULTS = {"en": "gmw/en-US", "zh": "sit/cmn", "yue": "sit/yue", "pt": "roa/pt-BR"}
# Scripts that a voice reads beside the default one of its language.
_ALIASES = {"zh-Hant": "zh", "sr-Latn": "sr", "nn": "no", "yue-Hans": "yue"}


def load(options: Mapping[str, object]) -> Espeak:
    """The engine.

    Args:
        options: none is needed.

    Raises:
        ModelMissing: espeak-ng is not installed.
    """
    del options
    return Espeak(library())


class Espeak:
    """Synthesizer for every language that the library's data can read."""

    def __init__(self, espeak: EspeakLibrary) -> None:
        self._library = espeak
        self._identifiers: dict[str, str] = {}
        voices = []
        for found in espeak.voices():
            voice = _voice(found)
            if voice is not None and voice.id not in self._identifiers:
                self._identifiers[voice.id] = found.identifier
                voices.append(voice)
        voices.sort(key=lambda voice: _order(voice, self._identifiers[voice.id]))
        self._book = VoiceBook(voices, aliases=_ALIASES, max_chars=MAX_CHARS)

    def describe(self) -> EngineInfo:
        """One call at a time: the library's state is global to its process."""
        return EngineInfo(
            name=NAME,
            task="synthesis",
            models=("espeak-ng",),
            languages=self._book.languages,
            voices=self._book.voices,
        )

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        """Speech at 22.05 kHz; see ``Synthesizer``."""
        return [self._speak(call) for call in calls]

    def _speak(self, call: SynthesizeCall) -> Audio:
        voice = self._book.pick(call)
        rate = self._library.sample_rate
        text = speech_text.cleaned(call.text)
        if not text:
            return speech_samples.audio([], rate)
        spoken = self._library.speak(
            text, self._identifiers[voice.id], speed=call.speed, max_seconds=MAX_SECONDS
        )
        if len(spoken) >= MAX_SECONDS * rate:
            raise TextTooLong(
                f"Spoken, this text is longer than {MAX_SECONDS:.0f} s. Send it in parts."
            )
        return speech_samples.audio([speech_samples.trimmed(spoken, rate)], rate)


def _voice(found: EspeakVoice) -> Voice | None:
    """The voice as it is offered; None for those that are not."""
    code = found.code.lower()
    try:
        language = Language.parse(code)
    except UnknownLanguage:
        return None  # invented languages, and regions that only espeak's own codes name
    if (
        language.script == "Shaw"
        or language.key in _UNREADABLE
        or "-x-" in code
        or "latn" in found.identifier.lower()
    ):
        return None
    return Voice(
        id=f"{NAME}:{code}", name=found.name, language=language.key, region=language.region
    )


def _order(voice: Voice, identifier: str) -> tuple[str, bool, bool, str]:
    """Languages by key; within one its default, then the voice without a region, then by id."""
    default = _DEFAULTS.get(voice.language)
    return voice.language, default != identifier, voice.region is not None, voice.id
