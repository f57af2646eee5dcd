"""Composed audio for live sessions: two languages, silences, and sounds that are no speech.

English is read by a person (LibriVox); Portuguese is spoken by Kokoro, once a process. Music is
synthesised: chords that are struck or held, a melody, a beat, applause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from benchmarks.live_audio import MARKS, RATE, Sentence, Talk
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.services import open_services
from speech_translator.settings import Settings
from tests.support import recordings

Sound = npt.NDArray[np.float32]

PORTUGUESE = (
    "Precisamos de mais tempo para terminar o relatório sobre a qualidade da água.",
    "Amanhã de manhã vou pegar o trem para o centro da cidade com a minha irmã.",
    "O museu fica fechado às segundas-feiras, mas o jardim está sempre aberto.",
    "Depois do almoço, a professora explicou a lição mais uma vez para os alunos.",
)
SHORT = ("Muito obrigado.", "Bom dia a todos.", "Eu concordo com você.")
"""Said first after English: what is as short as these is easily taken for it."""

_HISS = 10 ** (-62 / 20)
_LOUDNESS = 0.07
"""RMS of speech and of other sounds alike."""
_QUIET = 10 ** (-30 / 20)


@dataclass(frozen=True, slots=True)
class Clip:
    """A sentence, without the silence around it."""

    text: str
    samples: Sound
    language: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A talk, with the language of each of its sentences, and where sounds are that say nothing."""

    talk: Talk
    languages: tuple[str, ...]
    noises: tuple[tuple[float, float], ...]


def english() -> list[Clip]:
    """What the person reads."""
    clips = []
    for recording in recordings.librivox():
        start, end = MARKS[recording.name[-4:]]
        samples = recording.samples[int(start * RATE) : int(end * RATE)]
        clips.append(Clip(recording.text, samples, "en"))
    return clips


async def portuguese() -> list[Clip]:
    """What Kokoro says."""
    settings = Settings(synthesizers=("kokoro",), live_synthesizers=())
    clips = []
    async with open_services(settings, tasks={"synthesis"}, decode=False) as services:
        await services.broker.wait_ready("kokoro", 60)
        for text in (*PORTUGUESE, *SHORT):
            speech = await services.translator.synthesize(
                text, language=Language("pt"), context=RequestContext(Deadline.after(60))
            )
            samples = soxr.resample(speech.samples, speech.sample_rate, RATE).astype(np.float32)
            loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * _QUIET)
            clips.append(Clip(text, samples[loud[0] : loud[-1] + 1], "pt"))
    return clips


def composed(seconds: float, clips: Sequence[Clip], seed: int = 0) -> Scene:
    """Rounds of speech in both languages with pauses, sounds and silences between, for so long.

    Each round is three sentences of one language, and a short and two long ones of the other.

    Args:
        seconds: of audio, at least; the last round is finished.
        clips: of ``english`` and ``portuguese``.
        seed: of pauses and sounds.
    """
    english = [clip for clip in clips if clip.language == "en"]
    short = [clip for clip in clips if clip.text in SHORT]
    long = [clip for clip in clips if clip.text in PORTUGUESE]
    rng = np.random.default_rng(seed)
    work = _Composing(rng)
    number = 0
    while work.at < seconds:
        three = [english[(3 * number + count) % len(english)] for count in range(3)]
        two = [long[(2 * number + count) % len(long)] for count in range(2)]
        for spoken in (three, [short[number % len(short)], *two]):
            for clip in spoken:
                work.be_silent(float(rng.uniform(0.9, 2.0)))
                work.say(clip)
            work.be_silent(float(rng.uniform(0.8, 1.5)))
            work.sound(float(rng.uniform(3.0, 7.0)))
        work.be_silent(4.0)
        number += 1
    return work.scene()


class _Composing:
    """Puts pieces one after the other, over a soft hiss."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._pieces: list[Sound] = []
        self._sentences: list[Sentence] = []
        self._languages: list[str] = []
        self._noises: list[tuple[float, float]] = []
        self._length = 0

    @property
    def at(self) -> float:
        """Seconds so far."""
        return self._length / RATE

    def be_silent(self, seconds: float) -> None:
        self._add(np.zeros(int(seconds * RATE), np.float32))

    def say(self, clip: Clip) -> None:
        start = self.at
        self._add(_levelled(clip.samples))
        self._sentences.append(Sentence(clip.text, start, self.at))
        self._languages.append(clip.language)

    def sound(self, seconds: float) -> None:
        """The next kind of sound."""
        start, kind = self.at, SOUNDS[len(self._noises) % len(SOUNDS)]
        faded = np.minimum(1.0, np.minimum(*_ramps(int(seconds * RATE))))
        self._add(_levelled(kind(int(seconds * RATE), self._rng) * faded))
        self._noises.append((start, self.at))

    def scene(self) -> Scene:
        samples = np.concatenate([*self._pieces, np.zeros(RATE, np.float32)])
        hiss = self._rng.normal(0.0, _HISS, len(samples))
        talk = Talk((samples + hiss).astype(np.float32), tuple(self._sentences))
        return Scene(talk, tuple(self._languages), tuple(self._noises))

    def _add(self, samples: Sound) -> None:
        self._pieces.append(samples)
        self._length += len(samples)


def _levelled(samples: npt.NDArray[np.floating]) -> Sound:
    loudness = float(np.sqrt(np.mean(np.square(samples))))
    return (np.clip(samples * (_LOUDNESS / max(loudness, 1e-9)), -1, 1)).astype(np.float32)


def _ramps(length: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Half a second up, and down."""
    up = np.arange(length) / (0.5 * RATE)
    return up, up[::-1]


# Sounds

Signal = npt.NDArray[np.float64]
_CHORDS = (
    (261.6, 329.6, 392.0),
    (220.0, 261.6, 329.6),
    (174.6, 220.0, 261.6),
    (196.0, 246.9, 293.7),
)


def _tone(frequency: float, length: int, overtones: int = 6) -> Signal:
    time = np.arange(length) / RATE
    parts = [np.sin(2 * np.pi * frequency * n * time) / n**1.5 for n in range(1, overtones + 1)]
    return np.sum(parts, axis=0)


def _struck(length: int, _rng: np.random.Generator) -> Signal:
    """Chords as of a piano, two a second."""
    sound = np.zeros(length)
    for number, start in enumerate(range(0, length, RATE // 2)):
        left = length - start
        decay = np.exp(-3.0 * np.arange(left) / RATE)
        chord = _CHORDS[number // 2 % len(_CHORDS)]
        sound[start:] += np.sum([_tone(note, left) for note in chord], axis=0) * decay
    return sound


def _held(length: int, _rng: np.random.Generator) -> Signal:
    """Chords as of an organ, with a slow tremolo."""
    sound = np.zeros(length)
    for number, start in enumerate(range(0, length, 2 * RATE)):
        end = min(length, start + 2 * RATE)
        chord = _CHORDS[number % len(_CHORDS)]
        sound[start:end] = np.sum([_tone(note, end - start) for note in chord], axis=0)
    return sound * (1.0 + 0.3 * np.sin(2 * np.pi * 5 * np.arange(length) / RATE))


def _melody(length: int, rng: np.random.Generator) -> Signal:
    """One voice, as of a flute, in steps of a third of a second."""
    sound = np.zeros(length)
    scale = 440.0 * 2.0 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    for start in range(0, length, RATE // 3):
        end = min(length, start + RATE // 3)
        shape = np.sin(np.pi * np.arange(end - start) / (RATE // 3)) ** 0.5
        sound[start:end] = _tone(float(rng.choice(scale)), end - start, 3) * shape
    return sound


def _beat(length: int, rng: np.random.Generator) -> Signal:
    """A drum and cymbals."""
    sound = np.zeros(length)
    for number, start in enumerate(range(0, length, RATE // 4)):
        left = min(length - start, RATE // 4)
        time = np.arange(left) / RATE
        drum = np.sin(2 * np.pi * 60 * time) * np.exp(-18 * time)
        cymbal = np.diff(rng.normal(size=left + 1)) * np.exp(-40 * time) * 0.3
        sound[start : start + left] += cymbal + (drum if number % 2 == 0 else 0.0)
    return sound


def _applause(length: int, rng: np.random.Generator) -> Signal:
    """Many claps."""
    sound = np.zeros(length + RATE // 50)
    for start in rng.integers(0, length, size=length // 80):
        clap = rng.normal(size=RATE // 50) * np.exp(-300 * np.arange(RATE // 50) / RATE)
        sound[start : start + RATE // 50] += clap
    return sound[:length]


def _bass(length: int, rng: np.random.Generator) -> Signal:
    """Plucked low notes, four a second: of all these the nearest to a voice."""
    sound = np.zeros(length)
    for start in range(0, length, RATE // 4):
        left = min(length - start, RATE // 4)
        note = _tone(float(rng.choice([82.4, 98.0, 110.0, 123.5])), left, 9)
        sound[start : start + left] = note * np.exp(-4.0 * np.arange(left) / RATE)
    return sound


SOUNDS: tuple[Callable[[int, np.random.Generator], Signal], ...] = (
    _struck,
    _applause,
    _bass,
    _held,
    _melody,
    _beat,
)
