"""Recognition and speech behind a server of OpenAI's protocol, in their real engine processes.

The server recognises with the real Whisper, so that real words come back over the real protocol.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from speech_translator.engines import whisper
from speech_translator.engines.openai_transcription import wav_of
from speech_translator.engines.registry import engine_specs
from speech_translator.engines.values import TranscribeCall
from speech_translator.engines.whisper import WhisperTranscriber
from speech_translator.errors import (
    ConfigurationError,
    EngineFailed,
    EngineUnavailable,
    SpeechTranslatorError,
)
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.services import Services, open_services
from speech_translator.settings import Settings
from tests.support.openai_server import KEY, Answer, OpenAiServer, Request, error, openai_server
from tests.support.recordings import librivox, plain, word_error_rate

EN = Language.parse("en")
RECORDING = librivox()[0]


def parts_of(request: Request) -> dict[str, bytes]:
    """The fields of a multipart form; a field that comes again is joined."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    fields: dict[str, bytes] = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        fields[name] = fields.get(name, b"") + content
    return fields


@pytest.fixture(scope="module")
def model() -> WhisperTranscriber:
    return whisper.load({"models_dir": str(Settings().models_dir), "threads": 2})


@pytest.fixture
def server(model: WhisperTranscriber) -> Iterator[OpenAiServer]:
    def transcriptions(request: Request) -> Answer:
        fields = parts_of(request)
        with wave.open(io.BytesIO(fields["file"])) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        call = TranscribeCall(
            samples.astype(np.float32), fields.get("language", b"").decode() or None
        )
        (found,) = model.transcribe([call])
        if fields["response_format"] == b"json":
            return Answer({"text": found.text})
        segments = [{"start": s.start, "end": s.end, "text": s.text} for s in found.segments]
        return Answer({"text": found.text, "language": "english", "segments": segments})

    def speech(request: Request) -> Answer:
        seconds = len(request.json()["input"]) / 20
        tone = np.sin(np.arange(int(16_000 * seconds)) / 20).astype(np.float32) / 2
        # As from a server that begins to send before it knows how much it will be.
        content = wav_of(tone)
        return Answer(content[:40] + b"\xff\xff\xff\xff" + content[44:], content_type="audio/wav")

    with openai_server() as running:
        running.handlers["audio/transcriptions"] = transcriptions
        running.handlers["audio/speech"] = speech
        yield running


def settings(server: OpenAiServer, **changes: object) -> Settings:
    return Settings(
        **{
            "translators": (),
            "transcribers": ("openai-transcription",),
            "synthesizers": ("openai-speech",),
            "live_synthesizers": ("openai-speech",),
            "openai_url": server.url,
            "openai_api_key": KEY,
            "openai_transcription_model": "whisper-1",
            "openai_speech_model": "tts-1",
            "openai_voices": ("alloy", "pt:faber"),
            "engine_call_timeout_s": 10.0,
            **changes,
        }
    )


@asynccontextmanager
async def services(wanted: Settings) -> AsyncIterator[Services]:
    async with open_services(wanted, decode=False) as opened:
        async with asyncio.timeout(60):
            while any(s.state == "starting" for s in opened.broker.status().values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield opened


def context() -> RequestContext:
    return RequestContext(Deadline.after(60))


@pytest.mark.parametrize("language", [EN, None])
async def test_a_real_recording_is_recognised_word_for_word(
    server: OpenAiServer, language: Language | None
) -> None:
    async with services(settings(server)) as opened:
        found = await opened.translator.transcribe(
            RECORDING.samples, language=language, context=context()
        )
    assert (found.engine, found.language) == ("openai-transcription", EN)
    assert word_error_rate([plain(RECORDING.text)], [plain(found.text)]) < 0.1
    assert 0.0 <= found.segments[0].start < found.segments[-1].end <= RECORDING.seconds
    sent = parts_of(server.requests[0])
    assert sent["model"] == b"whisper-1"
    assert sent.get("language") == (b"en" if language else None)


async def test_a_server_that_takes_plain_json_only_is_understood(server: OpenAiServer) -> None:
    verbose = server.handlers["audio/transcriptions"]

    def plain_only(request: Request) -> Answer:
        fields = parts_of(request)
        if "timestamp_granularities[]" in fields:
            return error(400, "timestamp_granularities is not supported")
        if fields["response_format"] != b"json":
            return error(422, "No such format.", "response_format")
        return verbose(request)

    server.handlers["audio/transcriptions"] = plain_only
    async with services(settings(server)) as opened:
        for _ in range(2):
            found = await opened.translator.transcribe(
                RECORDING.samples, language=EN, context=context()
            )
    assert word_error_rate([plain(RECORDING.text)], [plain(found.text)]) < 0.1
    assert len(server.requests) == 4


async def test_a_text_is_spoken_by_the_voice_that_is_asked_for(server: OpenAiServer) -> None:
    async with services(settings(server)) as opened:
        portuguese = Language.parse("pt")
        spoken = await opened.translator.synthesize(
            "Bom dia a todos.",
            language=portuguese,
            voice="openai-speech:pt:faber",
            speed=1.5,
            context=context(),
        )
        assert spoken.sample_rate == 16_000
        assert len(spoken.samples) > 0.5 * 16_000
        voices = [voice.id for voice in opened.translator.voices() if voice.language == "pt"]
    assert voices == ["openai-speech:pt:alloy", "openai-speech:pt:faber"]
    sent = server.requests[0].json()
    assert (sent["voice"], sent["model"], sent["speed"]) == ("faber", "tts-1", 1.5)


FAULTS = {
    "busy, then well": ([error(503, "Busy.")], None),
    "a key that is wrong": ([error(401, "No.")], EngineUnavailable),
    "unwell": ([error(500, "Oops.")], EngineFailed),
    "cut each time": ([Answer(b"x" * 100, cut_after=10)] * 9, EngineUnavailable),
    "something else": ([Answer(b"<html>", content_type="text/html")], EngineFailed),
    "silence": ([Answer(wav_of(np.zeros(1000, np.float32)))], EngineFailed),
    "too much": ([Answer(bytes(66 * 1024 * 1024))], EngineFailed),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_ordinary_errors(
    server: OpenAiServer, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    faults, expected = FAULTS[fault]
    async with services(settings(server)) as opened:
        door = opened.translator
        for work in (
            lambda: door.transcribe(RECORDING.samples, language=EN, context=context()),
            lambda: door.synthesize("Good morning.", language=EN, context=context()),
        ):
            server.faults = faults * (2 if expected is EngineFailed else 1)
            caught: SpeechTranslatorError | None = None
            try:
                await work()
            except SpeechTranslatorError as raised:
                caught = raised
            assert (type(caught) if caught else None) is expected
            assert KEY not in f"{caught!r}"
            server.faults.clear()
            await work()
        assert all(status.restarts == 0 for status in opened.broker.status().values())
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"openai_url": ""}, "OPENAI_URL"),
        ({"openai_transcription_model": ""}, "OPENAI_TRANSCRIPTION_MODEL"),
        ({"openai_speech_model": ""}, "OPENAI_SPEECH_MODEL"),
    ],
)
def test_what_is_missing_is_named(
    server: OpenAiServer, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        engine_specs(settings(server, **changes))
