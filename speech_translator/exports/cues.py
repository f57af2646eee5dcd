"""From segments of speech to cues that can be read: short enough, in order, never two at a time.

A segment that is too long for two lines is cut, after the end of a sentence where there is one,
then after a clause, then at a pause in speech. A cut is timed by the words of recognition where
it gave them; otherwise the segment's time is shared out by characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from speech_translator.exports.wrapping import MAX_LINE, Atom, atoms, clean, fits, visible, wrap
from speech_translator.scalability.results import TranscribedSegment, Transcription

MAX_CUE_S = 7.0
"""Seconds after which a cue that can be cut is cut."""

MIN_CUE_MS = 800
"""Milliseconds that a cue stays where the next one leaves room."""

_SENTENCE_END = frozenset(".?!…。？！।؟")
_CLAUSE_END = frozenset(",;:—、，：；،؛")  # noqa: RUF001
_CLOSERS = "\"'’”»)]」』）"  # noqa: RUF001
_PAUSE_S = 0.3
_MAX_ATOMS = 2 * MAX_LINE


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines of text, shown from ``start_ms`` to ``end_ms`` of the recording."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def segments_of(
    source: Transcription | Iterable[TranscribedSegment],
) -> tuple[TranscribedSegment, ...]:
    """The segments of a transcription, or the given ones."""
    return source.segments if isinstance(source, Transcription) else tuple(source)


def text_of(segment: TranscribedSegment, *, translated: bool) -> str:
    """What was said, or its translation, cleaned and trimmed.

    Raises:
        ValueError: the translation is asked for and there is none.
    """
    if not translated:
        return clean(segment.text).strip()
    if segment.translation is None:
        raise ValueError("the segments were not translated")
    return clean(segment.translation).strip()


def cues(
    source: Transcription | Iterable[TranscribedSegment], *, translated: bool = False
) -> list[Cue]:
    """Cues in order of time; they do not overlap and each lasts at least a millisecond.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    raw = [
        cue
        for segment in sorted(segments_of(source), key=lambda segment: segment.start)
        for cue in _of_segment(segment, text_of(segment, translated=translated), translated)
    ]
    return _in_order(raw)


def _of_segment(segment: TranscribedSegment, text: str, translated: bool) -> list[Cue]:  # noqa: FBT001
    pieces = atoms(text)
    if not pieces:
        return []
    timeline = _Timeline.of(segment, text, by_words=not translated)
    return [
        Cue(
            round(timeline.start_of(group[0]) * 1000),
            round(timeline.end_of(group[-1]) * 1000),
            wrap(group),
        )
        for group in _grouped(pieces, timeline)
    ]


@dataclass(frozen=True, slots=True)
class _Timeline:
    """When each visible character is said: knots of (characters before it, seconds).

    Between knots time runs evenly. ``starts`` and ``ends`` differ at a pause: the same character
    offset is the end of one word and the start of the next.
    """

    offsets: tuple[int, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]

    @classmethod
    def of(cls, segment: TranscribedSegment, text: str, *, by_words: bool) -> _Timeline:
        spoken = "".join("".join(clean(word.text).split()) for word in segment.words)
        if by_words and segment.words and spoken == "".join(text.split()):
            return cls._of_words(segment)
        size = max(1, visible(text))
        end = max(segment.start, segment.end)
        return cls((0, size), (segment.start, end), (segment.start, end))

    @classmethod
    def _of_words(cls, segment: TranscribedSegment) -> _Timeline:
        offsets, starts, ends = [0], [], []
        clock = max(0.0, segment.words[0].start)
        ends.append(clock)
        for word in segment.words:
            size = visible(clean(word.text))
            if not size:
                continue
            start = max(clock, word.start)
            clock = max(start, word.end)
            starts.append(start)
            ends.append(clock)
            offsets.append(offsets[-1] + size)
        starts.append(clock)
        return cls(tuple(offsets), tuple(starts), tuple(ends))

    def start_of(self, atom: Atom) -> float:
        return self._at(atom.first, min(bisect_right(self.offsets, atom.first), self._last) - 1)

    def end_of(self, atom: Atom) -> float:
        return self._at(atom.last, min(bisect_right(self.offsets, atom.last - 1), self._last) - 1)

    @property
    def _last(self) -> int:
        return len(self.offsets) - 1

    def _at(self, offset: int, knot: int) -> float:
        first, last = self.offsets[knot], self.offsets[knot + 1]
        share = (offset - first) / (last - first)
        return self.starts[knot] + share * (self.ends[knot + 1] - self.starts[knot])


def _grouped(pieces: Sequence[Atom], timeline: _Timeline) -> list[list[Atom]]:
    """The cheapest way to cut the pieces into cues (shortest path over the places to cut)."""
    count = len(pieces)
    best = [0.0] + [float("inf")] * count
    came_from = [0] * (count + 1)
    for start in range(count):
        for end in range(start + 1, min(count, start + _MAX_ATOMS) + 1):
            group = list(pieces[start:end])
            if len(group) > 1 and not fits(group):
                break
            cost = best[start] + _cost(group, timeline)
            if end < count:
                cost += _cut_cost(pieces[end - 1], pieces[end], timeline)
            if cost < best[end]:
                best[end], came_from[end] = cost, start
    cuts = [count]
    while cuts[-1]:
        cuts.append(came_from[cuts[-1]])
    return [list(pieces[start:end]) for start, end in pairwise(reversed(cuts))]


def _cost(group: Sequence[Atom], timeline: _Timeline) -> float:
    """Few cues, none of a word or two, none that stands too long."""
    seconds = timeline.end_of(group[-1]) - timeline.start_of(group[0])
    short = max(0, 12 - (group[-1].last - group[0].first))
    return 1.0 + 0.1 * short + max(0.0, seconds - MAX_CUE_S) * (len(group) > 1)


def _cut_cost(before: Atom, after: Atom, timeline: _Timeline) -> float:
    ending = before.text.rstrip(_CLOSERS)[-1:]
    if ending in _SENTENCE_END:
        return -0.5
    pause = timeline.start_of(after) - timeline.end_of(before)
    if ending in _CLAUSE_END or pause >= _PAUSE_S:
        return 0.0
    return 1.0 if after.spaced else 2.0


def _in_order(raw: Sequence[Cue]) -> list[Cue]:
    """Starts that rise, ends no later than the next start, short cues stretched into gaps."""
    starts: list[int] = []
    for cue in raw:
        starts.append(max(0, cue.start_ms, starts[-1] + 1 if starts else 0))
    found = []
    for index, cue in enumerate(raw):
        start = starts[index]
        end = max(cue.end_ms, start + MIN_CUE_MS)
        if index + 1 < len(raw):
            end = min(end, starts[index + 1])
        found.append(replace(cue, start_ms=start, end_ms=end))
    return found
