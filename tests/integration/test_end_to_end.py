"""Real recordings through the real service and its real models: words and meaning."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import unicodedata
import wave
from pathlib import Path

import httpx
import pytest

from speech_translator import media
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.services import open_services
from speech_translator.settings import Settings
from tests.support.server import Server

RECORDINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
ENGLISH = RECORDINGS / "sense_and_sensibility_01_austen_64kb-0870.wav"
LINES = {
    "pt": "Bom dia. O trem para Lisboa sai amanhã às oito horas da manhã.",
    "fr": "Bonjour. Demain matin, nous prenons le train pour Paris avec ma sœur.",
    "es": "Buenos días. Mi hermano compró una casa pequeña cerca del mar.",
}


def words(text: str) -> set[str]:
    """Words in lower case without accents, so that spelling is not what is tested."""
    plain = unicodedata.normalize("NFD", text.lower())
    return set(re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c))))


def shared(expected: str, got: str) -> float:
    return len(words(expected) & words(got)) / len(words(expected))


@pytest.fixture(scope="module")
def spoken() -> dict[str, bytes]:
    """The lines, spoken by Kokoro, as WAV files."""

    async def speak() -> dict[str, bytes]:
        settings = Settings(synthesizers=("kokoro",), live_synthesizers=())
        async with open_services(settings, tasks={"synthesis"}, decode=False) as services:
            await services.broker.wait_ready("kokoro", 60)
            found = {}
            for language, line in LINES.items():
                speech = await services.translator.synthesize(
                    line,
                    language=Language.parse(language),
                    context=RequestContext(Deadline.after(60)),
                )
                assert speech.engine == "kokoro"
                found[language] = media.encode(
                    speech.samples, speech.sample_rate, audio_format="wav"
                )
            return found

    return asyncio.run(speak())


def post(server: Server, path: str, file: bytes, **fields: str) -> httpx.Response:
    with server.client() as client:
        answer = client.post(path, files={"file": ("a.bin", file)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer


def test_english_speech_becomes_portuguese_text_and_speech_that_is_read_back(
    server: Server,
) -> None:
    file = ENGLISH.read_bytes()
    answer = post(server, "/transcribe/audio", file, target_language="pt").json()
    assert shared("leisure to consider how much there might be in his power", answer["text"]) > 0.9
    assert answer["language"] == "en"
    portuguese = answer["translation"]["text"]
    assert {"considerar", "quanto", "poder"} <= words(portuguese)
    assert answer["translation"]["route"] == ["bergamot:en-pt"]

    audio = post(server, "/translate/speech", file, target_language="pt").content
    with wave.open(io.BytesIO(audio)) as sound:
        assert 3 < sound.getnframes() / sound.getframerate() < 20
    read_back = post(server, "/transcribe/audio", audio, source_language="pt").json()
    assert shared(portuguese, read_back["text"]) > 0.7


def test_portuguese_speech_becomes_english_text_and_speech(
    server: Server, spoken: dict[str, bytes]
) -> None:
    answer = post(server, "/transcribe/audio", spoken["pt"], target_language="en").json()
    assert answer["language"] == "pt"
    assert shared(LINES["pt"], answer["text"]) > 0.7
    assert {"train", "lisbon", "tomorrow"} <= words(answer["translation"]["text"])
    audio = post(server, "/translate/speech", spoken["pt"], target_language="en").content
    read_back = post(server, "/transcribe/audio", audio, source_language="en").json()
    assert shared(answer["translation"]["text"], read_back["text"]) > 0.7


def test_french_speech_reaches_english_and_through_it_portuguese(
    server: Server, spoken: dict[str, bytes]
) -> None:
    answer = post(server, "/transcribe/audio", spoken["fr"], target_language="en").json()
    assert answer["language"] == "fr"
    assert shared(LINES["fr"], answer["text"]) > 0.6
    assert {"train", "sister"} <= words(answer["translation"]["text"])
    assert answer["translation"]["route"] == ["whisper:fr-en"]
    answer = post(server, "/transcribe/audio", spoken["fr"], target_language="pt").json()
    assert {"trem", "irma"} <= words(answer["translation"]["text"])
    assert answer["translation"]["route"] == ["whisper:fr-en", "bergamot:en-pt"]


def test_spanish_subtitles_keep_their_times(server: Server, spoken: dict[str, bytes]) -> None:
    answer = post(
        server, "/transcribe/audio", spoken["es"], source_language="es", response_format="srt"
    )
    assert re.search(r"00:00:0\d,\d{3} --> 00:00:0\d,\d{3}", answer.text)
    assert shared(LINES["es"], answer.text) > 0.7


def test_the_service_lives_through_the_death_of_every_engine(server: Server) -> None:
    """SIGKILL each engine process under load: no request is lost, none is answered wrongly."""
    sentences = [f"The number of the house is {number}." for number in range(40)]

    async def ask() -> list[httpx.Response]:
        async with server.async_client() as client:
            requests = [
                asyncio.ensure_future(
                    client.post(
                        "/translate/text",
                        json={"text": text, "source_language": "en", "target_language": "pt"},
                    )
                )
                for text in sentences
            ]
            recording = asyncio.ensure_future(
                client.post("/transcribe/audio", files={"file": ENGLISH.read_bytes()})
            )
            await asyncio.sleep(0.15)
            for process in server.engine_processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            return await asyncio.gather(*requests, recording)

    answers = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for number, answer in enumerate(answers[:-1]):
        assert str(number) in answer.json()["translation"]
    assert "leisure" in answers[-1].json()["text"]
    server.wait_ready()
