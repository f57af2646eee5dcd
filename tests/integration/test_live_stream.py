"""The live socket on the real server: real recordings and models, and rude clients."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import signal
import socket
import sys
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import httpx
import numpy as np
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from speech_translator.api.realtime.stream import CLOSE_CODES
from speech_translator.media import resample
from speech_translator.streaming.messages import (
    MAX_FRAME_BYTES,
    MAX_TARGETS,
    EndReason,
    ServerEvent,
)
from tests.support.live_client import LiveSession, live_session, read_pcm, stream
from tests.support.media_samples import live_stream, video_only
from tests.support.server import Server, start_server

RECORDINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
LEISURE = (
    "and mister john dashwood had then leisure to consider how much there might be prudently in "
    "his power to do for them"
)
YOUNG_MAN = "he was not an ill disposed young man"
SELFISH = "unless to be rather cold hearted and rather selfish is to be ill disposed"


def recording(number: str) -> bytes:
    pcm, rate = read_pcm(RECORDINGS / f"sense_and_sensibility_01_austen_64kb-{number}.wav")
    assert rate == 16_000
    return pcm


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("mr.", "mister").replace("-", " "))


def shared(expected: str, got: str) -> float:
    return len(set(words(expected)) & set(words(got))) / len(set(words(expected)))


def check_order(session: LiveSession) -> None:
    """What holds for every session that was not broken off."""
    assert [event["seq"] for event in session.events] == list(range(1, len(session.events) + 1))
    assert session.events[0]["type"] == "ready"
    assert session.events[-1]["type"] == "done"
    finals = session.told("final")
    assert all(sooner["end"] <= later["start"] for sooner, later in pairwise(finals))
    assert session.told("done")[0]["segments"] == len(finals)
    assert session.told("ack")[-1]["audio_s"] == session.told("done")[0]["audio_s"]


# Real engines


async def test_speech_becomes_captions_and_their_translation_while_it_is_spoken(
    server: Server,
) -> None:
    pcm = recording("0870") + bytes(32_000)
    session = await stream(
        server,
        pcm,
        pace=1,
        source_language="en",
        target_languages=["pt", "en"],
        partials=True,
    )
    assert session.close_code == 1000
    check_order(session)
    assert shared(LEISURE, session.text) > 0.85
    translated = session.translation("pt").lower()
    assert "john dashwood" in translated
    assert "considerar" in translated
    assert session.translation("en") == session.text
    partials = session.told("partial")
    assert partials
    assert shared(partials[-1]["text"], LEISURE) > 0.6
    final = session.told("final")[0]
    assert session.events.index(partials[0]) < session.events.index(final)
    assert 0.1 < final["start"] < 0.6
    assert 6 < session.told("final")[-1]["end"] < 7.3


@pytest.mark.parametrize(("encoding", "rate"), [("pcm_s16le", 48_000), ("mulaw", 8_000)])
async def test_other_formats_sent_as_fast_as_they_are_taken(
    server: Server, encoding: str, rate: int
) -> None:
    pause = bytes(32_000)
    pcm = recording("0880") + pause + recording("0890") + pause
    samples = resample(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, 16_000, rate)
    audio = mulaw(samples) if encoding == "mulaw" else to_pcm(samples)
    session = await stream(
        server,
        audio,
        bytes_per_s=rate * (1 if encoding == "mulaw" else 2),
        frame_s=0.33,
        source_language="auto",
        target_languages=["pt"],
        audio={"encoding": encoding, "sample_rate": rate},
    )
    check_order(session)
    assert len(session.told("final")) >= 2
    assert {final["language"] for final in session.told("final")} == {"en"}
    assert shared(YOUNG_MAN + " " + SELFISH, session.text) > 0.8
    assert "egoísta" in session.translation("pt")


@pytest.mark.parametrize("encoding", ["webm_opus", "ogg_opus"])
async def test_what_a_browser_records_with_its_pauses_left_out(
    server: Server, encoding: str
) -> None:
    first, second = recording("0880"), recording("0890")
    first_s, pause_s = len(first) / 32_000, 6.0
    pcm = first + bytes(int(pause_s * 32_000)) + second + bytes(32_000)
    samples = resample(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, 16_000, 48_000)
    pieces = live_stream(
        encoding.partition("_")[0],
        samples[np.newaxis],
        left_out=(first_s + 0.3, first_s + pause_s - 0.3),
    )
    async with live_session(
        server,
        source_language="en",
        target_languages=["pt"],
        audio={"encoding": encoding},
    ) as session:
        for piece in pieces:
            await session.socket.send(piece)
        await session.end()
        await session.until_closed()
    check_order(session)
    assert session.events[0]["audio"] == {"encoding": encoding, "sample_rate": None}
    assert shared(YOUNG_MAN + " " + SELFISH, session.text) > 0.8
    assert "egoísta" in session.translation("pt")
    finals = session.told("final")
    before, after = finals[0], finals[-1]
    assert before["end"] == pytest.approx(first_s, abs=0.5)
    assert after["end"] == pytest.approx(first_s + pause_s + len(second) / 32_000, abs=0.5)
    assert min(f["start"] for f in finals if f["start"] > first_s) == pytest.approx(
        first_s + pause_s, abs=0.5
    )
    assert session.told("done")[0]["audio_s"] == pytest.approx(len(pcm) / 32_000, abs=0.2)


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        (np.full(8_000, 8000, "<i2").tobytes(), "unsupported_audio"),
        (b"\x1a\x45\xdf\xa3" + b"no more of it" * 1_000, "damaged_audio"),
        (video_only("matroska"), "no_audio_track"),
    ],
)
async def test_what_is_no_recording_of_a_browser_is_refused_and_frees_its_decoder(
    server: Server, audio: bytes, code: str
) -> None:
    before = len(server.processes())
    async with live_session(
        server, source_language="en", audio={"encoding": "webm_opus"}
    ) as session:
        await session.socket.send(audio)
        await session.end()
        await session.until_closed()
    assert session.events[-1]["code"] == code
    assert (session.close_code, session.close_reason) == (1008, code)
    await no_sessions(server)
    assert len(server.processes()) <= before + 1  # the next one may be on its way


def to_pcm(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32_767).round().astype("<i2").tobytes()


def mulaw(samples: np.ndarray) -> bytes:
    """G.711, from its description."""
    linear = np.clip(np.abs(samples) * 32_768, 0, 32_635).astype(np.int64) + 132
    exponent = np.floor(np.log2(linear)).astype(np.int64) - 7
    mantissa = (linear >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 128, 0)
    return (~(sign | exponent << 4 | mantissa) & 255).astype(np.uint8).tobytes()


async def test_a_conversation_in_two_languages_at_once(server: Server) -> None:
    """Portuguese speech that the service made itself, beside an English session."""
    with server.client() as client:
        answer = client.post(
            "/translate/speech",
            files={"file": ("a.wav", as_wav(recording("0880")))},
            data={"source_language": "en", "target_language": "pt"},
        )
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as file:
        rate = file.getframerate()
        spoken = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    portuguese = to_pcm(resample(spoken / 32_768, rate, 16_000))
    first, second = await asyncio.gather(
        stream(server, portuguese, source_language="auto", target_languages=["en", "pt"]),
        stream(server, recording("0890"), source_language="en", target_languages=["pt"]),
    )
    for session in (first, second):
        check_order(session)
    assert {final["language"] for final in first.told("final")} == {"pt"}
    assert "young" in first.translation("en").lower()
    assert "jovem" in first.translation("pt").lower()
    assert shared(SELFISH, second.text) > 0.8


def as_wav(pcm: bytes, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


async def test_a_translation_is_heard_and_can_be_recognised(server: Server) -> None:
    session = await stream(
        server,
        recording("0880"),
        source_language="en",
        target_languages=["en"],
        speech=True,
    )
    check_order(session)
    pieces = session.told("audio")
    assert [piece["index"] for piece in pieces] == list(range(len(pieces)))
    assert pieces[-1]["last"]
    audio = b"".join(base64.b64decode(piece["audio"]) for piece in pieces)
    with server.client() as client:
        answer = client.post(
            "/transcribe/audio",
            files={"file": ("a.wav", as_wav(audio, pieces[0]["sample_rate"]))},
            data={"source_language": "en"},
        )
    assert "young man" in answer.json()["text"].lower()


async def test_engines_that_die_during_a_session_lose_no_word(server: Server) -> None:
    pcm = recording("0880") + bytes(32_000) + recording("0890") + bytes(32_000)
    async with live_session(server, source_language="en", target_languages=["pt"]) as session:
        await session.send(pcm[:64_000])
        await session.until(lambda each: each.told("ready"))
        for process in server.processes():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if "engine_process" in " ".join(process.cmdline()):
                    os.kill(process.pid, signal.SIGKILL)
        await session.send(pcm[64_000:])
        await session.end()
        await session.until_closed(90)
    check_order(session)
    assert shared(YOUNG_MAN + " " + SELFISH, session.text) > 0.8
    assert "egoísta" in session.translation("pt")
    server.wait_ready()


async def test_a_client_that_drops_in_mid_word_harms_nobody(server: Server) -> None:
    pcm = recording("0870")
    faults = server.log().count("Traceback")
    for _ in range(3):
        async with live_session(
            server, source_language="en", target_languages=["pt"], partials=True
        ) as session:
            await session.send(pcm[:80_000])
            session.socket.transport.abort()
    after = await stream(server, recording("0880"), source_language="en", target_languages=["pt"])
    check_order(after)
    assert shared(YOUNG_MAN, after.text) > 0.8
    await no_sessions(server)
    assert server.log().count("Traceback") == faults


async def no_sessions(server: Server) -> None:
    """Wait until the service has no live session left."""
    async with asyncio.timeout(20), server.async_client() as client:
        while True:
            figures = (await client.get("/metrics")).text
            if "speech_translator_live_sessions 0.0" in figures:
                return
            await asyncio.sleep(0.05)


# The protocol, over scripted engines

LIMITS = {"LIVE_MAX_SESSIONS": "2", "LIVE_IDLE_TIMEOUT_S": "1.5", "SHUTDOWN_GRACE_S": "5"}
SCRIPTED = ("-m", "tests.support.scripted_service")
START = {"source_language": "en", "target_languages": ["pt"]}
SPEECH = np.full(16_000, 8000, "<i2").tobytes()
PAUSE = bytes(32_000)


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with start_server(LIMITS, arguments=SCRIPTED) as running:
        yield running


async def still_serves(service: Server) -> None:
    session = await stream(service, SPEECH + PAUSE, **START)
    check_order(session)
    assert session.text == "Hello there."
    assert session.translation("pt") == "pt:Hello there."


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ("", "malformed_body", None),
        ("{", "malformed_body", None),
        ("{}", "invalid_field", "source_language"),
        (json.dumps({**START, "source_language": "zzz"}), "unknown_language", None),
        (json.dumps({**START, "target_languages": ["zzz"]}), "unknown_language", None),
        (json.dumps({**START, "target_languages": ["de"]}), "unsupported_pair", None),
        (
            json.dumps({**START, "target_languages": ["pt"] * 6}),
            "invalid_field",
            "target_languages",
        ),
        (
            json.dumps({**START, "audio": {"sample_rate": 44100}}),
            "invalid_field",
            "audio.sample_rate",
        ),
        (json.dumps({"type": "end"}), "protocol_violation", None),
        (SPEECH, "protocol_violation", None),
    ],
)
async def test_a_bad_first_message(
    service: Server, message: str | bytes, code: str, field: str | None
) -> None:
    async with live_session(service) as session:
        await session.socket.send(message)
        await session.until_closed()
    (failed,) = session.events
    assert (failed["type"], failed["code"], failed["fatal"]) == ("error", code, True)
    assert failed["details"].get("field") == field
    assert (session.close_code, session.close_reason) == (1008, code)
    await still_serves(service)


@pytest.mark.parametrize(
    ("message", "close_code", "reason"),
    [
        ("end", 1008, "malformed_body"),
        ('{"type": "start"}', 1008, "protocol_violation"),
        (bytes(300_000), 1009, "payload_too_large"),
    ],
)
async def test_a_bad_message_in_the_middle(
    service: Server, message: str | bytes, close_code: int, reason: str
) -> None:
    async with live_session(service, **START) as session:
        await session.send(SPEECH)
        await session.socket.send(message)
        await session.until_closed()
    assert session.events[-1]["code"] == reason
    assert session.events[-1]["fatal"]
    assert (session.close_code, session.close_reason) == (close_code, reason)
    await still_serves(service)


async def test_a_message_that_is_too_large_to_be_read(service: Server) -> None:
    async with live_session(service, **START) as session:
        with contextlib.suppress(ConnectionClosed):  # the refusal may come while it is sent
            await session.socket.send(bytes(3_000_000))
        await session.until_closed()
    assert session.close_code == 1009
    await still_serves(service)


async def test_frames_of_noise_and_odd_lengths_are_audio_like_any_other(service: Server) -> None:
    noise = np.random.default_rng(1).bytes(40_001)
    async with live_session(service, **START) as session:
        for start in range(0, len(noise), 333):
            await session.socket.send(noise[start : start + 333])
        await session.end()
        await session.until_closed()
    check_order(session)


async def test_a_silent_client_is_let_go(service: Server) -> None:
    async with live_session(service, **START) as session:
        await session.send(SPEECH)
        await session.until_closed()
    check_order(session)
    assert session.text == "Hello there."
    assert session.told("done")[0]["reason"] == "idle_timeout"
    assert (session.close_code, session.close_reason) == (1008, "idle_timeout")


async def test_a_client_that_does_not_read_is_dropped_as_slow_and_not_as_idle() -> None:
    """Its idle timeout is the shorter one; but it speaks all the time."""
    settings = {**LIMITS, "LIVE_SEND_TIMEOUT_S": "3", "LIVE_IDLE_TIMEOUT_S": "1"}
    with start_server(settings, arguments=SCRIPTED) as service:
        host, port = service.url.removeprefix("http://").split(":")
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((host, int(port)))
        async with connect(
            service.socket_url + "/translate/stream",
            sock=line, proxy=None, ping_timeout=None, max_queue=1,
            additional_headers=service.headers,
        ) as client:  # fmt: skip
            await client.send(json.dumps({**START, "speech": True, "voice": "espeak:pt"}))

            async def speak() -> None:
                while True:
                    await client.send(SPEECH + PAUSE)

            speaking = asyncio.create_task(speak())
            async with asyncio.timeout(30):
                await client.recv()  # it is in the session
                await no_sessions(service)
                speaking.cancel()
                with contextlib.suppress(ConnectionClosed):
                    async for _ in client:  # what was on its way is still there, then the reason
                        pass
        assert (client.close_code, client.close_reason) == (1008, "slow_consumer")
        assert '"outcome":"slow_consumer"' in service.log()
        assert "Traceback" not in service.log()


async def test_a_client_that_listens_may_be_silent_while_it_says_that_it_is_there(
    service: Server,
) -> None:
    async with live_session(service, **START) as session:
        for _ in range(6):
            await session.socket.send('{"type": "keep_alive"}')
            await asyncio.sleep(0.5)
        await session.send(SPEECH)
        await session.end()
        await session.until_closed()
    check_order(session)
    assert session.text == "Hello there."
    assert session.close_code == 1000


async def test_one_session_too_many_is_refused_before_the_socket_opens(service: Server) -> None:
    async with (
        live_session(service, **START) as first,
        live_session(service, **START) as second,
    ):
        for session in (first, second):
            await session.until(lambda each: each.told("ready"))
        with pytest.raises(InvalidStatus) as refused:
            async with live_session(service):
                pass
        response = refused.value.response
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        problem = json.loads(response.body)
        assert problem["code"] == "overloaded"
        assert problem["request_id"] == response.headers["x-request-id"]
    await no_sessions(service)
    await still_serves(service)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_other_sites_may_not_open_sessions(
    service: Server, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with live_session(service, headers=headers):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["code"] == "cross_site_request"


async def test_a_key_is_checked_before_the_socket_opens(service: Server) -> None:
    async def made(scope: str) -> str:
        answer = await asyncio.to_thread(
            httpx.post,
            f"{service.url}/auth/api-key",
            json={"user_id": "test", "tier": "free", "scopes": [scope]},
        )
        return str(answer.json()["api_key"])

    refusals = (("nonsense", 401, "unauthenticated"), (await made("translate"), 403, "forbidden"))
    for key, status, code in refusals:
        with pytest.raises(InvalidStatus) as refused:
            async with live_session(service, headers={"X-API-Key": key}):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body)["code"] == code
    headers = {"Authorization": f"Bearer {await made('stream')}"}
    async with live_session(service, headers=headers, **START) as session:
        await session.send(SPEECH)
        await session.end()
        await session.until_closed()
    check_order(session)


async def test_our_own_page_may(service: Server) -> None:
    async with live_session(service, headers={"Origin": service.url}, **START) as session:
        await session.send(SPEECH)
        await session.end()
        await session.until_closed()
    check_order(session)


async def test_sigterm_lets_a_session_finish_its_sentence() -> None:
    with start_server(LIMITS, arguments=SCRIPTED) as service:
        async with live_session(service, **START) as session:
            await session.send(SPEECH)
            await session.until(lambda each: each.told("ready"))
            await asyncio.sleep(0.2)
            service.process.send_signal(signal.SIGTERM)
            await session.until_closed()
        check_order(session)
        assert session.text == "Hello there."
        assert session.told("done")[0]["reason"] == "shutting_down"
        assert (session.close_code, session.close_reason) == (1012, "shutting_down")
        assert await asyncio.to_thread(service.process.wait, 20) == 0
        assert "Traceback" not in service.log()


async def test_the_documented_client_works(server: Server, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "LIVE.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "talk.wav").write_bytes(as_wav(recording("0880")))
    (tmp_path / "client.py").write_text(
        code.replace("ws://127.0.0.1:8000", server.socket_url)
        .replace("YOUR_KEY", server.headers["X-API-Key"])
        .replace("ping_timeout=None", "ping_timeout=None, proxy=None")
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "client.py", cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    english, _, portuguese = output.decode().partition(" | ")
    assert "young man" in english
    assert "jovem" in portuguese


def test_the_page_names_every_event_reason_and_close_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "LIVE.md").read_text()
    events = {event.__struct_config__.tag for event in ServerEvent.__subclasses__()}
    for name in (*events, *get_args(EndReason), *map(str, CLOSE_CODES.values())):
        assert f"`{name}`" in page or f"| {name} |" in page, name
    for figure in (f"{MAX_FRAME_BYTES // 1024} KiB", f"up to {MAX_TARGETS};"):
        assert figure in page
