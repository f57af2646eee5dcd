"""Runs of the model over batches of clips: encoder, language, search, second tries, alignment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from speech_translator.engines.values import Segment, Word
from speech_translator.engines.whisper_clips import Clip, Stretch, rest_of
from speech_translator.engines.whisper_decoding import (
    MAX_COMPRESSION,
    MIN_LOGPROB,
    NOTHING,
    Decode,
    Piece,
    best_of,
    compression,
    detected,
    is_doubtful,
    is_failure,
    is_loop,
    is_silence,
    is_unsure,
    most_tokens,
    split,
    without_loop,
)
from speech_translator.engines.whisper_features import FULL_FRAMES, log_mel, window_frames
from speech_translator.engines.whisper_tokens import WhisperTokens
from speech_translator.engines.whisper_words import timed_words
from speech_translator.languages import Language

_BEAM = 5
_SECOND_TRIES: tuple[dict[str, Any], ...] = (
    {"beam_size": _BEAM},
    {"sampling_temperature": 0.4, "sampling_topk": 0, "beam_size": 1},
    {"sampling_temperature": 0.8, "sampling_topk": 0, "beam_size": 1},
)
_SECOND_TRIES_S = 8.0
"""Seconds after which a batch makes no more second tries: they may take longer than all else, and
an engine that is silent for too long is killed. What is there then is taken."""

_MAX_RESUMES = 2
_SHARED_FRAMES = 1500
# Scripts whose letters are mostly one token each; others are spelled out in bytes.
_LIGHT_SCRIPTS = frozenset({"Latn", "Cyrl", "Grek", "Hans", "Hant", "Jpan", "Kore", "Arab"})


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A decode and the row of the encoder's output that it was made from."""

    stretch: Stretch
    decode: Decode
    encoded: Any
    row: int


class WhisperPasses:
    """Runs one model.

    Args:
        model: a ``ctranslate2.models.Whisper``.
        tokens: its vocabulary.
        clock: monotonic seconds.
    """

    def __init__(
        self, model: Any, tokens: WhisperTokens, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._tokens = tokens
        self._clock = clock
        self._tries_end = 0.0

    def run(self, clips: Sequence[Clip]) -> None:
        """Decode audible clips whose prompts have one length; fills in their results."""
        self._tries_end = self._clock() + _SECOND_TRIES_S
        stretches = [Stretch(clip) for clip in clips]
        for _ in range(_MAX_RESUMES + 1):
            # A long window costs every clip that shares it more than company gains in the search.
            short = [s for s in stretches if window_frames([s.duration]) <= _SHARED_FRAMES]
            long = [s for s in stretches if window_frames([s.duration]) > _SHARED_FRAMES]
            stretches = [
                rest
                for group in (short, long)
                if group
                for rest in self._collect([self._settled(o) for o in self._first(group)])
            ]
            if not stretches:
                break

    def _first(self, stretches: Sequence[Stretch]) -> list[_Outcome]:
        """Search in the shortest window that holds every stretch: greedy first, where that does.

        Translation is the harder task: base translates a sentence word by word under greedy
        search and often finds its sense with a beam.
        """
        encoded = self._encode(stretches, window_frames([s.duration for s in stretches]))
        self._detect_languages(stretches, encoded)
        limits = [self._limit(stretch) for stretch in stretches]
        translating = any(stretch.clip.call.task == "translate" for stretch in stretches)
        beam = _BEAM if translating else 1
        decodes = self._generate(stretches, encoded, max(limits), beam_size=beam)
        drafts = all(stretch.clip.call.draft for stretch in stretches)
        if not translating and not drafts:
            self._search_wider(stretches, encoded, decodes, max(limits))
        return [
            _Outcome(stretch, decode, encoded, row)
            for row, (stretch, decode) in enumerate(zip(stretches, decodes, strict=True))
        ]

    def _search_wider(
        self, stretches: Sequence[Stretch], encoded: Any, decodes: list[Decode], limit: int
    ) -> None:
        """Replace unsure decodes by those of a beam search over the same encoding."""
        rows = [row for row, decode in enumerate(decodes) if is_unsure(decode)]
        if not rows:
            return
        wider = self._generate(
            [stretches[row] for row in rows], _rows(encoded, rows), limit, beam_size=_BEAM
        )
        for row, decode in zip(rows, wider, strict=True):
            decodes[row] = best_of([decodes[row], decode], limit)

    def _settled(self, outcome: _Outcome) -> _Outcome:
        """The outcome, or a better one where it is not to be believed."""
        stretch = outcome.stretch
        if not is_doubtful(outcome.decode, self._limit(stretch), self._text(outcome.decode)):
            return outcome
        if stretch.clip.call.draft:  # it is soon replaced: a wild guess is worse than none
            believed = outcome.decode.logprob >= MIN_LOGPROB
            return self._without_loop(outcome) if believed else replace(outcome, decode=NOTHING)
        # Room for any script, unless it was a loop: perhaps the language only needs many tokens.
        limit = self._limit(stretch)
        if compression(outcome.decode.text) <= MAX_COMPRESSION:
            limit = most_tokens(stretch.duration, dense=True)
        tried: list[Decode] = []
        for search in _SECOND_TRIES:
            if self._clock() >= self._tries_end:
                break
            encoded = outcome.encoded if tried else self._encode([stretch], FULL_FRAMES)
            tried += self._generate([stretch], encoded, limit, **search)
            outcome = _Outcome(stretch, tried[-1], encoded, 0)
            if not is_failure(tried[-1], limit):
                return outcome
        best = replace(outcome, decode=best_of(tried or [outcome.decode], limit))
        return self._without_loop(best) if is_loop(best.decode, limit) else best

    def _without_loop(self, outcome: _Outcome) -> _Outcome:
        tokens = tuple(without_loop(self._text(outcome.decode)))
        decode = replace(outcome.decode, tokens=tokens, text=self._tokens.decode(tokens))
        return replace(outcome, decode=decode)

    def _collect(self, outcomes: Sequence[_Outcome]) -> Iterator[Stretch]:
        """Add segments to the clips; yields what the model left for a further decode."""
        heard = [outcome for outcome in outcomes if not is_silence(outcome.decode)]
        pieces = [self._pieces(outcome) for outcome in heard]
        for outcome, (found, _), words in zip(
            heard, pieces, self._aligned(heard, [found for found, _ in pieces]), strict=True
        ):
            clip, offset = outcome.stretch.clip, outcome.stretch.offset
            confidence = float(np.exp(min(0.0, outcome.decode.logprob)))
            for piece, spoken in zip(found, words, strict=True):
                segment = self._segment(piece, spoken, offset, confidence)
                if segment.text:
                    clip.segments.append(segment)
        for outcome, (_, resume) in zip(heard, pieces, strict=True):
            if resume is not None and (rest := rest_of(outcome.stretch, resume)):
                yield rest

    def _pieces(self, outcome: _Outcome) -> tuple[list[Piece], float | None]:
        return split(outcome.decode.tokens, self._tokens.timestamps, outcome.stretch.duration)

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

    def _encode(self, stretches: Sequence[Stretch], frames: int) -> Any:
        import ctranslate2  # noqa: PLC0415 - native code that only this process needs

        features = np.stack(
            [log_mel(stretch.audio, frames, self._model.n_mels) for stretch in stretches]
        )
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(features))
        return self._model.encode(view, to_cpu=self._model.device != "cpu")

    def _detect_languages(self, stretches: Sequence[Stretch], encoded: Any) -> None:
        """Fill in the language of clips that have none yet."""
        if all(stretch.clip.language is not None for stretch in stretches):
            return
        if not self._tokens.languages:
            for stretch in stretches:
                stretch.clip.language = "en"
            return
        for stretch, found in zip(stretches, self._model.detect_language(encoded), strict=True):
            if stretch.clip.language is None:
                named = [(self._tokens.key_of(name), float(share)) for name, share in found]
                language, confidence = detected(named, stretch.clip.call.likely)
                stretch.clip.language, stretch.clip.confidence = language, round(confidence, 4)

    def _generate(
        self, stretches: Sequence[Stretch], encoded: Any, limit: int, **search: Any
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
        self, outcomes: Sequence[_Outcome], pieces: Sequence[Sequence[Piece]]
    ) -> list[list[list[Word]]]:
        """Words of every piece of every outcome; none where they were not asked for."""
        words: list[list[list[Word]]] = [[[] for _ in found] for found in pieces]
        together: dict[tuple[int, ...], list[int]] = {}
        for index, outcome in enumerate(outcomes):
            clip = outcome.stretch.clip
            if clip.call.word_timestamps and pieces[index]:
                key = (id(outcome.encoded), *self._start(clip))
                together.setdefault(key, []).append(index)
        for indices in together.values():
            first = outcomes[indices[0]]
            results = self._model.align(
                _rows(first.encoded, [outcomes[index].row for index in indices]),
                self._start(first.stretch.clip),
                [_tokens_of(pieces[index]) for index in indices],
                [max(1, int(np.ceil(outcomes[i].stretch.duration * 100))) for i in indices],
            )
            for index, result in zip(indices, results, strict=True):
                words[index] = self._timed(outcomes[index].stretch, pieces[index], result)
        return words

    def _timed(self, stretch: Stretch, pieces: Sequence[Piece], result: Any) -> list[list[Word]]:
        clip = stretch.clip
        written = "en" if clip.call.task == "translate" else (clip.language or "en")
        words = []
        first = 0
        earliest = 0.0
        for piece in pieces:
            behind = first + len(piece.tokens)
            inside = [(t - first, step) for t, step in result.alignments if first <= t <= behind]
            found = timed_words(
                piece.tokens,
                inside,
                result.text_token_probs[first:behind],
                self._tokens,
                written,
                (earliest, stretch.duration),
            )
            earliest = found[-1].end if found else earliest
            words.append(found)
            first = behind
        return words

    def _start(self, clip: Clip) -> list[int]:
        return self._tokens.start_sequence(clip.language or "en", clip.call.task)

    def _text(self, decode: Decode) -> list[int]:
        return [token for token in decode.tokens if token < self._tokens.end]

    def _limit(self, stretch: Stretch) -> int:
        language = "en" if stretch.clip.call.task == "translate" else stretch.clip.language
        dense = Language.parse(language or "en").script not in _LIGHT_SCRIPTS
        return most_tokens(stretch.duration, dense=dense)


def _rows(encoded: Any, rows: Sequence[int]) -> Any:
    """Some rows of the encoder's output."""
    import ctranslate2  # noqa: PLC0415 - native code that only this process needs

    every = np.asarray(encoded)
    if len(rows) == len(every):
        return encoded
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(every[list(rows)]))


def _tokens_of(pieces: Sequence[Piece]) -> list[int]:
    return [token for piece in pieces for token in piece.tokens]
