"""What every synthesizer keeps, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

import numpy as np
import pytest

from speech_translator.engines.base import Synthesizer
from speech_translator.engines.values import Audio, EngineInfo, SynthesizeCall
from speech_translator.errors import InvalidRequest, TextTooLong, UnsupportedVoice
from speech_translator.languages import Language
from tests.support.speech_engines import engine_options

SENTENCE = "The train leaves at seven."


@pytest.fixture(scope="module", params=["hibari", "kokoro", "espeak"])
def engine(request: pytest.FixtureRequest) -> Synthesizer:
    options: Mapping[str, object] = engine_options(request.param)
    loaded: Synthesizer = import_module(f"speech_translator.engines.{request.param}").load(options)
    return Remembering(loaded)


class Remembering:
    """A synthesizer that says the same thing once: the tests ask for it again and again."""

    def __init__(self, engine: Synthesizer) -> None:
        self._engine = engine
        self._said: dict[SynthesizeCall, Audio] = {}

    def describe(self) -> EngineInfo:
        return self._engine.describe()

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        new = [call for call in calls if call not in self._said]
        self._said.update(zip(new, self._engine.synthesize(new), strict=True))
        return [self._said[call] for call in calls]


def say(engine: Synthesizer, text: str, language: str = "en", **more: object) -> Audio:
    (audio,) = engine.synthesize([SynthesizeCall(text, language, **more)])  # type: ignore[arg-type]
    return audio


def seconds(audio: Audio) -> float:
    return len(audio.samples) / audio.sample_rate


def test_it_describes_itself_the_same_at_every_call(engine: Synthesizer) -> None:
    info = engine.describe()
    assert info == engine.describe()
    assert info.task == "synthesis"
    assert info.models
    assert "en" in info.languages
    assert all(Language.parse(key).key == key for key in info.languages)


def test_its_voices_are_unique_and_described(engine: Synthesizer) -> None:
    info = engine.describe()
    ids = [voice.id for voice in info.voices]
    assert len(set(ids)) == len(ids)
    for voice in info.voices:
        assert voice.id.startswith(f"{info.name}:")
        assert voice.name
        assert voice.language in info.languages


def test_speech_is_finite_in_range_and_as_long_as_the_sentence(engine: Synthesizer) -> None:
    audio = say(engine, SENTENCE)
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    assert np.isfinite(audio.samples).all()
    assert 0.05 < np.abs(audio.samples).max() <= 1.0
    assert 0.9 < seconds(audio) < 3.0


def test_speech_begins_and_ends_without_long_silence(engine: Synthesizer) -> None:
    audio = say(engine, SENTENCE)
    loud = np.flatnonzero(np.abs(audio.samples) > 0.02)
    assert loud[0] / audio.sample_rate < 0.2
    assert (len(audio.samples) - loud[-1]) / audio.sample_rate < 0.3


def test_speed_changes_the_duration(engine: Synthesizer) -> None:
    slow, normal, fast = (seconds(say(engine, SENTENCE, speed=s)) for s in (0.7, 1.0, 1.6))
    assert slow > 1.2 * normal
    assert fast < 0.8 * normal


@pytest.mark.parametrize("speed", [0.0, 0.3, 3.0, float("nan")])
def test_speeds_out_of_range_are_refused(engine: Synthesizer, speed: float) -> None:
    with pytest.raises(InvalidRequest):
        say(engine, SENTENCE, speed=speed)


@pytest.mark.parametrize("text", ["", "  \n", "😀🎉", "?!", "…", "\u200d", "\x07"])
def test_nothing_to_say_gives_no_samples(engine: Synthesizer, text: str) -> None:
    audio = say(engine, text)
    assert len(audio.samples) == 0
    assert audio.sample_rate >= 16_000


def test_emoji_and_control_characters_change_nothing(engine: Synthesizer) -> None:
    plain, decorated = (say(engine, t) for t in ("Good morning.", "\x01 😀 Good\x00 morning."))
    assert seconds(decorated) == pytest.approx(seconds(plain), rel=0.15)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 60,
        "1" * 20,
        "a-" * 25,
        "<speak><break time='60s'/></speak>",
        "[[f@nEtIk]] &lt;",
        "[x](/y/) {} %s $$$ \\ \ud800",
        "中文 русский العربية",
        "\x0180S\x0120P fast",
    ],
)
def test_hostile_text_is_spoken_in_bounds(engine: Synthesizer, text: str) -> None:
    audio = say(engine, text)
    assert np.isfinite(audio.samples).all()
    assert seconds(audio) < 60.0


def test_text_beyond_all_measure_is_refused(engine: Synthesizer) -> None:
    with pytest.raises(TextTooLong):
        say(engine, "word " * 5_000)


def test_several_sentences_in_one_call_are_all_spoken(engine: Synthesizer) -> None:
    assert seconds(say(engine, f"{SENTENCE} " * 2)) > 1.6 * seconds(say(engine, SENTENCE))


def test_a_batch_is_answered_in_order(engine: Synthesizer) -> None:
    short, none, long = engine.synthesize(
        [SynthesizeCall(text, "en") for text in ("Yes.", "", SENTENCE)]
    )
    assert seconds(none) == 0 < seconds(short) < seconds(long)


@pytest.mark.parametrize("voice", ["nobody", "kokoro:xx_none", "", "../../etc/passwd"])
def test_an_unknown_voice_is_refused(engine: Synthesizer, voice: str) -> None:
    with pytest.raises(UnsupportedVoice):
        say(engine, SENTENCE, voice=voice)


@pytest.mark.parametrize("language", ["xx", "", "tlh", "en-US"])
def test_a_language_it_does_not_speak_is_refused(engine: Synthesizer, language: str) -> None:
    with pytest.raises(UnsupportedVoice) as refused:
        say(engine, SENTENCE, language=language)
    assert "en" in refused.value.details["supported_languages"]  # type: ignore[operator]


def test_a_voice_is_refused_for_another_language(engine: Synthesizer) -> None:
    info = engine.describe()
    others = [voice for voice in info.voices if voice.language != "en"]
    for voice in others[:1]:
        with pytest.raises(UnsupportedVoice):
            say(engine, SENTENCE, voice=voice.id)


def test_the_default_voice_is_the_first_of_the_language(engine: Synthesizer) -> None:
    first = next(voice for voice in engine.describe().voices if voice.language == "en")
    named, default = (say(engine, SENTENCE, voice=voice) for voice in (first.id, None))
    assert seconds(named) == pytest.approx(seconds(default), rel=0.02)
