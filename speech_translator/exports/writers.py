"""The file formats: plain text, SubRip, WebVTT (https://www.w3.org/TR/webvtt1/), JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from speech_translator.exports.cues import Cue, cues, segments_of, text_of
from speech_translator.scalability.results import TranscribedSegment, Transcription

Source = Transcription | Iterable[TranscribedSegment]

_WORD_JOINER = "\u2060"
# SubRip has no escapes: players read tags and ASS overrides, parsers look for the arrow. A word
# joiner inside shows nothing and keeps the text from being read as either.
_SRT_MARKUP = re.compile(r"--(?=>)|<(?=[a-zA-Z/])|\{(?=\\)")
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_text(source: Source, *, translated: bool = False) -> str:
    """One line for each segment.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    lines = (text_of(segment, translated=translated) for segment in segments_of(source))
    return "".join(f"{line}\n" for line in lines if line)


def to_srt(source: Source, *, translated: bool = False) -> str:
    """SubRip, numbered from 1; nothing said gives an empty file.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{_srt_lines(cue)}\n"
        for number, cue in enumerate(cues(source, translated=translated), start=1)
    )


def to_vtt(source: Source, *, translated: bool = False) -> str:
    """WebVTT with its three reserved characters escaped.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    blocks = (
        f"{_times(cue, '.')}\n{_vtt_lines(cue)}\n" for cue in cues(source, translated=translated)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def to_json(source: Source, *, translated: bool = False) -> str:
    """Segments with times in seconds, named as in ``POST /transcribe/audio``; a line feed ends it.

    A transcription also gives its text, language, duration and engine. With ``translated`` the
    translation is left in, without it out.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    body: dict[str, object] = {}
    if isinstance(source, Transcription):
        body = {
            "text": source.text,
            "language": source.language.tag if source.language else "und",
            "language_confidence": round(source.language_confidence, 4),
            "duration": round(source.duration, 3),
            "engine": source.engine,
        }
        if translated and source.translation is not None:
            body["translation"] = {
                "text": source.translation.text,
                "language": source.translation.target.tag,
                "route": source.translation.route,
                "degraded": source.translation.degraded,
                "rule_based": source.translation.rule_based,
            }
    body["segments"] = [_json(segment, translated=translated) for segment in segments_of(source)]
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() + "\n"


def _json(segment: TranscribedSegment, *, translated: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "id": segment.id,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "confidence": round(segment.confidence, 4),
    }
    if translated:
        if segment.translation is None:
            raise ValueError("the segments were not translated")
        found["translation"] = segment.translation
    if segment.words:
        found["words"] = [
            {
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "text": word.text.strip(),
                "probability": round(word.probability, 4),
            }
            for word in segment.words
        ]
    return found


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start_ms, point)} --> {_clock(cue.end_ms, point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"


def _srt_lines(cue: Cue) -> str:
    return "\n".join(
        _SRT_MARKUP.sub(lambda found: found[0] + _WORD_JOINER, line) for line in cue.lines
    )


def _vtt_lines(cue: Cue) -> str:
    return "\n".join(line.translate(_VTT_ESCAPES) for line in cue.lines)
