import numpy as np
import pytest

from speech_translator.engines import speech_samples
from speech_translator.engines.values import SynthesizeCall, Voice
from speech_translator.engines.voices import VoiceBook
from speech_translator.errors import InvalidField, TextTooLong, UnsupportedVoice

DORA = Voice("k:dora", "Dora", "pt", "female", "BR")
ALEX = Voice("k:alex", "Alex", "pt", "male", "BR")
EMMA = Voice("k:emma", "Emma", "en", "female", "GB")
BOOK = VoiceBook([DORA, ALEX, EMMA], aliases={"pt-Latn": "pt", "zh-Hant": "zh"}, max_chars=20)


def test_the_first_voice_of_a_language_is_its_default() -> None:
    assert BOOK.pick(SynthesizeCall("Olá", "pt")) is DORA
    assert BOOK.pick(SynthesizeCall("Olá", "pt", "k:alex")) is ALEX


def test_an_alias_is_spoken_by_its_language_s_voices_where_there_are_any() -> None:
    assert BOOK.pick(SynthesizeCall("Olá", "pt-Latn", "k:alex")) is ALEX
    assert BOOK.languages == ("en", "pt", "pt-Latn")


@pytest.mark.parametrize("voice", ["k:nobody", "dora", "", "k:emma"])
def test_a_voice_that_is_not_there_or_speaks_another_language_is_refused(voice: str) -> None:
    with pytest.raises(UnsupportedVoice) as refused:
        BOOK.pick(SynthesizeCall("Olá", "pt", voice))
    assert refused.value.details["supported_voices"] == ["k:dora", "k:alex"]


def test_a_language_without_voices_is_refused() -> None:
    with pytest.raises(UnsupportedVoice) as refused:
        BOOK.pick(SynthesizeCall("Hallo", "de"))
    assert refused.value.details["supported_languages"] == ["en", "pt", "pt-Latn"]


@pytest.mark.parametrize("speed", [0.49, 2.01, -1.0, 0.0, float("inf"), float("nan")])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    with pytest.raises(InvalidField):
        BOOK.pick(SynthesizeCall("Olá", "pt", speed=speed))


def test_text_beyond_the_limit_is_refused() -> None:
    BOOK.pick(SynthesizeCall("x" * 20, "pt"))
    with pytest.raises(TextTooLong):
        BOOK.pick(SynthesizeCall("x" * 21, "pt"))


def test_two_voices_with_one_id_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="share an id"):
        VoiceBook([DORA, DORA], max_chars=1)


def test_quiet_ends_are_trimmed_but_for_a_margin() -> None:
    rate = 1_000
    tone = np.sin(np.arange(500) * 0.7).astype(np.float32) * 0.5
    quiet = np.full(400, 1e-4, np.float32)
    trimmed = speech_samples.trimmed(np.concatenate([quiet, tone, quiet]), rate)
    assert len(trimmed) == pytest.approx(500 + 2 * 40, abs=20)
    assert np.abs(trimmed[40:-40]).max() > 0.4


def test_a_soft_last_consonant_is_kept() -> None:
    tone = np.sin(np.arange(500) * 0.7).astype(np.float32) * 0.5
    soft = np.sin(np.arange(100) * 2.1).astype(np.float32) * 0.01  # 34 dB below
    assert len(speech_samples.trimmed(np.concatenate([tone, soft]), 1_000)) == 600


def test_silence_trims_to_nothing() -> None:
    assert len(speech_samples.trimmed(np.zeros(5_000, np.float32), 1_000)) == 0


def test_samples_come_out_finite_and_in_range() -> None:
    wild = np.array([0.5, 2.0, -3.0, np.nan, np.inf], np.float32)
    audio = speech_samples.audio([wild], 8_000)
    assert audio.samples.tolist() == [0.5, 1.0, -1.0, 0.0, 1.0]
    assert len(speech_samples.audio([], 8_000).samples) == 0
