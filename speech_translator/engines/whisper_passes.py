"""Runs of the model over batches of clips: encoder, language, search, second tries, alignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speech_translator.engines.values import SAMPLE_RATE, Samples, Segment, TranscribeCall, Word
from speech_translator.engines.whisper_decoding import (
    Decode,
    Piece,
    best_of,
    is_doubtful,
    is_failure,
    is_silence,
    most_tokens,
    split,
)
from speech_translator.engines.whisper_features import FULL_FRAMES, log_mel, window_frames
from speech_translator.engines.whisper_tokens import WhisperTokens
from speech_translator.engines.whisper_words import timed_words
from speech_translator.errors import InvalidRequest
from speech_translator.languages import Language

INAUDIBLE_PEAK = 3e-4
"""Peak below which a clip is not decoded: ten steps of 16 bit, -70 dBFS."""

_BEAM = 5
_TEMPERATURES = (0.4, 0.8)
_MAX_RESUMES = 2
_MIN_REST_S = 1.0
_REST_LOUDNESS = 0.15
_LOUDNESS_WINDOW = SAMPLE_RATE // 10
# Scripts whose letters are mostly one token each; others are spelled out in bytes.
_LIGHT_SCRIPTS = frozenset({"Latn", "Cyrl", "Grek", "Hans", "Hant", "Jpan", "Kore", "Arab"})


@dataclass(slots=True)
class Clip:
    """One call on its way through the model.

    ``segments`` and, where it was to be detected, ``language`` and ``confidence`` are what a run
    fills in.
    """

    call: TranscribeCall
    audio: Samples
    language: str | None
    prompt: list[int]
    confidence: float = 1.0
    segments: list[Segment] = field(default_factory=list)

    @classmethod
    def of(cls, call: TranscribeCall, language: str | None, prompt: list[int]) -> Clip:
        """A clip with finite mono samples.

        Raises:
            InvalidRequest: the audio is not one-dimensional.
        """
        audio = np.asarray(call.audio, dtype=np.float32)
        if audio.ndim != 1:
            raise InvalidRequest("Audio must be mono: one dimension of samples.")
        if not np.isfinite(audio).all():
            audio = np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0)
        return cls(call, audio, language, prompt)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.audio) / SAMPLE_RATE

    @property
    def audible(self) -> bool:
        """Whether there is anything to hear at all."""
        return bool(len(self.audio)) and float(np.abs(self.audio).max()) >= INAUDIBLE_PEAK


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is decoded in one go: a clip, or the rest of one from ``offset`` seconds on."""

    clip: Clip
    offset: float = 0.0

    @property
    def audio(self) -> Samples:
        return self.clip.audio[int(self.offset * SAMPLE_RATE) :]

    @property
    def duration(self) -> float:
        return self.clip.duration - self.offset


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A decode and the row of the encoder's output that it was made from."""

    stretch: _Stretch
    decode: Decode
    encoded: Any
    row: int


class WhisperPasses:
    """Runs one model.

    Args:
        model: a ``ctranslate2.models.Whisper``.
        tokens: its vocabulary.
    """

    def __init__(self, model: Any, tokens: WhisperTokens) -> None:
        self._model = model
        self._tokens = tokens

    def run(self, clips: Sequence[Clip]) -> None:
        """Decode audible clips whose prompts have one length; fills in their results."""
        stretches = [_Stretch(clip) for clip in clips]
        for _ in range(_MAX_RESUMES + 1):
            outcomes = [self._settled(outcome) for outcome in self._first(stretches)]
            stretches = list(self._collect(outcomes))
            if not stretches:
                break

    def _first(self, stretches: Sequence[_Stretch]) -> list[_Outcome]:
        """Greedy search in the shortest window that holds every stretch."""
        encoded = self._encode(stretches, window_frames([s.duration for s in stretches]))
        self._detect_languages(stretches, encoded)
        limits = [self._limit(stretch) for stretch in stretches]
        decodes = self._generate(stretches, encoded, max(limits), beam_size=1)
        return [
            _Outcome(stretch, decode, encoded, row)
            for row, (stretch, decode) in enumerate(zip(stretches, decodes, strict=True))
        ]

    def _settled(self, outcome: _Outcome) -> _Outcome:
        """The outcome, or a better one where it is not to be believed."""
        stretch, limit = outcome.stretch, self._limit(outcome.stretch)
        if not is_doubtful(outcome.decode, limit, self._text(outcome.decode)):
            return outcome
        encoded = self._encode([stretch], FULL_FRAMES)
        tried = self._generate([stretch], encoded, limit, beam_size=_BEAM)
        for temperature in _TEMPERATURES:
            if not is_failure(tried[-1], limit):
                return _Outcome(stretch, tried[-1], encoded, 0)
            tried += self._generate(
                [stretch],
                encoded,
                limit,
                beam_size=1,
                sampling_topk=0,
                sampling_temperature=temperature,
            )
        if not is_failure(tried[-1], limit):
            return _Outcome(stretch, tried[-1], encoded, 0)
        return _Outcome(stretch, best_of(tried, limit), encoded, 0)

    def _collect(self, outcomes: Sequence[_Outcome]) -> Iterator[_Stretch]:
        """Add segments to the clips; yields what the model left for a further decode."""
        for outcome, pieces, words in self._aligned(outcomes):
            clip, offset = outcome.stretch.clip, outcome.stretch.offset
            confidence = float(np.exp(min(0.0, outcome.decode.logprob)))
            for piece, spoken in zip(pieces, words, strict=True):
                segment = self._segment(piece, spoken, offset, confidence)
                if segment.text:
                    clip.segments.append(segment)
        for outcome in outcomes:
            if rest := self._rest(outcome):
                yield rest

    def _segment(
        self, piece: Piece, words: Sequence[Word], offset: float, confidence: float
    ) -> Segment:
        moved = tuple(
            Word(word.start + offset, word.end + offset, word.text, word.probability)
            for word in words
        )
        start, end = piece.start + offset, piece.end + offset
        if moved:
            start, end = moved[0].start, max(moved[-1].end, moved[0].start)
            confidence = float(np.mean([word.probability for word in moved]))
        text = self._tokens.decode(piece.tokens).strip()
        return Segment(round(start, 3), round(end, 3), text, round(confidence, 4), moved)

    def _rest(self, outcome: _Outcome) -> _Stretch | None:
        """The rest of a clip that the model stopped before and where there is still speech."""
        stretch = outcome.stretch
        if is_silence(outcome.decode):
            return None
        _, resume = split(outcome.decode.tokens, self._tokens.timestamps, stretch.duration)
        if resume is None or stretch.duration - resume < _MIN_REST_S:
            return None
        rest = _Stretch(stretch.clip, stretch.offset + resume)
        return rest if _is_loud(rest.audio, stretch.clip.audio) else None

    def _encode(self, stretches: Sequence[_Stretch], frames: int) -> Any:
        import ctranslate2  # noqa: PLC0415 - native code that only this process needs

        features = np.stack(
            [log_mel(stretch.audio, frames, self._model.n_mels) for stretch in stretches]
        )
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(features))
        return self._model.encode(view, to_cpu=self._model.device != "cpu")

    def _detect_languages(self, stretches: Sequence[_Stretch], encoded: Any) -> None:
        """Fill in the language of clips that have none yet."""
        if all(stretch.clip.language is not None for stretch in stretches):
            return
        if not self._tokens.languages:
            for stretch in stretches:
                stretch.clip.language = "en"
            return
        for stretch, found in zip(stretches, self._model.detect_language(encoded), strict=True):
            if stretch.clip.language is None:
                name, probability = found[0]
                stretch.clip.language = self._tokens.key_of(name)
                stretch.clip.confidence = round(float(probability), 4)

    def _generate(
        self, stretches: Sequence[_Stretch], encoded: Any, limit: int, **search: Any
    ) -> list[Decode]:
        prompts = [[*stretch.clip.prompt, *self._start(stretch.clip)] for stretch in stretches]
        results = self._model.generate(
            encoded,
            prompts,
            # CTranslate2 allows min(max_length / 2, max_length - prompt) new tokens.
            max_length=max(2 * limit, limit + len(prompts[0])),
            return_scores=True,
            return_no_speech_prob=True,
            **search,
        )
        return [self._decode(result) for result in results]

    def _decode(self, result: Any) -> Decode:
        tokens = tuple(result.sequences_ids[0])
        # The score is the mean over the tokens; the end token counts too.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decode(tokens, self._tokens.decode(tokens), logprob, result.no_speech_prob)

    def _aligned(
        self, outcomes: Sequence[_Outcome]
    ) -> Iterator[tuple[_Outcome, list[Piece], list[list[Word]]]]:
        """Pieces of every decode that holds speech, with their words where those are wanted."""
        for outcome in outcomes:
            if is_silence(outcome.decode):
                continue
            pieces, _ = split(
                outcome.decode.tokens, self._tokens.timestamps, outcome.stretch.duration
            )
            words: list[list[Word]] = [[] for _ in pieces]
            if outcome.stretch.clip.call.word_timestamps and pieces:
                words = self._words(outcome, pieces)
            yield outcome, pieces, words

    def _words(self, outcome: _Outcome, pieces: Sequence[Piece]) -> list[list[Word]]:
        import ctranslate2  # noqa: PLC0415 - native code that only this process needs

        clip, duration = outcome.stretch.clip, outcome.stretch.duration
        row = np.asarray(outcome.encoded)[outcome.row : outcome.row + 1]
        text = [token for piece in pieces for token in piece.tokens]
        result = self._model.align(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(row)),
            self._start(clip),
            [text],
            max(1, int(np.ceil(duration * 100))),
        )[0]
        written = "en" if clip.call.task == "translate" else (clip.language or "en")
        words: list[list[Word]] = []
        index = 0
        for piece in pieces:
            after = index + len(piece.tokens)
            inside = [(t - index, step) for t, step in result.alignments if index <= t <= after]
            words.append(
                timed_words(
                    piece.tokens,
                    inside,
                    result.text_token_probs[index:after],
                    self._tokens,
                    written,
                    duration,
                )
            )
            index = after
        return words

    def _start(self, clip: Clip) -> list[int]:
        return self._tokens.start_sequence(clip.language or "en", clip.call.task)

    def _text(self, decode: Decode) -> list[int]:
        return [token for token in decode.tokens if token < self._tokens.end]

    def _limit(self, stretch: _Stretch) -> int:
        language = "en" if stretch.clip.call.task == "translate" else stretch.clip.language
        dense = Language.parse(language or "en").script not in _LIGHT_SCRIPTS
        return most_tokens(stretch.duration, dense=dense)


def _is_loud(rest: Samples, whole: Samples) -> bool:
    """Whether the loudest moment of ``rest`` comes near to that of the whole clip."""
    return _peak_loudness(rest) >= _REST_LOUDNESS * _peak_loudness(whole)


def _peak_loudness(audio: Samples) -> float:
    """Root mean square of the loudest 100 ms."""
    usable = len(audio) // _LOUDNESS_WINDOW * _LOUDNESS_WINDOW
    if not usable:
        return 0.0
    blocks = audio[:usable].reshape(-1, _LOUDNESS_WINDOW)
    return float(np.sqrt(np.mean(np.square(blocks), axis=1).max()))
