"""StreamLAAL: how late a translation comes, word for word, over speech that is not cut up. Pure.

Papi, Gaido, Negri, Bentivogli: "StreamAtt: Direct Streaming Speech-to-Text Translation with
Attention-based Audio History Selection" (ACL 2024; https://arxiv.org/abs/2406.06097). The words of
the whole stream are shared out among the reference's sentences so that the word error rate is least
(Matusov et al., "Evaluating Machine Translation Output with Automatic Sentence Segmentation", IWSLT
2005); each sentence is measured by LAAL (Papi et al., "Over-Generation Cannot Be Rewarded",
2022; https://arxiv.org/abs/2206.05807) from where it begins, and the mean is told. Words are
compared without case and punctuation. A word counts from when it was shown and never taken back.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jiwer


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the stream, and the second of the audio's time at which it was shown for good."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A sentence as it should be translated; where it is spoken, in seconds of the audio."""

    text: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """StreamLAAL in seconds, and the sentences that have no word and so no part in it."""

    seconds: float
    empty: int


def emitted(states: Iterable[tuple[float, int, str]]) -> list[Word]:
    """The words of a stream in their order, each with the moment since when it stands.

    Args:
        states: moment, number of a segment, and all the text that the segment now shows.
    """
    segments: dict[int, list[Word]] = {}
    for at, segment, text in states:
        before, now = segments.get(segment, []), text.split()
        kept = 0
        while kept < min(len(before), len(now)) and before[kept].text == now[kept]:
            kept += 1
        segments[segment] = before[:kept] + [Word(word, at) for word in now[kept:]]
    return [word for segment in sorted(segments) for word in segments[segment]]


def segmented(words: Sequence[str], sentences: Sequence[str]) -> list[slice]:
    """Which of ``words`` belong to which sentence, so that the word error rate is least.

    With one reference that is where the best alignment of the whole passes from one sentence to
    the next; words that belong to neither stay with the one before.
    """
    wanted = [_plain(word) for sentence in sentences for word in sentence.split()]
    found = jiwer.process_words(" ".join(wanted), " ".join(map(_plain, words)))
    place = [0] * len(wanted)
    for chunk in found.alignments[0]:
        for step in range(chunk.ref_end_idx - chunk.ref_start_idx):
            there = chunk.hyp_start_idx + step
            place[chunk.ref_start_idx + step] = min(there, chunk.hyp_end_idx)
    starts, at = [], 0
    for sentence in sentences:
        starts.append(place[at] if starts else 0)
        at += len(sentence.split())
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]


def laal(delays: Sequence[float], source_s: float, target_words: int) -> float:
    """Length-Adaptive Average Lagging of one sentence, in seconds.

    Args:
        delays: of each word of the translation, from the beginning of the source; at least one.
        source_s: length of the source.
        target_words: words of the reference.
    """
    step = source_s / max(len(delays), target_words)
    lags = []
    for count, delay in enumerate(delays):
        lags.append(delay - count * step)
        if delay >= source_s:
            break
    return statistics.mean(lags)


def stream_laal(words: Sequence[Word], references: Sequence[Reference]) -> Score:
    """The mean over the sentences of a stream."""
    parts = segmented([word.text for word in words], [one.text for one in references])
    lags = [
        laal(
            [word.at - one.start for word in words[part]],
            one.seconds,
            len(one.text.split()),
        )
        for part, one in zip(parts, references, strict=True)
        if words[part]
    ]
    return Score(statistics.mean(lags), len(references) - len(lags))


def _plain(word: str) -> str:
    """A word without case and signs; a sign alone stands for itself."""
    return "".join(re.findall(r"[^\W_]+", word.casefold())) or word
