"""Recognition by a model behind any server that speaks OpenAI's protocol."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from speech_translator.engines.openai_client import Client, Endpoint, served
from speech_translator.engines.values import (
    SAMPLE_RATE,
    EngineInfo,
    Samples,
    Segment,
    TranscribeCall,
    Transcript,
    Word,
)
from speech_translator.errors import EngineFailed, UnknownLanguage, UnsupportedPair
from speech_translator.languages import Language
from speech_translator.text import detect_language

NAME = "openai-transcription"

UNKNOWN_CONFIDENCE = 0.5
"""Of what a server gives no probability for."""

_MAX_SEGMENTS = 1_000
_SILENCE = 0.6
"""Whisper's threshold: with this probability of no speech, an unlikely text is none."""

_UNLIKELY = -1.0
_FORM_NAMES = {"timestamp_granularities": "timestamp_granularities[]"}
_OPTIONAL = ("timestamp_granularities", "response_format", "temperature")


class OpenAiTranscriber:
    """Asks a model, a clip at a time. Safe to call from several threads.

    Args:
        client: the server.
        model: its name there.
        languages: ``Language.key`` strings that it is trusted with.
    """

    def __init__(self, client: Client, model: str, languages: Sequence[str]) -> None:
        self._client = client
        self._model = model
        self._languages = tuple(dict.fromkeys(key.partition("-")[0] for key in languages))
        self._names = {Language.parse(key).name.lower(): key for key in self._languages}
        self._transcriptions = Endpoint(client, "audio/transcriptions", _OPTIONAL)

    def describe(self) -> EngineInfo:
        """Several calls at once, each in a request of its own; no reading in English."""
        return EngineInfo(
            name=NAME,
            task="recognition",
            concurrency=self._client.config.connections,
            models=(f"{NAME}:{self._model}",),
            languages=self._languages,
        )

    def transcribe(self, calls: Sequence[TranscribeCall]) -> list[Transcript]:
        """One transcript for each clip, in order.

        Raises:
            UnsupportedPair: a language that is not in ``OPENAI_LANGUAGES``, or a reading in
                English of another.
            EngineUnavailable, EngineFailed: the server does not answer, or with an error.
        """
        return [self._transcript(call) for call in calls]

    def _transcript(self, call: TranscribeCall) -> Transcript:
        spoken = call.language.partition("-")[0] if call.language else None
        if call.task == "translate" or (spoken and spoken not in self._languages):
            raise UnsupportedPair(f"The model does not recognise {spoken or 'this'} here.")
        body = self._client.run(partial(self._ask, call, spoken))
        return self.read(body, len(call.audio) / SAMPLE_RATE, spoken, words=call.word_timestamps)

    async def _ask(self, call: TranscribeCall, spoken: str | None) -> object:
        fields: dict[str, Any] = {"model": self._model, "temperature": "0"}
        if spoken:
            fields["language"] = spoken
        if call.prompt:
            fields["prompt"] = call.prompt
        fields["response_format"] = "verbose_json"
        granularities = ["segment", "word"] if call.word_timestamps else ["segment"]
        fields["timestamp_granularities"] = granularities
        files = {"file": ("clip.wav", wav_of(call.audio), "audio/wav")}

        def content(sent: Mapping[str, Any]) -> dict[str, Any]:
            data = {_FORM_NAMES.get(name, name): value for name, value in sent.items()}
            return {"data": {"response_format": "json", **data}, "files": files}

        return (await self._transcriptions.post(fields, content)).json()

    def read(self, body: object, duration: float, spoken: str | None, *, words: bool) -> Transcript:
        """A transcription in any of the protocol's JSON shapes.

        Args:
            body: what the server answered.
            duration: of the clip, in seconds: no time lies beyond it.
            spoken: the language that was asked for, if one was.
            words: whether words are wanted.

        Raises:
            EngineFailed: it is no transcription.
        """
        match body:
            case {"text": str() as text, **rest}:
                pass
            case _:
                raise EngineFailed("The OpenAI-compatible server answered no transcription.")
        segments = list(_segments(rest.get("segments"), duration))
        if not segments and not isinstance(rest.get("segments"), list) and text.strip():
            segments = [Segment(0.0, duration, text.strip(), UNKNOWN_CONFIDENCE)]
        if words:
            segments = _with_words(segments, list(_words(rest.get("words"), duration)))
        language, confidence = self._language(rest.get("language"), spoken, text)
        return Transcript(tuple(segments), language, confidence)

    def _language(self, told: object, spoken: str | None, text: str) -> tuple[str, float]:
        """The language and how sure it is; by the text where the server does not say."""
        if spoken:
            return spoken, 1.0
        if isinstance(told, str):
            try:
                key = self._names.get(told.lower()) or Language.parse(told).key.partition("-")[0]
            except UnknownLanguage:
                key = ""
            if key in self._languages:
                return key, 1.0
        detection = detect_language(text)
        if detection.language is not None:
            key = detection.language.key.partition("-")[0]
            if key in self._languages:
                return key, detection.confidence
        return self._languages[0], 0.0


def wav_of(samples: Samples) -> bytes:
    """Mono 16-bit WAV at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        finite = np.nan_to_num(np.asarray(samples, np.float32))
        file.writeframes((np.clip(finite, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def _segments(listed: object, duration: float) -> Iterator[Segment]:
    """Segments in order and within the clip; silence and what is none is left out."""
    at = 0.0
    for item in (listed if isinstance(listed, list) else [])[:_MAX_SEGMENTS]:
        match item:
            case {"text": str() as text, **rest} if text.strip():
                pass
            case _:
                continue
        logprob = _number(rest.get("avg_logprob"))
        silent = _number(rest.get("no_speech_prob"))
        if silent is not None and silent > _SILENCE and (logprob or 0.0) < _UNLIKELY:
            continue
        start, end = _times(rest, at, duration)
        at = end
        confidence = UNKNOWN_CONFIDENCE if logprob is None else math.exp(min(0.0, logprob))
        yield Segment(start, end, text.strip(), confidence)


def _words(listed: object, duration: float) -> Iterator[Word]:
    at = 0.0
    for item in (listed if isinstance(listed, list) else [])[: 20 * _MAX_SEGMENTS]:
        match item:
            case {"word": str() as text, **rest} if text.strip():
                start, end = _times(rest, at, duration)
                at = start
                probability = _number(rest.get("probability"))
                known = UNKNOWN_CONFIDENCE if probability is None else probability
                yield Word(start, end, f" {text.strip()}", min(1.0, max(0.0, known)))


def _times(item: Mapping[Any, object], earliest: float, latest: float) -> tuple[float, float]:
    """Start and end of an item, in order and within bounds; all that is left where untold."""
    start, end = _number(item.get("start")), _number(item.get("end"))
    begin = min(max(earliest, earliest if start is None else start), latest)
    return begin, min(max(begin, latest if end is None else end), latest)


def _with_words(segments: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    """Each word in the segment that it begins in, the last one that has begun."""
    found: list[list[Word]] = [[] for _ in segments]
    for word in words:
        begun = [i for i, segment in enumerate(segments) if segment.start <= word.start]
        if segments:
            found[begun[-1] if begun else 0].append(word)
    return [
        Segment(segment.start, segment.end, segment.text, segment.confidence, tuple(inside))
        for segment, inside in zip(segments, found, strict=True)
    ]


def _number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def load(options: Mapping[str, object]) -> OpenAiTranscriber:
    """The engine, without asking the server: it may come up later. See ``served``."""
    return OpenAiTranscriber(*served(options))
