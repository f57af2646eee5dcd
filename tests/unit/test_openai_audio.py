"""Transcriptions and speech as OpenAI-compatible servers answer them, and as they should not."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.openai_client import Client, ServerConfig
from speech_translator.engines.openai_speech import PCM_RATE, read_speech, voices_of
from speech_translator.engines.openai_transcription import OpenAiTranscriber, wav_of
from speech_translator.engines.values import Transcript
from speech_translator.errors import ConfigurationError, EngineFailed

LANGUAGES = ("en", "pt", "zh", "zh-Hant")


@pytest.fixture(scope="module")
def engine():
    client = Client(ServerConfig("http://127.0.0.1:9/v1"))
    yield OpenAiTranscriber(client, "whisper-1", LANGUAGES)
    client.close()


def segment(start=0.0, end=1.0, text="Hello.", **more):
    return {"id": 0, "start": start, "end": end, "text": text, **more}


# Transcriptions


def test_a_verbose_answer(engine):
    body = {
        "text": "Hello. There.",
        "language": "english",
        "segments": [
            segment(0.0, 1.5, " Hello.", avg_logprob=-0.1, no_speech_prob=0.01),
            segment(1.5, 3.0, " There."),
        ],
        "words": [
            {"word": "Hello.", "start": 0.2, "end": 1.0},
            {"word": "There.", "start": 1.6, "end": 2.0, "probability": 0.9},
        ],
    }
    found = engine.read(body, 3.0, None, words=True)
    assert [(s.start, s.end, s.text) for s in found.segments] == [
        (0.0, 1.5, "Hello."),
        (1.5, 3.0, "There."),
    ]
    assert found.segments[0].confidence == pytest.approx(0.905, abs=0.001)
    assert [[w.text for w in s.words] for s in found.segments] == [[" Hello."], [" There."]]
    assert found.segments[1].words[0].probability == 0.9
    assert (found.language, found.language_confidence) == ("en", 1.0)
    assert engine.read(body, 3.0, None, words=False).segments[0].words == ()


@pytest.mark.parametrize(
    ("told", "text", "language"),
    [
        ("portuguese", "", "pt"),
        ("pt", "", "pt"),
        ("Chinese", "", "zh"),
        ("eng", "", "en"),
        ("klingon", "Bom dia, como você está hoje?", "pt"),
        (None, "Bom dia, como você está hoje?", "pt"),
        ("german", "", "en"),
        (7, "", "en"),
    ],
)
def test_the_language_by_any_name_or_by_the_text(engine, told, text, language):
    found = engine.read({"text": text, "language": told}, 1.0, None, words=False)
    assert found.language == language


def test_a_bare_answer_is_one_segment(engine):
    found = engine.read({"text": " Bom dia. "}, 2.0, "pt", words=True)
    (only,) = found.segments
    assert (only.start, only.end, only.text) == (0.0, 2.0, "Bom dia.")
    assert found.language == "pt"


def test_silence_has_no_segments(engine):
    quiet = segment(text="Thank you.", no_speech_prob=0.9, avg_logprob=-1.5)
    assert engine.read({"text": "", "segments": []}, 2.0, "en", words=False).segments == ()
    assert engine.read({"text": ""}, 2.0, "en", words=False).segments == ()
    found = engine.read({"text": "Thank you.", "segments": [quiet]}, 2.0, "en", words=False)
    assert found.segments == ()


def test_times_stay_in_the_clip_and_in_order(engine):
    body = {
        "text": "x",
        "segments": [
            segment(5.0, 1.0),
            segment(-3.0, 99.0),
            segment(float("nan"), float("inf")),
            segment("soon", None),
        ],
    }
    found = engine.read(body, 2.0, "en", words=False).segments
    times = [time for s in found for time in (s.start, s.end)]
    assert times == sorted(times)
    assert 0.0 <= times[0] <= times[-1] <= 2.0


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["text", "segments", "words", "word", "start", "end", "language", "avg_logprob"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(junk)
def test_any_json_is_read_or_refused(engine, body):
    try:
        found = engine.read(body, 2.0, None, words=True)
    except EngineFailed:
        assert not (isinstance(body, dict) and isinstance(body.get("text"), str))
        return
    assert isinstance(found, Transcript)
    for s in found.segments:
        assert 0.0 <= s.start <= s.end <= 2.0
        assert 0.0 <= s.confidence <= 1.0
        assert all(0.0 <= w.start <= w.end <= 2.0 for w in s.words)


def test_a_clip_is_sent_as_wav():
    content = wav_of(np.array([0.0, 0.5, 2.0, -2.0, np.nan], np.float32))
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        samples = np.frombuffer(file.readframes(9), "<i2")
    assert samples.tolist() == [0, 16383, 32767, -32767, 0]


# Speech


def riff(data, *, kind=1, channels=1, rate=22_050, bits=16, size=None, extra=b""):
    width = channels * bits // 8
    layout = struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits) + extra
    size = len(data) if size is None else size
    return b"".join(
        [
            b"RIFF\xff\xff\xff\xffWAVE",
            b"fmt " + struct.pack("<I", len(layout)) + layout,
            b"LIST" + struct.pack("<I", 3) + b"abc\0",
            b"data" + struct.pack("<I", size) + data,
        ]
    )


MONO = np.array([0, 16384, -16384], "<i2").tobytes()


@pytest.mark.parametrize("size", [6, 0xFFFFFFFF, 10**6])
def test_wav_of_servers_that_know_its_size_and_of_those_that_do_not(size):
    samples, rate = read_speech(riff(MONO, size=size))
    assert rate == 22_050
    assert samples.tolist() == [0.0, 0.5, -0.5]


def test_other_kinds_of_wav_and_bare_samples():
    stereo = np.array([[0, 16384], [16384, 16384]], "<i2").tobytes()
    assert read_speech(riff(stereo, channels=2))[0].tolist() == [0.25, 0.5]
    floats = np.array([0.25, -0.5], "<f4").tobytes()
    assert read_speech(riff(floats, kind=3, bits=32))[0].tolist() == [0.25, -0.5]
    extensible = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    assert len(read_speech(riff(MONO, kind=0xFFFE, extra=extensible))[0]) == 3
    samples, rate = read_speech(MONO + b"x")
    assert (samples.tolist(), rate) == ([0.0, 0.5, -0.5], PCM_RATE)


@pytest.mark.parametrize(
    "body",
    [
        b"ID3\x04mp3",
        b"OggS....",
        b"fLaC....",
        b'{"error": 1}',
        b"<html>",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        riff(MONO, rate=5),
        riff(MONO, bits=24),
        riff(MONO, channels=9),
        riff(MONO)[:30],
    ],
)
def test_what_is_no_speech_is_refused(body):
    with pytest.raises(EngineFailed):
        read_speech(body)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(body, wav):
    try:
        samples, rate = read_speech(b"RIFF" + body if wav else body)
    except EngineFailed:
        return
    assert samples.dtype == np.float32
    assert 8_000 <= rate <= 96_000


def test_voices_are_for_all_languages_or_for_one():
    voices = voices_of(["alloy", "pt:faber", "alloy"], ["en", "pt"])
    assert [(voice.id, voice.name) for voice in voices] == [
        ("openai-speech:en:alloy", "alloy"),
        ("openai-speech:pt:alloy", "alloy"),
        ("openai-speech:pt:faber", "faber"),
    ]
    for wrong in (["xx:faber"], ["pt:"], [""]):
        with pytest.raises(ConfigurationError, match="OPENAI_VOICES"):
            voices_of(wrong, ["en"])
