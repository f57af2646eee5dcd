"""What is asked of a recording: the fields beside it, parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from speech_translator.api.parsing import (
    choice,
    flag,
    form_glossary,
    source_language,
    target_language,
    whole_number,
)
from speech_translator.errors import InvalidField
from speech_translator.languages import Language
from speech_translator.media import MEDIA_TYPES
from speech_translator.media.encoding import OUTPUT_RATES, choose_rate
from speech_translator.settings import Settings

RESPONSE_FORMATS = ("json", "text", "srt", "vtt", "docx", "verbose_json")
AUDIO_FORMATS = tuple(MEDIA_TYPES)


@dataclass(frozen=True, slots=True)
class TranscribeForm:
    """What is asked of ``/transcribe/audio``."""

    source: Language | None
    target: Language | None
    shape: str
    words: bool
    glossary: Mapping[str, str]

    NAMES: ClassVar = (
        "source_language",
        "target_language",
        "response_format",
        "word_timestamps",
        "glossary",
    )

    @classmethod
    def parse(cls, fields: Mapping[str, str], settings: Settings) -> TranscribeForm:
        """Raises ``InvalidRequest`` for a field that cannot be served."""
        return cls(
            source_language(fields.get("source_language") or "auto"),
            target_language(code) if (code := fields.get("target_language")) else None,
            choice(fields, "response_format", RESPONSE_FORMATS, "json"),
            flag(fields, "word_timestamps"),
            form_glossary(fields, settings),
        )


@dataclass(frozen=True, slots=True)
class SpeechForm:
    """What is asked of ``/translate/speech``."""

    source: Language | None
    target: Language
    voice: str | None
    audio_format: str
    sample_rate: int | None
    glossary: Mapping[str, str]

    NAMES: ClassVar = (
        "source_language",
        "target_language",
        "voice",
        "audio_format",
        "sample_rate",
        "glossary",
    )

    @classmethod
    def parse(cls, fields: Mapping[str, str], settings: Settings) -> SpeechForm:
        """Raises ``InvalidRequest`` for a field that cannot be served."""
        if not fields.get("target_language"):
            raise InvalidField("Field `target_language` is missing.", field="target_language")
        form = cls(
            source_language(fields.get("source_language") or "auto"),
            target_language(fields["target_language"]),
            fields.get("voice") or None,
            choice(fields, "audio_format", AUDIO_FORMATS, "wav"),
            whole_number(fields, "sample_rate"),
            form_glossary(fields, settings),
        )
        choose_rate(form.audio_format, OUTPUT_RATES[0], form.sample_rate)
        return form
