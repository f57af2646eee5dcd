"""Which voice answers a call: shared by the synthesizers, so that all refuse in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from speech_translator.engines.values import SynthesizeCall, Voice
from speech_translator.errors import InvalidField, TextTooLong, UnsupportedVoice

MIN_SPEED = 0.5
MAX_SPEED = 2.0
"""Range of ``SynthesizeCall.speed``; outside of it no engine stays intelligible."""


class VoiceBook:
    """The voices of one engine; the first of a language is its default.

    Args:
        voices: in order of preference.
        aliases: further languages, each with the language whose voices speak it
            (``{"zh-Hant": "zh"}``).
        max_chars: longest text of one call, in characters.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        *,
        aliases: Mapping[str, str] = MappingProxyType({}),
        max_chars: int,
    ) -> None:
        self.voices = tuple(voices)
        self._by_id = {voice.id: voice for voice in voices}
        if len(self._by_id) != len(self.voices):
            raise ValueError("two voices share an id")
        self._by_language: dict[str, list[Voice]] = {}
        for voice in voices:
            self._by_language.setdefault(voice.language, []).append(voice)
        for alias, language in aliases.items():
            if language in self._by_language:
                self._by_language.setdefault(alias, self._by_language[language])
        self._max_chars = max_chars

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that is spoken, sorted."""
        return tuple(sorted(self._by_language))

    def pick(self, call: SynthesizeCall) -> Voice:
        """The voice that speaks ``call``.

        Raises:
            UnsupportedVoice: no voice for the language, or not the one asked for.
            InvalidField: the speed is out of range, or not a number.
            TextTooLong: the text is longer than one call may be.
        """
        if not MIN_SPEED <= call.speed <= MAX_SPEED:
            raise InvalidField(
                f"The speed must lie between {MIN_SPEED:g} and {MAX_SPEED:g}.", field="speed"
            )
        if len(call.text) > self._max_chars:
            raise TextTooLong(
                f"A sentence to be spoken may have at most {self._max_chars} characters.",
                limit=self._max_chars,
            )
        offered = self._by_language.get(call.language, ())
        if not offered:
            raise UnsupportedVoice(
                "No voice speaks this language.", supported_languages=list(self.languages)
            )
        if call.voice is None:
            return offered[0]
        voice = self._by_id.get(call.voice)
        if voice is None or voice not in offered:
            raise UnsupportedVoice(
                "There is no such voice for this language.",
                supported_voices=_ids(offered),
            )
        return voice


def _ids(voices: Iterable[Voice]) -> list[str]:
    return [voice.id for voice in voices]
