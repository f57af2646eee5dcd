"""Sharing a translated sentence out over the captions that its original was spread over."""

from __future__ import annotations

from collections.abc import Sequence

_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", "।", "؟", '."', '?"', '!"', ".”", "?”", "!”")


def ends_sentence(text: str) -> bool:
    """Whether a caption closes a sentence by its punctuation."""
    return text.rstrip().endswith(_SENTENCE_END)


def sentence_runs(captions: Sequence[str], *, longest: int = 6) -> list[range]:
    """Index ranges of neighbouring captions that make up whole sentences.

    A run is closed after ``longest`` captions, so that speech which is recognised without any
    punctuation still is translated in pieces of bounded length.
    """
    runs: list[range] = []
    start = 0
    for index, caption in enumerate(captions):
        if ends_sentence(caption) or index - start + 1 >= longest:
            runs.append(range(start, index + 1))
            start = index + 1
    if start < len(captions):
        runs.append(range(start, len(captions)))
    return runs


def distribute(translation: str, originals: Sequence[str]) -> list[str]:
    """Split ``translation`` over as many captions as there are originals, by their lengths.

    Cuts fall on spaces (anywhere in scripts that write none), nothing is lost: the parts joined
    by spaces are the translation again, but for runs of spaces.
    """
    words = translation.split()
    if len(words) < len(originals):
        # Fewer words than captions, or no spaces at all: cut between characters.
        return (
            _share(list(translation.strip()), originals, "")
            if len(words) <= 1
            else (words + [""] * (len(originals) - len(words)))
        )
    return _share(words, originals, " ")


def _share(pieces: list[str], originals: Sequence[str], glue: str) -> list[str]:
    total = sum(len(original) for original in originals) or len(originals)
    length = sum(len(piece) for piece in pieces)
    parts: list[str] = []
    start, spoken, placed = 0, 0, 0
    for index, original in enumerate(originals):
        spoken += len(original) or 1
        if index == len(originals) - 1:
            end = len(pieces)
        else:
            goal = length * min(spoken, total) / total
            end = start
            while end < len(pieces) and placed + len(pieces[end]) / 2 <= goal:
                placed += len(pieces[end])
                end += 1
        parts.append(glue.join(pieces[start:end]))
        start = end
    return parts
