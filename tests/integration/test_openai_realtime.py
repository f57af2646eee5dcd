"""OpenAI's own Python client, and what its other clients send, against the real server.

Real engines first: recorded speech becomes two transcripts and spoken translation. Then the
protocol over scripted engines: sequences as OpenAI's guide and its JavaScript, Ruby and browser
clients send them (https://developers.openai.com/api/docs/guides/realtime-translation).
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import signal
import textwrap
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import openai
import pytest
from openai.lib.realtime_translation import AsyncTranslationSession, TranslationSession
from openai.resources.realtime.translations.translations import AsyncTranslationsConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from speech_translator.api.compat.realtime_events import ClientEvent, RealtimeEvent
from speech_translator.media import resample
from tests.support.recordings import librivox, word_error_rate
from tests.support.server import ROOT, Server, start_server

MODEL = "gpt-realtime-translate"
PATH = "/v1/realtime/translations"
RATE = 24_000
FRAME_S = 0.2
SOCKET = {"proxy": None, "ping_timeout": None}
"""Pongs wait behind sound that is sent faster than it is heard."""


def pcm_of(samples: np.ndarray, rate: int = 16_000) -> bytes:
    found = np.clip(resample(samples, rate, RATE) * 32_768, -32_768, 32_767)
    return found.round().astype("<i2").tobytes()


@asynccontextmanager
async def client_of(server: Server, key: str | None = None) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key=key or server.headers["X-API-Key"],
        base_url=f"{server.url}/v1",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as client:
        yield client


class Heard:
    """What a client has put together of what it was told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.said = self.translated = ""
        self.audio = b""

    def take(self, event: Any) -> None:
        self.events.append(event)
        match event.type:
            case "session.input_transcript.delta":
                self.said += event.delta
            case "session.output_transcript.delta":
                self.translated += event.delta
            case "session.output_audio.delta":
                assert (event.sample_rate, event.channels, event.format) == (RATE, 1, "pcm16")
                self.audio += base64.b64decode(event.delta)

    @property
    def kinds(self) -> list[str]:
        return [event.type for event in self.events]


async def speak(connection: AsyncTranslationsConnection, pcm: bytes, *, pace: float = 0.0) -> None:
    step = int(RATE * FRAME_S) * 2
    for start in range(0, len(pcm), step):
        frame = base64.b64encode(pcm[start : start + step]).decode()
        await connection.session.input_audio_buffer.append(audio=frame)
        if pace:
            await asyncio.sleep(FRAME_S / pace)
    await connection.session.close()


async def listen(connection: AsyncTranslationsConnection) -> Heard:
    heard = Heard()
    async for event in connection:
        heard.take(event)
    return heard


async def read_back(server: Server, audio: bytes, language: str) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(audio)
    async with server.async_client() as client:
        answer = await client.post(
            "/transcribe/audio",
            files={"file": ("a.wav", file.getvalue())},
            data={"source_language": language},
        )
    return str(answer.json()["text"]).lower()


# Real engines


async def test_speech_becomes_two_transcripts_and_spoken_translation(server: Server) -> None:
    recording = librivox()[0]
    pcm = pcm_of(recording.samples) + bytes(2 * RATE)
    async with (
        client_of(server) as client,
        client.realtime.translations.connect(
            model=MODEL, websocket_connection_options=SOCKET
        ) as connection,
    ):
        await connection.session.update(
            session={
                "audio": {
                    "input": {
                        "transcription": {"model": "gpt-realtime-whisper"},
                        "noise_reduction": None,
                    },
                    "output": {"language": "pt"},
                }
            }
        )
        speaking = asyncio.create_task(speak(connection, pcm, pace=1))
        async with asyncio.timeout(120):
            heard = await listen(connection)
        await speaking
    assert heard.kinds[:2] == ["session.created", "session.updated"]
    assert heard.kinds[-1] == "session.closed"
    assert "error" not in heard.kinds
    assert heard.events[1].session.audio.output.language == "pt"
    assert word_error_rate([recording.text], [heard.said]) < 20
    assert "john dashwood" in heard.translated.lower()
    assert "considerar" in heard.translated.lower()
    elapsed = [e.elapsed_ms for e in heard.events if e.type == "session.output_transcript.delta"]
    assert elapsed == sorted(elapsed)
    assert 5_000 < elapsed[-1] <= 1000 * recording.seconds
    assert "considerar" in await read_back(server, heard.audio, "pt")


async def test_a_client_secret_made_by_the_client_opens_its_session(server: Server) -> None:
    """By the client's own helper, whose session ends with ``session.closed``."""
    recording = librivox()[1]
    async with client_of(server) as client:
        secret = await client.realtime.translations.client_secrets.create(
            session={"model": MODEL, "audio": {"output": {"language": "en"}}},
            expires_after={"anchor": "created_at", "seconds": 60},
        )
    assert secret.value.startswith("ek_")
    assert secret.session.type == "translation"
    heard = Heard()
    async with client_of(server, secret.value) as client:
        session = AsyncTranslationSession(
            client.realtime.translations, model=MODEL, websocket_connection_options=SOCKET
        )
        async with session as connection, asyncio.timeout(120):
            for start in range(0, len(pcm := pcm_of(recording.samples)), 96_000):
                sound = base64.b64encode(pcm[start : start + 96_000]).decode()
                await connection.send({"type": "session.input_audio_buffer.append", "audio": sound})
            await connection.send({"type": "session.close"})
            while "session.closed" not in heard.kinds:
                heard.take(await connection.recv())
    assert word_error_rate([recording.text], [heard.translated]) < 20
    assert heard.said == ""
    assert "young man" in await read_back(server, heard.audio, "en")


# The protocol, over scripted engines

SCRIPTED = ("-m", "tests.support.scripted_service")
LIMITS = {"LIVE_IDLE_TIMEOUT_S": "2", "SHUTDOWN_GRACE_S": "5"}
SPEECH = np.full(RATE, 8000, "<i2").tobytes() + bytes(2 * RATE)
CLOSE = {"type": "session.close"}


def append(pcm: bytes) -> dict[str, object]:
    audio = base64.b64encode(pcm).decode()
    return {"type": "session.input_audio_buffer.append", "audio": audio}


def update(**audio: object) -> dict[str, object]:
    return {"type": "session.update", "session": {"audio": audio}}


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with start_server(LIMITS, arguments=SCRIPTED) as running:
        yield running


async def recorded(
    server: Server, *messages: object, query: str = f"?model={MODEL}", **options: Any
) -> tuple[list[dict[str, Any]], int | None, str | None]:
    """Play a sequence of a client; what came back, and how the socket was closed."""
    options.setdefault("additional_headers", server.headers)
    async with (
        asyncio.timeout(30),
        connect(server.socket_url + PATH + query, **SOCKET, **options) as socket,
    ):
        for message in messages:
            whole = isinstance(message, str | bytes)
            await socket.send(message if whole else json.dumps(message))
        return await everything(socket), socket.close_code, socket.close_reason


async def everything(socket: ClientConnection) -> list[dict[str, Any]]:
    """What comes until the socket is closed, whichever way."""
    events = []
    with suppress(ConnectionClosedError):
        async for message in socket:
            events.append(json.loads(message))  # noqa: PERF401 - what came before stays
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("session.") for event in events]


SEQUENCES = {
    "everything at once, before anything was answered": (
        [update(output={"language": "pt"}), append(SPEECH), CLOSE],
        ["created", "updated", "output_transcript.delta", "output_audio.delta", "closed"],
    ),
    "the guide's, with transcription": (
        [
            update(input={"transcription": {"model": "gpt-realtime-whisper"}}),
            update(output={"language": "pt"}),
            *(append(SPEECH[start : start + 9600]) for start in range(0, len(SPEECH), 9600)),
            CLOSE,
        ],
        [
            "created",
            "updated",
            "updated",
            "input_transcript.delta",
            "output_transcript.delta",
            "output_audio.delta",
            "closed",
        ],
    ),
    "nothing but the end": ([CLOSE], ["created", "closed"]),
    "another protocol's, which goes on as it should": (
        [
            {"type": "session.update", "session": {"type": "realtime", "voice": "marin"}},
            {"type": "response.create"},
            {"type": "input_audio_buffer.append", "audio": ""},
            b"\x00\x01",
            "{",
            append(SPEECH),
            CLOSE,
        ],
        [
            "created",
            *["error"] * 5,
            "output_transcript.delta",
            "output_audio.delta",
            "closed",
        ],
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
async def test_recorded_sequences(service: Server, name: str) -> None:
    sent, expected = SEQUENCES[name]
    events, code, reason = await recorded(service, *sent)
    assert kinds(events) == expected
    assert (code, reason) == (1000, "end")


async def test_a_browser_with_a_client_secret(service: Server) -> None:
    async with client_of(service) as client:
        secret = await client.realtime.translations.client_secrets.create(
            session={"model": MODEL, "audio": {"output": {"language": "pt"}}}
        )
    offered = ["realtime", f"openai-insecure-api-key.{secret.value}"]
    events, code, _ = await recorded(
        service,
        append(SPEECH),
        CLOSE,
        query="",
        additional_headers={"Origin": service.url},
        subprotocols=offered,
    )
    assert (kinds(events)[-1], code) == ("closed", 1000)
    text = [event["delta"] for event in events if event["type"].endswith("output_transcript.delta")]
    assert text == ["pt:Hello there."]
    with pytest.raises(InvalidStatus) as refused:
        await recorded(
            service,
            query="",
            additional_headers={"Origin": "https://evil.example"},
            subprotocols=offered,
        )
    assert refused.value.response.status_code == 403


# It was made for websockets before 16, which had no word about how it connects.
@pytest.mark.filterwarnings("ignore:connect.. must be used as a context:DeprecationWarning")
async def test_the_synchronous_client(service: Server) -> None:
    def run() -> list[str]:
        with openai.OpenAI(
            api_key=service.headers["X-API-Key"],
            base_url=f"{service.url}/v1",
            http_client=openai.DefaultHttpxClient(trust_env=False),
        ) as client:
            session = TranslationSession(
                client.realtime.translations, model=MODEL, websocket_connection_options=SOCKET
            )
            found = []
            with session as connection:
                connection.send(append(SPEECH))  # type: ignore[arg-type]
                connection.send({"type": "session.close"})
                while "session.closed" not in found:
                    found.append(connection.recv(timeout=20).type)
            return found

    assert (await asyncio.to_thread(run))[0] == "session.created"


async def test_the_client_knows_our_refusals(service: Server) -> None:
    async with client_of(service, "nonsense") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.realtime.translations.client_secrets.create(session={"model": MODEL})
        with pytest.raises(InvalidStatus) as refused:
            async with client.realtime.translations.connect(
                model=MODEL, websocket_connection_options=SOCKET
            ):
                pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error"]["code"] == "unauthenticated"
    async with client_of(service) as client:
        with pytest.raises(openai.BadRequestError) as wrong:
            await client.realtime.translations.client_secrets.create(
                session={"model": MODEL, "audio": {"output": {"language": "zzz"}}}
            )
    assert (wrong.value.code, wrong.value.param) == (
        "unknown_language",
        "session.audio.output.language",
    )


async def test_the_documented_client_works(
    service: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "LIVE.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```\n(client = openai.*?)```", page, re.DOTALL)
    code = (
        code.replace("http://127.0.0.1:8000", service.url)
        .replace("YOUR_KEY", service.headers["X-API-Key"])
        .replace('"any-name"', '"any-name", websocket_connection_options={"proxy": None}')
    )
    scope: dict[str, Any] = {"openai": openai}
    scope["BASE64_OF_24_KHZ_PCM16"] = base64.b64encode(SPEECH).decode()
    exec(f"async def talk():\n{textwrap.indent(code, '    ')}", scope)  # noqa: S102 - our own page
    await scope["talk"]()
    told = capsys.readouterr().out
    assert "session.output_transcript.delta pt:Hello there." in told
    assert told.rstrip().endswith("session.closed")


def test_the_page_names_every_event() -> None:
    page = (ROOT / "docs" / "LIVE.md").read_text(encoding="utf-8")
    for event in (*ClientEvent.__subclasses__(), *RealtimeEvent.__subclasses__()):
        assert f"| `{event.__struct_config__.tag}` |" in page


async def test_a_silent_client_is_told_why_it_is_let_go(service: Server) -> None:
    events, code, reason = await recorded(service, append(SPEECH))
    assert kinds(events)[-2:] == ["error", "closed"]
    assert events[-2]["error"]["code"] == "idle_timeout"
    assert (code, reason) == (1008, "idle_timeout")


async def test_an_event_that_is_too_large_to_be_read(service: Server) -> None:
    with suppress(ConnectionClosedError):  # the refusal may come while it is sent
        _, code, _ = await recorded(service, "x" * 3_000_000)
        assert code == 1009
    events, code, _ = await recorded(service, append(SPEECH), CLOSE)
    assert (kinds(events)[-1], code) == ("closed", 1000)


async def test_sigterm_lets_a_session_finish_its_sentence() -> None:
    with start_server(LIMITS, arguments=SCRIPTED) as service:
        address = f"{service.socket_url}{PATH}?model={MODEL}"
        async with (
            asyncio.timeout(30),
            connect(address, additional_headers=service.headers, **SOCKET) as socket,
        ):
            created = json.loads(await socket.recv())
            await socket.send(json.dumps(append(SPEECH[: 2 * RATE])))
            await asyncio.sleep(0.2)
            service.process.send_signal(signal.SIGTERM)
            events = [created, *await everything(socket)]
            codes = [event["error"]["code"] for event in events if event["type"] == "error"]
            assert codes == ["draining", "shutting_down"]
            assert kinds(events)[-1] == "closed"
            assert "output_transcript.delta" in kinds(events)
            assert (socket.close_code, socket.close_reason) == (1012, "shutting_down")
        assert await asyncio.to_thread(service.process.wait, 20) == 0
        assert "Traceback" not in service.log()
