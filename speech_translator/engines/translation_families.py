"""What tells NLLB-200, M2M-100, MADLAD-400 and Opus-MT apart: the tokens that name languages.

Models of Transformers in CTranslate2's form get no special token by themselves, so all of them are
written here, as the models' own tokenizers do (CTranslate2, guide "Transformers"). Pure: nothing is
read or loaded.

========== ================================================ ==================
family     source tokens                                    target prefix
========== ================================================ ==================
nllb       ``eng_Latn`` pieces ``</s>``                      ``fra_Latn``
m2m100     ``__en__`` pieces ``</s>``                        ``__fr__``
madlad400  ``▁ <2fr>`` pieces ``</s>``                       none
opus-mt    pieces ``</s>``; ``>>fra<<`` first where several  none
           targets share a model
========== ================================================ ==================
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from speech_translator.engines.directions import Directions
from speech_translator.errors import UnknownLanguage
from speech_translator.languages import Language

Family = Literal["nllb", "m2m100", "madlad400", "opus-mt"]
FAMILIES: tuple[Family, ...] = get_args(Family)

END = "</s>"
"""End of a sentence, in every family."""

WORD_START = "▁"
"""How sentencepiece writes the space before a word."""

_LANGUAGE_TOKENS: Mapping[Family, re.Pattern[str]] = {
    "nllb": re.compile(r"([a-z]{3}_[A-Z][a-z]{3})"),
    "m2m100": re.compile(r"__([a-z]{2,3})__"),
    "madlad400": re.compile(r"<2([a-z]{2,3}(?:_[A-Za-z]+)*)>"),
    "opus-mt": re.compile(r">>([A-Za-z_-]+)<<"),
}
# Codes of the models that no standard knows: M2M-100's Northern Sotho.
_OWN_CODES: Mapping[str, str] = {"ns": "nso"}
_RESERVED = re.compile(r"</?s>|<unk>|<pad>|madeupword\d+|<extra_id_\d+>|<2\w*>")
_OPUS_NAME = re.compile(
    r"opus-mt-(?:tc-)?(?:big-|base-|tiny-)?([A-Za-z+_]+)-([A-Za-z+_]+?)(?:-ct.*)?$"
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The languages of one model and the tokens that name them.

    Keys are ``Language.key`` strings. A language without a token is one that the model
    needs no token for.
    """

    family: Family
    languages: Mapping[str, str]
    """Tokens by language."""
    directions: Directions

    def source(self, pieces: Sequence[str], source: str, target: str) -> list[str]:
        """The tokens that a model reads, but for the end of the sentence."""
        key = source if self.family in {"nllb", "m2m100"} else target
        token = self.languages.get(key)
        if token is None:
            return list(pieces)
        # sentencepiece puts a space before every text, and MADLAD-400 was trained on texts that
        # began with the name of the language.
        return [WORD_START, token, *pieces] if self.family == "madlad400" else [token, *pieces]

    def target_prefix(self, target: str) -> list[str]:
        """The tokens with which a translation has to begin."""
        return [self.languages[target]] if self.family in {"nllb", "m2m100"} else []

    def text(self, pieces: Iterable[str]) -> list[str]:
        """The pieces of a translation that are text: no prefix or other names of languages."""
        pattern = _LANGUAGE_TOKENS[self.family]
        return [
            piece
            for piece in pieces
            if not _RESERVED.fullmatch(piece) and not pattern.fullmatch(piece)
        ]

    def harmless(self, text: str) -> str:
        """The text, without what the tokenizer would take for the name of a language.

        MADLAD-400's names are symbols of its token model, also where a user wrote them.
        """
        if self.family != "madlad400":
            return text
        return re.sub(r"<2(?=\w*>)", "< 2", text)


def tokens_of(family: Family, name: str, vocabulary: Collection[str]) -> Tokens:
    """The languages of a model: those whose tokens are in its vocabulary.

    Args:
        family: whose tokens it has.
        name: its id, or the name of its directory; that of an Opus-MT model says its languages:
            ``opus-mt-en-fr``, ``opus-mt-de+nl-en``, ``opus-mt-en-ROMANCE``.
        vocabulary: all of its tokens.

    Raises:
        ValueError: the name or the vocabulary of the model does not say its languages.
    """
    languages = _named_languages(family, vocabulary)
    if family == "opus-mt":
        directions = Directions(pairs=tuple(_opus_pairs(name, languages)))
    else:
        directions = Directions(groups=(frozenset(languages),))
    if not any(True for _ in directions):
        raise ValueError(family)
    return Tokens(family, languages, directions)


def family_of(vocabulary: Collection[str]) -> Family | None:
    """Whose tokens a vocabulary has; None where it names no language.

    Opus-MT models for one pair name none, so they are told by their files.
    """
    found = (family for family in FAMILIES if _named_languages(family, vocabulary))
    return next(found, None)


def as_family(name: str) -> Family:
    """The family of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in FAMILIES:
        raise ValueError(name)
    return name


def _named_languages(family: Family, vocabulary: Iterable[str]) -> dict[str, str]:
    """Tokens by ``Language.key``, in order of the keys."""
    pattern = _LANGUAGE_TOKENS[family]
    found: dict[str, list[str]] = {}
    for token in vocabulary:
        match = pattern.fullmatch(token)
        key = _key(match[1]) if match else None
        if key is not None:
            found.setdefault(key, []).append(token)
    return {key: min(found[key], key=lambda token: _rank(key, token)) for key in sorted(found)}


def _rank(key: str, token: str) -> tuple[bool, int, str]:
    """Which of several tokens of one language to use: smallest first.

    Opus-MT's English to Chinese has ``>>cmn<<``, ``>>cmn_Hans<<``, ``>>cmn_Hans_CN<<`` and more:
    the script that is meant says most. Otherwise the plain name is what most was trained under.
    """
    return not token.startswith(">>") or Language(key).script not in token, len(token), token


def _key(code: str) -> str | None:
    try:
        return Language.parse(_OWN_CODES.get(code, code)).key
    except UnknownLanguage:
        return None


def _opus_pairs(name: str, languages: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    match = _OPUS_NAME.search(name)
    if match is None:
        return
    sources = _listed(match[1])
    # A group such as ROMANCE or mul: the vocabulary says what is in it.
    targets = _listed(match[2]) or list(languages)
    for source in sources:
        for target in targets:
            if source != target:
                yield source, target


def _listed(codes: str) -> list[str]:
    """Languages joined by ``+``; none where one of them is a group."""
    keys = [_key(code) for code in codes.split("+")]
    return [] if None in keys else [key for key in dict.fromkeys(keys) if key is not None]
