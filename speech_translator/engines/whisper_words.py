"""Times of words from the alignment that Whisper's cross-attention gives. Pure.

The alignment says at which 20 ms step of the encoder each token was read (dynamic time warping
over the attention of a few heads; OpenAI's reference ``whisper/timing.py``). A word runs from the
step of its first token to that of the next word; punctuation joins the word it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from speech_translator.engines.values import Word
from speech_translator.engines.whisper_tokens import SECONDS_PER_TIMESTAMP, WhisperTokens

_OPENING = "\"'“¿([{-«„"
_CLOSING = "\"'.。,，!！?？:：”)]}、…»;；"  # noqa: RUF001 - the punctuation of other scripts
_LONGEST_RATIO = 3.0
_LONGEST_S = 1.2


@dataclass(slots=True)
class _Timed:
    text: str
    start: float
    end: float
    probability: float


def timed_words(
    tokens: Sequence[int],
    alignment: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    codec: WhisperTokens,
    language: str,
    bounds: tuple[float, float],
) -> list[Word]:
    """Words with monotone times inside ``bounds``, in seconds.

    Args:
        tokens: text tokens of one clip.
        alignment: pairs of (token index, encoder step), as ``Whisper.align`` gives them.
        probabilities: one for each token.
        codec: splits tokens into words.
        language: ``Language.key``.
        bounds: the earliest and the latest time that a word may have.
    """
    groups = codec.words(tokens, language)
    if not groups or not alignment:
        return []
    starts = (_first_steps(alignment, len(tokens)) * SECONDS_PER_TIMESTAMP).tolist()
    words = []
    index = 0
    for group in groups:
        after = index + len(group)
        likely = float(np.mean(probabilities[index:after])) if len(probabilities) >= after else 0.0
        end = starts[index + _spoken(group, codec)]
        words.append(_Timed(codec.decode(group), starts[index], end, likely))
        index = after
    return _bounded(_join_punctuation(words), *bounds)


def _spoken(group: Sequence[int], codec: WhisperTokens) -> int:
    """How many tokens of a word come before its closing marks, in which nothing is said."""
    count = len(group)
    while count > 1 and set(codec.decode(group[count - 1 : count]).strip()) <= set(_CLOSING):
        count -= 1
    return count


def _first_steps(alignment: Sequence[tuple[int, int]], count: int) -> npt.NDArray[np.int64]:
    """The first encoder step of each token, and of the end behind the last one."""
    pairs = np.asarray(alignment, dtype=np.int64)
    steps = np.full(count + 1, pairs[:, 1].max(initial=0), np.int64)
    # Written backwards, so that the first of several steps of a token stays.
    inside = pairs[pairs[:, 0] <= count][::-1]
    steps[inside[:, 0]] = inside[:, 1]
    return np.maximum.accumulate(steps)


def _join_punctuation(words: Sequence[_Timed]) -> list[_Timed]:
    """Closing marks go to the word before them, opening ones to the word behind."""
    joined: list[_Timed] = []
    opening: _Timed | None = None
    for word in words:
        bare = word.text.strip()
        if not bare:
            continue
        # A mark behind a space opens (« "Hello »), one without a space closes (« Hello" »).
        if joined and not word.text.startswith(" ") and set(bare) <= set(_CLOSING):
            joined[-1].text += word.text
            joined[-1].end = max(joined[-1].end, word.start)
            continue
        if set(bare) <= set(_OPENING):
            opening = word
            continue
        if opening is not None:
            word.text = opening.text + word.text.lstrip()
            word.start = min(opening.start, word.start)
            opening = None
        joined.append(word)
    if opening is not None and joined:
        joined[-1].text += opening.text
    return joined


def _bounded(words: Sequence[_Timed], earliest: float, latest: float) -> list[Word]:
    """Monotone times in the bounds; a word does not stretch over the pause before or behind it."""
    lengths = [word.end - word.start for word in words if word.end > word.start]
    usual = float(np.median(lengths)) if lengths else 0.0
    longest = max(_LONGEST_S, _LONGEST_RATIO * usual)
    bounded = []
    previous = earliest
    for index, word in enumerate(words):
        start, end = word.start, word.end
        if end - start > longest:
            # The first word of a clip swallows the silence before it, any other the one behind.
            start, end = (end - longest, end) if index == 0 else (start, start + longest)
        start = min(latest, max(previous, start))
        end = min(latest, max(start, end))
        previous = end
        bounded.append(
            Word(round(start, 3), round(end, 3), word.text.strip(), round(word.probability, 4))
        )
    return bounded
