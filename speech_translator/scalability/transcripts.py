"""Pure steps from the transcripts of clips to the transcription of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from speech_translator.engines.values import Segment, Transcript
from speech_translator.languages import Language
from speech_translator.media.speech_regions import Region
from speech_translator.scalability.results import TranscribedSegment, Transcription


def spoken_key(language: Language) -> str:
    """What recognition calls a language: speech has no script, zh-Hant is heard where zh is."""
    return language.key.partition("-")[0]


def language_of(
    transcripts: Sequence[Transcript], given: str | None
) -> tuple[Language | None, float]:
    """The language most clips agree on, weighted by how sure they are and how much was said."""
    if given is not None:
        return Language.parse(given), 1.0
    votes: dict[str, float] = {}
    weights: dict[str, float] = {}
    for transcript in transcripts:
        weight = sum(segment.end - segment.start for segment in transcript.segments)
        if not weight:
            continue  # what language silence is in tells nothing
        votes[transcript.language] = (
            votes.get(transcript.language, 0.0) + weight * transcript.language_confidence
        )
        weights[transcript.language] = weights.get(transcript.language, 0.0) + weight
    if not votes:
        return None, 0.0
    best = max(votes, key=lambda language: votes[language])
    return Language.parse(best), min(1.0, votes[best] / weights[best])


def placed(segment: Segment, clip: Region, number: int) -> TranscribedSegment:
    """A segment of a clip with times of the whole recording."""
    words = tuple(
        type(word)(word.start + clip.start, word.end + clip.start, word.text, word.probability)
        for word in segment.words
    )
    return TranscribedSegment(
        id=number,
        start=segment.start + clip.start,
        end=segment.end + clip.start,
        text=segment.text.strip(),
        confidence=segment.confidence,
        words=words,
    )


def aligned(spoken: Sequence[Segment], english: Sequence[Segment]) -> list[str]:
    """English segments joined to the spoken ones that they overlap most; none is lost."""
    texts: list[list[str]] = [[] for _ in spoken]
    for reading in english:
        if not spoken or not reading.text.strip():
            continue
        overlaps = [min(s.end, reading.end) - max(s.start, reading.start) for s in spoken]
        texts[int(np.argmax(overlaps))].append(reading.text.strip())
    return [" ".join(parts) for parts in texts]


def transcription_of(
    given: str | None,
    clips: Sequence[Region],
    transcripts: Sequence[Transcript],
    duration: float,
    engine: str,
) -> Transcription:
    """Transcripts of clips put together; ``given`` is what is spoken, where that was told."""
    language, confidence = language_of(transcripts, given)
    spoken = (
        (segment, clip)
        for clip, transcript in zip(clips, transcripts, strict=True)
        for segment in _spoken(transcript)
    )
    segments = tuple(placed(*pair, number) for number, pair in enumerate(spoken))
    return Transcription(
        text=" ".join(segment.text for segment in segments),
        language=language,
        language_confidence=confidence,
        duration=duration,
        segments=segments,
        engine=engine,
    )


def english_of(transcripts: Sequence[Transcript], readings: Sequence[Transcript]) -> Iterator[str]:
    """English for every segment, clip by clip."""
    for transcript, reading in zip(transcripts, readings, strict=True):
        yield from aligned(_spoken(transcript), reading.segments)


def _spoken(transcript: Transcript) -> list[Segment]:
    return [segment for segment in transcript.segments if segment.text.strip()]
