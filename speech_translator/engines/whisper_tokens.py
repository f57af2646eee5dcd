"""Whisper's vocabulary: special tokens, languages, prompts, and words made of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from speech_translator.errors import ModelDamaged, UnknownLanguage, UnsupportedPair
from speech_translator.languages import Language

SECONDS_PER_TIMESTAMP = 0.02
"""Step from one timestamp token to the next."""

MAX_PROMPT_TOKENS = 223
"""Whisper's context is 448 tokens; half of it, less one, may hold preceding text."""

_REPLACEMENT = "\ufffd"
# Written without spaces between words: any whole character may end a word.
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "km", "bo", "yue"})
_REQUIRED = ("<|startoftranscript|>", "<|endoftext|>", "<|startofprev|>", "<|notimestamps|>")


class WhisperTokens:
    """The special tokens and the text codec of one model.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
        multilingual: whether prompts name a language and a task.
    """

    def __init__(self, tokenizer: Any, *, multilingual: bool) -> None:
        self._tokenizer = tokenizer
        found = [tokenizer.token_to_id(name) for name in _REQUIRED]
        if None in found:
            raise ModelDamaged("The tokenizer beside the model is not one of Whisper's.")
        self.start, self.end, self.previous, self.no_timestamps = found
        self.timestamps = self.no_timestamps + 1
        self._tasks = {
            task: tokenizer.token_to_id(f"<|{task}|>") for task in ("transcribe", "translate")
        }
        self._multilingual = multilingual
        self._languages = self._find_languages() if multilingual else {}

    @classmethod
    def open(cls, path: Path, *, multilingual: bool) -> WhisperTokens:
        """Read ``tokenizer.json``.

        Raises:
            ModelDamaged: it cannot be read.
        """
        # Imported here: the native library costs memory that only a recognition process needs.
        import tokenizers  # noqa: PLC0415

        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelDamaged(f"{path.name} beside the model cannot be read.") from error
        return cls(tokenizer, multilingual=multilingual)

    @property
    def languages(self) -> Mapping[str, int]:
        """Token of each language, by ``Language.key``; empty for an English-only model."""
        return MappingProxyType(self._languages)

    def language_keys(self) -> tuple[str, ...]:
        """What the model recognises, as ``Language.key`` strings."""
        return tuple(sorted(self._languages)) if self._multilingual else ("en",)

    def own_key(self, key: str) -> str:
        """The key under which the model knows a language: scripts are all one to it in speech.

        Raises:
            UnsupportedPair: the model does not know the language.
        """
        known = self.language_keys()
        for candidate in (key, key.partition("-")[0]):
            if candidate in known:
                return candidate
        raise UnsupportedPair(
            "The recognition model does not know this language.", supported_sources=known
        )

    def key_of(self, name: str) -> str:
        """The key of a language token such as ``<|jw|>``."""
        return Language.parse(name.strip("<|>")).key

    def start_sequence(self, language: str, task: Literal["transcribe", "translate"]) -> list[int]:
        """What every decode starts with. ``language`` is one of ``language_keys``."""
        if not self._multilingual:
            return [self.start]
        return [self.start, self._languages[language], self._tasks[task]]

    def prompt(self, text: str | None) -> list[int]:
        """Tokens for preceding text; its end is kept where it is too long."""
        tokens = self.encode(" " + text.strip()) if text and text.strip() else []
        return [self.previous, *tokens[-MAX_PROMPT_TOKENS:]] if tokens else []

    def encode(self, text: str) -> list[int]:
        """Plain text as tokens; special tokens written in it are only text."""
        ids = self._tokenizer.encode(_defused(text), add_special_tokens=False).ids
        return [token for token in ids if token < self.end]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the tokens, without special ones."""
        plain = [token for token in tokens if token < self.end]
        return str(self._tokenizer.decode(plain)) if plain else ""

    def words(self, tokens: Sequence[int], language: str) -> list[list[int]]:
        """Text tokens grouped into words, each with the punctuation that is written onto it."""
        characters = self._characters(tokens)
        if language in _UNSPACED:
            return characters
        words: list[list[int]] = []
        for part in characters:
            if not words or self.decode(part).startswith(" "):
                words.append(list(part))
            else:
                words[-1] += part
        return words

    def _characters(self, tokens: Sequence[int]) -> list[list[int]]:
        """Shortest groups of tokens that are whole characters: a token may end inside of one."""
        groups: list[list[int]] = []
        pending: list[int] = []
        for token in tokens:
            pending.append(token)
            if _REPLACEMENT not in self.decode(pending):
                groups.append(pending)
                pending = []
        if pending:  # a decode that was cut inside a character
            groups.append(pending)
        return groups

    def _find_languages(self) -> dict[str, int]:
        """Language tokens stand between the start and the tasks."""
        languages: dict[str, int] = {}
        for token in range(self.start + 1, self._tasks["translate"]):
            name = self._tokenizer.id_to_token(token)
            try:
                languages.setdefault(self.key_of(name), token)
            except UnknownLanguage:
                continue  # nobody can ask for a language that has no code here
        return languages


def _defused(text: str) -> str:
    """``text`` in which no special token can be written."""
    return text.replace("<|", "< |")
