"""Whether a language model's answer is a translation, and what of it is. Pure.

Models talk around an answer, put it in quotes or fences, refuse, go on without end, or give the
text back. What can be taken off is; the rest is refused, so that another engine may answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from speech_translator.engines.values import TranslateCall
from speech_translator.languages import Language
from speech_translator.text import detect_language, has_letters

_THOUGHTS = re.compile(r"\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_THINKING = re.compile(r"</?(?:think|thinking|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\n?(?P<inside>.*?)\n?```", re.DOTALL)
_DELIMITER = re.compile(r"</?(?:text|context)\d*>", re.IGNORECASE)
_LABEL = re.compile(
    r"(?:translation|translated text|tradução|traducción|traduction|traduzione|übersetzung)"
    r"(?:\s*\([^)\n]{1,40}\))?\s*:\s*",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[^\n:]{0,80}"
    r"|(?:here(?:'s| is)|this is|aqui está|aquí está|voici|ecco|hier ist)\b[^\n:]{0,80})[:!.]\s*\n",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "「": "」", "'": "'", "‘": "’", "`": "`"}
_MARKER = re.compile(r"(?<![^\W_])XQ\d{1,6}(?![^\W_])|\(\d{1,6}\)", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:\bas an? (?:ai|artificial|large language|language model)"
    r"|\bi(?:'m| am) (?:sorry|afraid|unable|not able)\b.{0,40}\b(?:can(?:'t|not)|unable|not able)"
    r"|\bi (?:can(?:'t|not)|won't) (?:help|assist|translate|provide|fulfil|comply|do that)"
    r"|\b(?:desculpe|lamento|sinto muito)\b.{0,40}\bnão (?:posso|consigo)"
    r"|\b(?:lo siento|lamento)\b.{0,40}\bno (?:puedo|soy capaz)"
    r"|\b(?:désolée?|regrette)\b.{0,40}\bne (?:peux|suis)\b.{0,12}\bpas"
    r"|\b(?:es tut mir leid|tut mir leid)\b.{0,40}\bkann\b.{0,30}\bnicht"
    r"|\bmi dispiace\b.{0,40}\bnon (?:posso|sono)\b)",
    re.IGNORECASE | re.DOTALL,
)
_FINISHED = frozenset({None, "", "stop", "end_turn", "eos"})

MOST_GROWTH = 8
"""Times the source that a translation may be long: Chinese grows about fourfold into English."""

_GROWTH_SLACK = 80
_SHRINK_CHARS = 60
_SURE_LETTERS = 24


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered: its text, and why it stopped."""

    text: str
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an answer is not used, as a clause for the model: ``it was ...``."""

    reason: str


def translation_of(reply: Reply, call: TranslateCall) -> str | Rejected:
    """The translation in a reply to ``call``, or why there is none."""
    if reply.finish_reason not in _FINISHED:
        return Rejected("it was cut off")
    text = _bare(reply.text, call.text)
    if isinstance(text, Rejected):
        return text
    checks = (_empty, _refusal, _lines, _length, _markers, _language)
    return next((found for check in checks if (found := check(text, call))), text)


def _bare(text: str, source: str) -> str | Rejected:
    """The answer without what models put around it, where the source has no such thing itself."""
    if not _THINKING.search(source):
        text = _THOUGHTS.sub("", text)
        if _THINKING.search(text):
            return Rejected("it was a thought without an end")
    text = text.strip()
    if "```" not in source and (fenced := _FENCE.fullmatch(text)):
        text = fenced["inside"].strip()
    if not _DELIMITER.search(source):
        text = _DELIMITER.sub("", text).strip()
    if not _PREAMBLE.match(f"{source}\n"):
        text = _PREAMBLE.sub("", text, count=1).strip() if _PREAMBLE.match(text) else text
    if not _LABEL.match(source) and (label := _LABEL.match(text)):
        text = text[label.end() :].strip()
    closing = _QUOTES.get(text[:1])
    if closing and source.strip()[:1] not in _QUOTES and text.endswith(closing):
        inside = text[1:-1].strip()
        if closing not in inside and text[0] not in inside:
            text = inside
    return text


def _empty(text: str, call: TranslateCall) -> Rejected | None:
    return Rejected("it was empty") if has_letters(call.text) and not text else None


def _refusal(text: str, call: TranslateCall) -> Rejected | None:
    """A refusal, unless the source is one, too."""
    if _REFUSAL.search(text[:300]) and not _REFUSAL.search(call.text):
        return Rejected("it was a refusal")
    return None


def _lines(text: str, call: TranslateCall) -> Rejected | None:
    if len(text.splitlines()) > max(1, len(call.text.splitlines())):
        return Rejected("it had more lines than the text")
    return None


def _length(text: str, call: TranslateCall) -> Rejected | None:
    if len(text) > MOST_GROWTH * len(call.text) + _GROWTH_SLACK:
        return Rejected("it was much longer than the text")
    if len(call.text) > _SHRINK_CHARS and MOST_GROWTH * len(text) < len(call.text):
        return Rejected("it was much shorter than the text")
    return None


def _markers(text: str, call: TranslateCall) -> Rejected | None:
    """Each marker of the source once more, and no other."""
    if sorted(_MARKER.findall(text.upper())) != sorted(_MARKER.findall(call.text.upper())):
        return Rejected("a marker was lost, doubled or made up")
    return None


def _language(text: str, call: TranslateCall) -> Rejected | None:
    """The source given back, or another script; closely related languages are not told apart."""
    words = _MARKER.sub(" ", text)
    if sum(char.isalpha() for char in words) < _SURE_LETTERS:
        return None
    found = detect_language(words).language
    if found is None:
        return None
    source, target = Language.parse(call.source), Language.parse(call.target)
    if found.key == source.key != target.key:
        return Rejected("it was in the language of the text")
    if found.script != target.script:
        return Rejected("it was in another script")
    return None
