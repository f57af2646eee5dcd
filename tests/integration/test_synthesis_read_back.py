"""What the voices say is heard again by recognition, word for word or nearly so."""

from __future__ import annotations

import re
import unicodedata

import jiwer
import pytest
import soxr

from speech_translator.engines import espeak, hibari, kokoro, whisper
from speech_translator.engines.base import Synthesizer, Transcriber
from speech_translator.engines.values import SAMPLE_RATE, SynthesizeCall, TranscribeCall
from tests.support.speech_engines import engine_options

SENTENCES = {
    "en": "The weather is lovely today, so we are going to the park. My brother lives near here.",
    "pt": "O tempo está muito bonito hoje, por isso vamos ao parque. Meu irmão mora na cidade.",
    "es": "Hoy hace muy buen tiempo, así que vamos al parque. Mi hermano vive en un pueblo.",
    "fr": "Il fait très beau aujourd'hui, alors nous allons au parc. Mon frère travaille beaucoup.",
    "it": "Oggi il tempo è molto bello, quindi andiamo al parco. Mio fratello abita in città.",
    "zh": "今天天气很好,我们去公园。",
}
FACTORIES = {"kokoro": kokoro.load, "hibari": hibari.load, "espeak": espeak.load}


@pytest.fixture(scope="module")
def recogniser() -> Transcriber:
    return whisper.load(engine_options("whisper"))


@pytest.fixture(scope="module")
def engines() -> dict[str, Synthesizer]:
    return {}


def words(text: str, language: str) -> str:
    """Words in lower case without marks; Chinese by characters."""
    bare = re.sub(r"[^\w\s]", " ", unicodedata.normalize("NFC", text.lower()))
    return " ".join("".join(bare.split()) if language == "zh" else bare.split())


@pytest.mark.parametrize(
    ("engine", "language", "voice", "allowed"),
    [
        ("kokoro", "en", None, 0.12),
        ("kokoro", "en", "kokoro:bm_george", 0.12),
        ("kokoro", "pt", None, 0.15),
        ("kokoro", "pt", "kokoro:pm_alex", 0.2),
        ("kokoro", "es", None, 0.15),
        ("kokoro", "fr", None, 0.15),
        ("kokoro", "it", None, 0.15),
        ("hibari", "en", None, 0.12),
        ("espeak", "en", None, 0.3),  # formant speech: understood, not pleasant
    ],
)
def test_speech_is_heard_as_it_was_written(
    engines: dict[str, Synthesizer],
    recogniser: Transcriber,
    engine: str,
    language: str,
    voice: str | None,
    allowed: float,
) -> None:
    if engine not in engines:
        engines[engine] = FACTORIES[engine](engine_options(engine))
    text = SENTENCES[language]
    (spoken,) = engines[engine].synthesize([SynthesizeCall(text, language, voice)])
    samples = soxr.resample(spoken.samples, spoken.sample_rate, SAMPLE_RATE)
    (heard,) = recogniser.transcribe([TranscribeCall(samples, language)])
    assert jiwer.wer(words(text, language), words(heard.text, language)) <= allowed, heard.text


def test_mandarin_is_heard_as_it_was_written(
    engines: dict[str, Synthesizer], recogniser: Transcriber
) -> None:
    if "kokoro" not in engines:
        engines["kokoro"] = kokoro.load(engine_options("kokoro"))
    assert "zh" in engines["kokoro"].describe().languages
    (spoken,) = engines["kokoro"].synthesize([SynthesizeCall(SENTENCES["zh"], "zh")])
    samples = soxr.resample(spoken.samples, spoken.sample_rate, SAMPLE_RATE)
    (heard,) = recogniser.transcribe([TranscribeCall(samples, "zh")])
    # Recognition answers in either script, so only what both write alike is looked for.
    assert re.search("今天天.很好", heard.text), heard.text
    assert "公" in heard.text
