"""From probabilities of speech to the stretches of a recording that are worth recognising. Pure.

``speech_regions`` finds where somebody speaks: hysteresis over the probabilities of a voice
activity detector, short blips and short gaps removed, room left around, and what is too long cut
where speech is least likely. ``plan_clips`` joins these regions into clips for recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

WINDOW_S = 0.032
"""Seconds that one probability stands for: 512 samples at 16 kHz."""

Probabilities = Sequence[float] | npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of audio in seconds from its start."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """How speech is told from the rest. Lengths are seconds.

    ``on`` starts a region and ``off`` ends it. Speech shorter than ``min_speech`` is taken for a
    click, a gap shorter than ``min_silence`` for a part of the speech. ``padding`` is left on both
    sides, for voice activity starts late on soft consonants. No region is longer than
    ``max_length``.
    """

    on: float = 0.5
    off: float = 0.35
    min_speech: float = 0.064
    min_silence: float = 0.16
    padding: float = 0.3
    max_length: float = 28.0

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        if not 0.0 < self.off <= self.on <= 1.0:
            raise ValueError("thresholds must satisfy 0 < off <= on <= 1")
        if min(self.padding, self.min_silence, self.min_speech) < 0:
            raise ValueError("lengths must not be negative")
        if self.max_length - 2 * self.padding < 1.0:
            raise ValueError("max_length must leave a second between its paddings")


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """How regions become clips. Lengths are seconds.

    Recognition costs about as much for a window of ``window`` seconds as for any shorter clip, so
    clips are filled up to ``target``; a pause longer than ``max_pause`` always ends one, since the
    silence would be paid for and invites invented text. Speech without a pause makes a clip of up
    to ``longest``: more would hold the engine for too long.
    """

    target: float = 12.0
    longest: float = 20.0
    max_pause: float = 2.0


DEFAULT_REGIONS = RegionConfig()
DEFAULT_CLIPS = ClipConfig()


def speech_regions(
    probabilities: Probabilities, duration: float, config: RegionConfig = DEFAULT_REGIONS
) -> list[Region]:
    """Where somebody speaks: sorted, disjoint, inside [0, duration].

    Args:
        probabilities: one for each 32 ms window.
        duration: of the audio in seconds; the last window may reach beyond it.
        config: thresholds and lengths.
    """
    return _padded(_speech(probabilities, duration, config), duration, config.padding)


def plan_clips(
    probabilities: Probabilities,
    duration: float,
    *,
    regions: RegionConfig = DEFAULT_REGIONS,
    clips: ClipConfig = DEFAULT_CLIPS,
) -> list[Region]:
    """Clips for recognition: neighbouring regions joined, cut at the longest pauses.

    Args:
        probabilities: one for each 32 ms window.
        duration: of the audio in seconds.
        regions: how speech is found.
        clips: how long clips should be.
    """
    longest = min(clips.longest, regions.max_length)
    speech = _speech(probabilities, duration, replace(regions, max_length=longest))
    target = min(clips.target, longest) - 2 * regions.padding
    planned: list[Region] = []
    for group in _split_at_long_pauses(speech, clips.max_pause):
        planned += _grouped(group, target)
    return _padded(planned, duration, regions.padding)


def _speech(probabilities: Probabilities, duration: float, config: RegionConfig) -> list[Region]:
    """Regions without padding; none so long that it exceeds the limit once it is padded."""
    likely = np.asarray(probabilities, dtype=np.float64)
    if not len(likely) or duration <= 0:
        return []
    runs = _without_blips(_joined(_runs(likely, config), config), config)
    smooth = _smoothed(likely)
    longest = config.max_length - 2 * config.padding
    found = []
    for first, last in runs:
        region = Region(first * WINDOW_S, min(duration, last * WINDOW_S))
        if region.duration > 0:
            found += _cut(region, smooth, longest)
    return found


def _runs(likely: npt.NDArray[np.float64], config: RegionConfig) -> list[tuple[int, int]]:
    """Half-open ranges of windows between a rise to ``on`` and the fall below ``off``."""
    runs: list[tuple[int, int]] = []
    start = -1
    for index, value in enumerate(likely):
        if start < 0 and value >= config.on:
            start = index
        elif start >= 0 and value < config.off:
            runs.append((start, index))
            start = -1
    if start >= 0:
        runs.append((start, len(likely)))
    return runs


def _joined(runs: Sequence[tuple[int, int]], config: RegionConfig) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in runs:
        if joined and (start - joined[-1][1]) * WINDOW_S < config.min_silence:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _without_blips(runs: Sequence[tuple[int, int]], config: RegionConfig) -> list[tuple[int, int]]:
    return [run for run in runs if (run[1] - run[0]) * WINDOW_S >= config.min_speech]


def _padded(speech: Sequence[Region], duration: float, padding: float) -> list[Region]:
    """Regions with room around; two neighbours share the gap between them."""
    if not speech:
        return []
    edges = [0.0]
    for before, after in pairwise(speech):
        edges.append((before.end + after.start) / 2)
    edges.append(duration)
    return [
        Region(max(left, region.start - padding), min(right, region.end + padding))
        for region, left, right in zip(speech, edges[:-1], edges[1:], strict=True)
    ]


def _smoothed(likely: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean with both neighbours: one low window inside of a word is not a pause."""
    padded = np.concatenate((likely[:1], likely, likely[-1:]))
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0)


def _cut(region: Region, smooth: npt.NDArray[np.float64], longest: float) -> list[Region]:
    """Pieces of at most ``longest`` seconds, cut where speech is least likely."""
    pieces = []
    start = region.start
    while region.end - start > longest:
        # Pieces of like length, so that no scrap is left at the end; the cut may wander around
        # the even length by a quarter, as far as the limit and the rest allow.
        count = int(np.ceil((region.end - start) / longest))
        even = (region.end - start) / count
        latest = start + min(longest, even * 1.25)
        earliest = max(start + even * 0.75, region.end - (count - 1) * longest)
        cut = _quietest(smooth, min(earliest, latest), latest)
        pieces.append(Region(start, cut))
        start = cut
    pieces.append(Region(start, region.end))
    return pieces


def _quietest(smooth: npt.NDArray[np.float64], earliest: float, latest: float) -> float:
    """The middle of the least likely window that lies between two times."""
    first = int(np.ceil(earliest / WINDOW_S - 0.5))
    last = int(np.floor(latest / WINDOW_S - 0.5))
    candidates = smooth[max(0, first) : last + 1]
    if not len(candidates):
        return latest
    return (max(0, first) + int(np.argmin(candidates)) + 0.5) * WINDOW_S


def _split_at_long_pauses(speech: Sequence[Region], max_pause: float) -> list[list[Region]]:
    groups: list[list[Region]] = []
    for region in speech:
        if groups and region.start - groups[-1][-1].end <= max_pause:
            groups[-1].append(region)
        else:
            groups.append([region])
    return groups


def _grouped(group: Sequence[Region], target: float) -> list[Region]:
    """The cheapest way to join neighbours into clips of at most ``target`` seconds.

    Dynamic programming over the pauses: each clip has a fixed cost, each cut one that shrinks with
    the length of its pause. A region that is longer than the target is a clip of its own.
    """
    best = [0.0] + [np.inf] * len(group)
    previous = [0] * (len(group) + 1)
    for end in range(1, len(group) + 1):
        for start in range(end - 1, -1, -1):
            length = group[end - 1].end - group[start].start
            if length > target and end - start > 1:
                break
            pause = group[end].start - group[end - 1].end if end < len(group) else np.inf
            cost = best[start] + _clip_cost(length, target) + _cut_cost(pause)
            if cost < best[end]:
                best[end], previous[end] = cost, start
    clips = []
    end = len(group)
    while end:
        clips.append(Region(group[previous[end]].start, group[end - 1].end))
        end = previous[end]
    return clips[::-1]


def _clip_cost(length: float, target: float) -> float:
    """One for the clip, and up to a half more for one that is short: it lacks context."""
    missing = max(0.0, target - length) / target
    return 1.0 + 0.5 * missing**2


def _cut_cost(pause: float) -> float:
    """Cutting inside a sentence costs words; pauses of half a second and more end one."""
    return 0.5 * float(np.exp(-pause / 0.25))
