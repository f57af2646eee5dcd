"""Recorded speech with transcripts, from Debian's ``pocketsphinx-testdata``.

``librivox`` has five utterances of one reader (3 to 7 s), ``cards`` five short commands over a poor
microphone. Longer audio is put together from them with pauses in between.
"""

from __future__ import annotations

import re
import unicodedata
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
DIRECTORY = Path("/usr/share/pocketsphinx/test/data")

_LINE = re.compile(r"<s>\s*(?P<text>.*?)\s*</s>\s*\((?P<name>.+)\)")
_SMALL_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)


class RecordingsMissing(RuntimeError):
    """The Debian package is not installed."""


@dataclass(frozen=True)
class Recording:
    """16 kHz mono float32 samples, and what is said."""

    name: str
    samples: npt.NDArray[np.float32]
    text: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def librivox() -> list[Recording]:
    """Five sentences of "Sense and Sensibility"."""
    return list(_collection("librivox", "transcription"))


def cards() -> list[Recording]:
    """Five commands such as "ten of clubs"."""
    return list(_collection("cards", "cards.transcription"))


def path_of(number: str) -> Path:
    """The file of a LibriVox utterance: ``0870``, ``0880``, ``0890``, ``0920`` or ``0930``."""
    return _existing(DIRECTORY / "librivox" / f"sense_and_sensibility_01_austen_64kb-{number}.wav")


def joined(parts: Sequence[Recording], pause_s: float) -> Recording:
    """One recording of all ``parts``, each followed by a pause of faint noise."""
    rng = np.random.default_rng(0)
    pieces = []
    for part in parts:
        hush = rng.normal(scale=1e-4, size=round(pause_s * SAMPLE_RATE))
        pieces += [part.samples, hush.astype(np.float32)]
    name = f"{len(parts)} utterances, pauses of {pause_s:g} s"
    return Recording(name, np.concatenate(pieces), " ".join(part.text for part in parts))


def read_wav(path: Path) -> npt.NDArray[np.float32]:
    """Samples of a 16-bit mono WAV file at 16 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1), path.name
        pcm = file.readframes(file.getnframes())
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def plain(text: str) -> str:
    """Words as they are compared: lower case, no marks, small numbers spelled out."""
    text = unicodedata.normalize("NFKC", text).lower().replace("'", "").replace("’", "")
    text = re.sub(r"\bmr\b", "mister", text)
    text = re.sub(r"\d+", _spelled, text)
    return " ".join(re.findall(r"[^\W_]+", text))


def word_error_rate(expected: Sequence[str], heard: Sequence[str]) -> float:
    """Substitutions, deletions and insertions over the words expected, in percent."""
    answer = jiwer.process_words([plain(text) for text in expected], [plain(t) for t in heard])
    return 100.0 * float(answer.wer)


def _spelled(match: re.Match[str]) -> str:
    number = int(match[0])
    return f" {_SMALL_NUMBERS[number]} " if number < len(_SMALL_NUMBERS) else match[0]


@cache
def _collection(folder: str, transcript: str) -> tuple[Recording, ...]:
    lines = _existing(DIRECTORY / folder / transcript).read_text(encoding="utf-8")
    return tuple(
        Recording(
            match["name"], read_wav(DIRECTORY / folder / f"{match['name']}.wav"), match["text"]
        )
        for match in _LINE.finditer(lines)
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise RecordingsMissing(
            "The recorded speech is not installed; `make test` does it "
            "(apt-get install pocketsphinx-testdata)."
        )
    return path
