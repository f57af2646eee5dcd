"""LibreTranslate's bodies, by that project's own names; as ``schemas``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from speech_translator.api.schemas import LanguageCode, SourceCode


class LibreTranslateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's request: `q` is a string or a list, `api_key` may stand in a header."""

    q: str | list[str]
    target: LanguageCode
    source: SourceCode
    format: Literal["text", "html"] = "text"
    alternatives: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    api_key: str = ""


class LibreDetection(msgspec.Struct, frozen=True, kw_only=True):
    """A language, and how sure it is, from 0 to 100."""

    confidence: float
    language: str


class LibreTranslateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's answer: strings for a string, lists for a list."""

    translatedText: str | list[str]  # noqa: N815 - that project's name
    detectedLanguage: LibreDetection | list[LibreDetection] | UnsetType = UNSET  # noqa: N815
    alternatives: list[str | list[str]] | UnsetType = UNSET


class LibreDetectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's question for the language of a text."""

    q: str
    api_key: str = ""


class LibreError(msgspec.Struct, frozen=True, kw_only=True):
    """An error as LibreTranslate tells it."""

    error: str
