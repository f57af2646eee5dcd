"""Speech by a model behind any server that speaks OpenAI's protocol."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from speech_translator.engines import speech_samples, speech_text
from speech_translator.engines.openai_client import Client, Endpoint, served
from speech_translator.engines.values import Audio, EngineInfo, Samples, SynthesizeCall, Voice
from speech_translator.engines.voices import VoiceBook
from speech_translator.errors import ConfigurationError, EngineFailed, UnknownLanguage
from speech_translator.languages import Language

NAME = "openai-speech"
MAX_CHARS = 4_096
"""Longest input that the protocol allows, in characters."""

PCM_RATE = 24_000
"""Hz of the protocol's ``pcm``, which is mono and signed 16-bit, little-endian."""

_MAX_BYTES = 64 * 1024 * 1024
_RATES = range(8_000, 96_001)
_OPTIONAL = ("response_format", "speed")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class OpenAiSpeech:
    """Asks a model, a sentence at a time. Safe to call from several threads.

    Args:
        client: the server.
        model: its name there.
        voices: of the server, with the languages that they are for.
    """

    def __init__(self, client: Client, model: str, voices: Sequence[Voice]) -> None:
        self._client = client
        self._model = model
        self._book = VoiceBook(voices, max_chars=MAX_CHARS)
        self._speech = Endpoint(client, "audio/speech", _OPTIONAL)

    def describe(self) -> EngineInfo:
        """Several calls at once, each in a request of its own."""
        return EngineInfo(
            name=NAME,
            task="synthesis",
            concurrency=self._client.config.connections,
            models=(f"{NAME}:{self._model}",),
            languages=self._book.languages,
            voices=self._book.voices,
        )

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        """Speech at the server's rate; see ``Synthesizer``.

        Raises:
            EngineUnavailable, EngineFailed: the server does not answer, or with what is no speech.
        """
        return [self._spoken(call) for call in calls]

    def _spoken(self, call: SynthesizeCall) -> Audio:
        voice = self._book.pick(call)
        text = speech_text.cleaned(call.text)
        if not text:
            return speech_samples.audio([], PCM_RATE)
        body = self._client.run(partial(self._ask, text, voice.name, call.speed))
        samples, rate = read_speech(body)
        sound = speech_samples.trimmed(samples, rate)
        if not len(sound):
            raise EngineFailed("The OpenAI-compatible server answered with silence.")
        return speech_samples.audio([sound], rate)

    async def _ask(self, text: str, voice: str, speed: float) -> bytes:
        fields: dict[str, Any] = {
            "model": self._model,
            "voice": voice,
            "input": text,
            "response_format": "wav",
            "speed": speed,
        }

        def content(sent: Mapping[str, Any]) -> dict[str, Any]:
            return {"json": {"response_format": "pcm", **sent}}

        return (await self._speech.post(fields, content, max_bytes=_MAX_BYTES)).body


def read_speech(body: bytes) -> tuple[Samples, int]:
    """Mono samples and their rate from WAV, or from the protocol's ``pcm``.

    Read here and not by ``wave``, which refuses the sizes that servers write when they begin to
    send before they know them, and floating point.

    Raises:
        EngineFailed: it is another format, or damaged.
    """
    if body[:3] == b"ID3" or body[:4] in {b"OggS", b"fLaC"} or body[:1] in {b"{", b"<"}:
        raise EngineFailed("The OpenAI-compatible server answered with neither WAV nor PCM.")
    if body[:4] != b"RIFF":
        return _integers(body[: len(body) // 2 * 2]), PCM_RATE
    layout: tuple[int, int, int, int] | None = None
    for name, content in _chunks(body):
        if name == b"fmt ":
            layout = _layout(content)
        elif name == b"data" and layout is not None:
            kind, channels, rate, bits = layout
            width = channels * bits // 8
            whole = content[: len(content) // width * width]
            flat = _integers(whole) if kind == _PCM else np.frombuffer(whole, "<f4").astype("f4")
            return flat.reshape(-1, channels).mean(axis=1, dtype=np.float32), rate
    raise EngineFailed("The OpenAI-compatible server answered with damaged WAV.")


def _chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a RIFF file's chunks; the last one ends where the file does."""
    at = 12
    while at + 8 <= len(body):
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        yield body[at : at + 4], body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _layout(content: bytes) -> tuple[int, int, int, int]:
    """Format, channels, rate and bits of a sample."""
    try:
        kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
        if kind == _EXTENSIBLE:
            (kind,) = struct.unpack_from("<H", content, 24)
    except struct.error:
        kind = channels = rate = bits = 0
    if (kind, bits) not in {(_PCM, 16), (_FLOAT, 32)} or channels not in {1, 2}:
        raise EngineFailed("The OpenAI-compatible server answered with WAV of another kind.")
    if rate not in _RATES:
        raise EngineFailed("The OpenAI-compatible server answered with WAV of an odd rate.")
    return kind, channels, rate, bits


def _integers(content: bytes) -> Samples:
    return np.frombuffer(content, "<i2").astype(np.float32) / 32768.0


def voices_of(names: Sequence[str], languages: Sequence[str]) -> list[Voice]:
    """Voices as ``OPENAI_VOICES`` names them; see the setting.

    Args:
        names: ``alloy`` for every language, ``pt:faber`` for one.
        languages: ``Language.key`` strings.

    Raises:
        ConfigurationError: a name is empty, or its language unknown.
    """
    found: dict[str, Voice] = {}
    for entry in names:
        code, colon, name = entry.rpartition(":")
        try:
            keys = [Language.parse(code).key] if colon else list(languages)
        except UnknownLanguage as error:
            raise ConfigurationError(f"OPENAI_VOICES: {error.message}") from error
        if not name:
            raise ConfigurationError("OPENAI_VOICES holds a voice without a name.")
        for key in keys:
            voice = Voice(f"{NAME}:{key}:{name}", name, key)
            found.setdefault(voice.id, voice)
    return list(found.values())


def load(options: Mapping[str, object]) -> OpenAiSpeech:
    """The engine, without asking the server: it may come up later.

    Args:
        options: as ``served`` takes them, and ``voices``.

    Raises:
        ConfigurationError: the address, the key or a voice cannot be one.
    """
    voices = options["voices"]
    assert isinstance(voices, list | tuple)  # noqa: S101 - the registry's own
    client, model, languages = served(options)
    return OpenAiSpeech(client, model, voices_of(voices, languages))
