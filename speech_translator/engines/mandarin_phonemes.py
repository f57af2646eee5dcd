# ruff: noqa: RUF001 - phonetic letters and Chinese marks, and not the letters they look like
"""Mandarin text to the phonemes that Kokoro-82M was trained on.

Characters become pinyin by ``pypinyin`` (MIT), word by word so that characters with several
readings get the right one, and pinyin becomes IPA with a tone arrow after the vowel, as misaki
spells it (https://github.com/hexgrad/misaki, ``zh.py``). The finals are those of W.-S. Lee and
E. Zee, "Standard Chinese (Beijing)", JIPA 33 (2003).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from speech_translator.engines.speech_text import cleaned


def _table(*lines: str) -> dict[str, str]:
    """Pairs written as ``key=value``."""
    return dict(pair.split("=") for line in lines for pair in line.split())


_INITIALS = _table(
    "b=p p=pʰ m=m f=f d=t t=tʰ n=n l=l g=k k=kʰ h=x j=ʨ q=ʨʰ x=ɕ r=ɻ",
    "zh=ꭧ ch=ꭧʰ sh=ʂ z=ʦ c=ʦʰ s=s",
)
# The tone's arrow takes the place of the star.
_FINALS = _table(
    "a=a* ai=ai* an=a*n ang=a*ŋ ao=au* o=wo* ou=ou* ong=ʊ*ŋ",
    "e=ɤ* ei=ei* en=ə*n eng=ə*ŋ er=ɚ* ê=ɛ*",
    "i=i* ia=ja* ian=jɛ*n iang=ja*ŋ iao=jau* ie=je* in=i*n ing=i*ŋ io=jɔ* iong=jʊ*ŋ iou=jou*",
    "u=u* ua=wa* uai=wai* uan=wa*n uang=wa*ŋ uei=wei* uen=wə*n ueng=wə*ŋ uo=wo*",
    "v=y* van=ɥɛ*n ve=ɥe* vn=y*n",
)
_BUZZING = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})  # their i is no [i]
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_MARKS = str.maketrans(
    {
        **dict.fromkeys("，、", ", "),
        **dict.fromkeys("。．", ". "),
        **dict.fromkeys("《「『【", " “"),
        **dict.fromkeys("》」』】", "” "),
        "！": "! ",
        "？": "? ",
        "：": ": ",
        "；": "; ",
        "（": " (",
        "）": ") ",
        "％": "%",
        **{chr(ord("０") + digit): str(digit) for digit in range(10)},
    }
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇"
_RUN = re.compile(rf"[{_HAN}]+|[A-Za-z][A-Za-z' -]*|[^{_HAN}A-Za-z]+")
_YEAR = re.compile(r"(?<!\d)\d{4}(?=\s*年)")
_TIME = re.compile(r"(?<!\d)(\d{1,2})[:：](\d{2})(?!\d)")
_NUMBER = re.compile(r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d+))?(?P<percent>\s*%)?")
_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")


def available() -> bool:
    """Whether ``pypinyin`` is installed."""
    return find_spec("pypinyin") is not None


class MandarinPhonemes:
    """Reads Mandarin, in either script.

    Args:
        english: reads the words in Latin letters.
    """

    def __init__(self, english: Callable[[str], str]) -> None:
        self._english = english

    @cached_property
    def _pinyin(self) -> Any:
        import pypinyin  # noqa: PLC0415 - 40 MB of dictionaries
        from pypinyin.seg import mmseg  # noqa: PLC0415

        def words(text: str) -> Iterator[list[str]]:
            for word in mmseg.seg.cut(text):
                yield pypinyin.lazy_pinyin(
                    word,
                    style=pypinyin.Style.TONE3,
                    neutral_tone_with_five=True,
                    errors="ignore",
                )

        return words

    def of(self, text: str) -> str:
        """Phonemes with their marks; empty when nothing can be said."""
        text = cleaned(text.translate(_MARKS))
        text = spelled_out(text)
        found = []
        for run in _RUN.findall(text):
            if re.match(f"[{_HAN}]", run):
                found.append(" ".join("".join(map(ipa, word)) for word in self._pinyin(run)))
            elif run[0].isalpha():
                found.append(f" {self._english(run)} ")
            else:
                found.append(run)
        return re.sub(r"\s+", " ", "".join(found)).strip()


def ipa(syllable: str) -> str:
    """A syllable of pinyin with its tone's number (``hao3``), in Kokoro's letters."""
    from pypinyin.contrib import tone_convert  # noqa: PLC0415 - optional

    plain, tone = syllable[:-1], syllable[-1]
    initial = tone_convert.to_initials(plain, strict=True)
    final = tone_convert.to_finals(plain, strict=True, v_to_u=False)
    vowel = "ɨ*" if final == "i" and initial in _BUZZING else _FINALS.get(final, "")
    return _INITIALS.get(initial, "") + vowel.replace("*", _TONES.get(tone, ""))


def spelled_out(text: str) -> str:
    """``text`` with its figures in characters: years digit by digit, the rest as numbers."""
    text = _YEAR.sub(lambda found: _by_digit(found[0]), text)
    text = _TIME.sub(lambda found: f"{number(found[1])}点{number(found[2])}分", text)

    def spell(found: re.Match[str]) -> str:
        spoken = number(found["whole"].replace(",", ""))
        if found["part"]:
            spoken += "点" + _by_digit(found["part"])
        return f"百分之{spoken}" if found["percent"] else spoken

    return _NUMBER.sub(spell, text)


def number(digits: str) -> str:
    """A whole number of up to 16 digits in characters; longer ones digit by digit."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > 4 * len(_GROUPS):
        return _by_digit(digits)
    if digits == "0":
        return _DIGITS[0]
    groups = [digits[max(0, end - 4) : end] for end in range(len(digits), 0, -4)]
    spoken = ""
    for index, group in reversed(list(enumerate(groups))):
        if int(group):
            gap = _DIGITS[0] if spoken and group[0] == "0" else ""
            spoken += gap + _group(group) + _GROUPS[index]
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def _group(digits: str) -> str:
    """Up to four digits; a run of zeros between others is said once, one at the end never."""
    spoken, gap = "", False
    for place, digit in zip(reversed(range(len(digits))), digits, strict=True):
        if digit == "0":
            gap = bool(spoken)
            continue
        spoken += (_DIGITS[0] if gap else "") + _DIGITS[int(digit)] + _PLACES[place]
        gap = False
    return spoken


def _by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)
