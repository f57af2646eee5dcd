"""How decodes follow one another, over a model whose every answer is written down here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest

from speech_translator.engines.values import SAMPLE_RATE, TranscribeCall, Transcript
from speech_translator.engines.whisper import WhisperTranscriber
from speech_translator.engines.whisper_passes import WhisperPasses
from speech_translator.engines.whisper_tokens import WhisperTokens
from speech_translator.errors import InvalidRequest, UnsupportedPair

WORDS = [" good", " morning", " to", " all", " of", " you", " my", " dear", " friends", "."]
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|pt|>", "<|jw|>", "<|translate|>"]
SPECIAL += ["<|transcribe|>", "<|startofprev|>", "<|notimestamps|>"]
VOCABULARY = WORDS + SPECIAL
FIRST_STAMP = len(VOCABULARY)


class Tokenizer:
    """The vocabulary above in the shape of ``tokenizers.Tokenizer``."""

    def token_to_id(self, token: str) -> int | None:
        return VOCABULARY.index(token) if token in VOCABULARY else None

    def id_to_token(self, token: int) -> str:
        return VOCABULARY[token]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(VOCABULARY[token] for token in tokens)

    def encode(self, text: str, *, add_special_tokens: bool) -> Any:
        ids = [VOCABULARY.index(f" {word}") for word in text.split() if f" {word}" in VOCABULARY]
        return type("Encoding", (), {"ids": ids})


def stamp(seconds: float) -> int:
    return FIRST_STAMP + round(seconds / 0.02)


def said(*words: str, start: float = 0.0, end: float = 2.0, pair: bool = False) -> list[int]:
    text = [VOCABULARY.index(f" {word}") for word in words]
    return [stamp(start), *text, stamp(end), *([stamp(end)] if pair else [])]


@dataclass(frozen=True)
class Answer:
    """What the model gives for one row."""

    tokens: list[int]
    logprob: float = -0.2
    no_speech: float = 0.01

    @property
    def sequences_ids(self) -> list[list[int]]:
        return [self.tokens]

    @property
    def scores(self) -> list[float]:
        return [self.logprob * (len(self.tokens) + 1) / max(1, len(self.tokens))]

    @property
    def no_speech_prob(self) -> float:
        return self.no_speech


@dataclass
class Model:
    """Gives out the answers in order, and keeps what it was asked."""

    answers: list[Answer]
    languages: list[str] = field(default_factory=lambda: ["<|en|>"])
    encoded: list[tuple[int, int]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    device: str = "cpu"
    n_mels: int = 80
    doubts: list[tuple[str, float]] = field(default_factory=list)

    def encode(self, features: Any, *, to_cpu: bool) -> np.ndarray:
        rows, _, frames = np.asarray(features).shape
        self.encoded.append((rows, frames))
        return np.zeros((rows, frames // 2, 4), np.float32)

    def detect_language(self, encoded: np.ndarray) -> list[list[tuple[str, float]]]:
        if self.doubts:
            return [self.doubts] * len(encoded)
        return [[(self.languages[row % len(self.languages)], 0.8)] for row in range(len(encoded))]

    def generate(self, encoded: Any, prompts: list[list[int]], **search: Any) -> list[Answer]:
        assert len({len(prompt) for prompt in prompts}) == 1
        assert np.asarray(encoded).shape[0] == len(prompts)
        self.asked.append({"prompts": prompts, **search})
        given, self.answers = self.answers[: len(prompts)], self.answers[len(prompts) :]
        return given

    def align(
        self, encoded: Any, start: list[int], text: list[list[int]], frames: list[int]
    ) -> list[Any]:
        return [
            type(
                "Alignment",
                (),
                {
                    "alignments": [(index, 10 * index) for index in range(len(row) + 1)],
                    "text_token_probs": [0.5] * len(row),
                },
            )
            for row in text
        ]


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(scale=0.1, size=round(seconds * SAMPLE_RATE)).astype(np.float32)


def call(seconds: float = 3.0, **fields: Any) -> TranscribeCall:
    return TranscribeCall(noise(seconds), **{"language": "en", **fields})


def transcribe(model: Model, *calls: TranscribeCall) -> list[Transcript]:
    tokens = WhisperTokens(Tokenizer(), multilingual=True)
    return WhisperTranscriber(WhisperPasses(model, tokens), tokens, "m").transcribe(calls)


def test_a_believable_decode_is_taken_from_the_short_window() -> None:
    model = Model([Answer(said("good", "morning"))])
    (transcript,) = transcribe(model, call())
    assert transcript.text == "good morning"
    assert model.encoded == [(1, 1000)]
    assert len(model.asked) == 1


def test_a_loop_is_decoded_again_at_the_full_window_with_a_beam() -> None:
    loop = said(*["good", "morning", "to", "you"] * 12)
    model = Model([Answer(loop), Answer(said("good", "morning"))])
    (transcript,) = transcribe(model, call())
    assert transcript.text == "good morning"
    assert model.encoded == [(1, 1000), (1, 3000)]
    assert model.asked[1]["beam_size"] > 1


def test_only_the_doubtful_clip_of_a_batch_is_decoded_again() -> None:
    loop = said(*["good", "morning", "to", "you"] * 12)
    good = Answer(said("to", "all"))
    model = Model([good, Answer(loop), good, Answer(said("my", "friends"))])
    texts = [t.text for t in transcribe(model, call(), call(), call())]
    assert texts == ["to all", "my friends", "to all"]
    assert model.encoded == [(3, 1000), (1, 3000)]


def test_temperature_rises_until_a_decode_is_believable() -> None:
    bad = Answer(said("all", "of"), logprob=-1.5)
    model = Model([bad, bad, bad, bad, Answer(said("my", "dear"))])
    (transcript,) = transcribe(model, call())
    assert transcript.text == "my dear"
    heat = [asked.get("sampling_temperature", 0.0) for asked in model.asked]
    assert heat == sorted(heat)
    assert heat[-1] > 0


def test_a_loop_that_survives_every_try_is_cut() -> None:
    loop = Answer(said(*["good", "morning", "to", "you"] * 12))
    (transcript,) = transcribe(Model([loop] * 9), call())
    assert transcript.text == "good morning to you"


@pytest.mark.parametrize(("step_s", "tries"), [(0.0, 3), (3.0, 2), (100.0, 0)])
def test_second_tries_end_with_their_time(step_s: float, tries: int) -> None:
    times = count(step=step_s)
    loop = Answer(said(*["good", "morning", "to", "you"] * 12))
    model = Model([loop] * 9)
    tokens = WhisperTokens(Tokenizer(), multilingual=True)
    passes = WhisperPasses(model, tokens, clock=lambda: next(times))
    (transcript,) = WhisperTranscriber(passes, tokens, "m").transcribe([call()])
    assert transcript.text == "good morning to you"
    full = [asked for asked in model.encoded if asked == (1, 3000)]
    assert len(full) == min(1, tries)
    assert len(model.asked) == 1 + tries


def test_an_unsure_decode_is_searched_wider_over_the_same_encoding() -> None:
    unsure, better = Answer(said("to", "all"), logprob=-0.8), Answer(said("to", "you"))
    model = Model([Answer(said("my", "dear")), unsure, better])
    texts = [t.text for t in transcribe(model, call(), call())]
    assert texts == ["my dear", "to you"]
    assert model.encoded == [(2, 1000)]
    assert [asked["beam_size"] for asked in model.asked] == [1, 5]


@pytest.mark.parametrize(
    ("logprob", "text"), [(-0.2, "good morning"), (-0.8, "good morning"), (-1.5, "")]
)
def test_a_draft_is_one_greedy_search_whatever_comes_of_it(logprob: float, text: str) -> None:
    model = Model([Answer(said("good", "morning"), logprob=logprob)])
    (transcript,) = transcribe(model, call(draft=True))
    assert transcript.text == text
    assert model.encoded == [(1, 1000)]
    assert [asked["beam_size"] for asked in model.asked] == [1]


def test_a_loop_in_a_draft_is_cut() -> None:
    model = Model([Answer(said(*["good", "morning", "to", "you"] * 12))])
    (transcript,) = transcribe(model, call(draft=True))
    assert transcript.text == "good morning to you"
    assert len(model.encoded) == len(model.asked) == 1


def test_silence_gives_no_text_and_no_language() -> None:
    model = Model([Answer(said("my", "friends"), logprob=-1.4, no_speech=0.9)])
    (transcript,) = transcribe(model, call(language=None))
    assert transcript == Transcript((), "und", 0.0)
    assert len(model.asked) == 1, "silence is not decoded again"


def test_inaudible_clips_never_reach_the_model() -> None:
    model = Model([])
    calls = [TranscribeCall(audio, "en") for audio in (np.zeros(0, "f4"), np.zeros(9999, "f4"))]
    assert [t.segments for t in transcribe(model, *calls)] == [(), ()]
    assert model.encoded == []


def test_a_decode_that_stops_early_goes_on_where_it_stopped() -> None:
    first = Answer(said("good", "morning", end=4.0, pair=True))
    model = Model([first, Answer(said("my", "friends", end=3.0))])
    (transcript,) = transcribe(model, call(8.0))
    assert transcript.text == "good morning my friends"
    assert [(s.start, s.end) for s in transcript.segments] == [(0.0, 4.0), (4.0, 7.0)]


def test_a_model_that_never_comes_to_an_end_is_left_after_a_few_rounds() -> None:
    model = Model([Answer(said("good", end=1.0, pair=True))] * 20)
    transcribe(model, call(28.0))
    assert len(model.encoded) <= 4


def test_silence_behind_the_last_timestamp_is_not_decoded() -> None:
    audio = np.concatenate((noise(4.0), np.zeros(4 * SAMPLE_RATE, np.float32)))
    model = Model([Answer(said("good", "morning", end=4.0, pair=True))])
    transcribe(model, TranscribeCall(audio, "en"))
    assert len(model.encoded) == 1


def test_long_and_short_clips_do_not_share_a_window() -> None:
    model = Model([Answer(said("good"))] * 3)
    transcribe(model, call(3.0), call(25.0), call(5.0))
    assert sorted(model.encoded) == [(1, 2700), (2, 1000)]


def test_each_clip_of_a_batch_is_decoded_in_its_own_language() -> None:
    model = Model([Answer(said("good"))] * 2, languages=["<|pt|>", "<|jw|>"])
    first, second = transcribe(model, call(language=None), call(language=None))
    assert (first.language, second.language) == ("pt", "jv")
    assert first.language_confidence == pytest.approx(0.8)
    spoken = [VOCABULARY[prompt[1]] for prompt in model.asked[0]["prompts"]]
    assert spoken == ["<|pt|>", "<|jw|>"]


def test_prompts_of_different_lengths_are_decoded_apart_in_the_right_order() -> None:
    model = Model([Answer(said("good")), Answer(said("dear")), Answer(said("all"))])
    calls = [call(), call(prompt="morning friends"), call()]
    by_prompt = {len(a["prompts"][0]): len(a["prompts"]) for a in _run(model, calls)}
    assert by_prompt == {3: 2, 6: 1}


def _run(model: Model, calls: list[TranscribeCall]) -> list[dict[str, Any]]:
    transcribe(model, *calls)
    return model.asked


def test_translation_asks_for_english() -> None:
    model = Model([Answer(said("good"))])
    (transcript,) = transcribe(model, call(language="pt", task="translate"))
    assert transcript.language == "pt", "what was spoken"
    assert [VOCABULARY[t] for t in model.asked[0]["prompts"][0][1:]] == ["<|pt|>", "<|translate|>"]
    assert model.asked[0]["beam_size"] > 1


def test_words_have_times_of_the_clip_also_behind_a_resumption() -> None:
    first = Answer(said("good", "morning", end=4.0, pair=True))
    model = Model([first, Answer(said("my", "friends", end=3.0))])
    (transcript,) = transcribe(model, call(8.0, word_timestamps=True))
    words = [word for segment in transcript.segments for word in segment.words]
    assert [w.text for w in words] == ["good", "morning", "my", "friends"]
    assert [w.start for w in words] == [0.0, 0.2, 4.0, 4.2]


def test_a_script_does_not_matter_to_what_is_spoken_and_the_answer_keeps_it() -> None:
    (transcript,) = transcribe(Model([Answer(said("good"))]), call(language="pt-Brai"))
    assert transcript.language == "pt-Brai"


def test_what_was_spoken_before_is_still_spoken_where_another_language_is_not_surer() -> None:
    model = Model([Answer(said("good"))] * 2, languages=["<|pt|>"])
    model.doubts = [("<|pt|>", 0.4), ("<|en|>", 0.3)]
    heard = transcribe(model, call(language=None, likely="en"), call(language=None))
    assert [transcript.language for transcript in heard] == ["en", "pt"]
    assert [transcript.language_confidence for transcript in heard] == [0.3, 0.4]


def test_languages_and_clips_that_the_model_cannot_take_are_refused() -> None:
    with pytest.raises(UnsupportedPair) as caught:
        transcribe(Model([]), call(language="tlh"))
    assert caught.value.details["supported_sources"] == ("en", "jv", "pt")
    with pytest.raises(InvalidRequest, match="30 s"):
        transcribe(Model([]), call(31.0))
    with pytest.raises(InvalidRequest, match="mono"):
        transcribe(Model([]), TranscribeCall(np.zeros((2, 100), np.float32), "en"))


def test_samples_that_are_no_numbers_do_not_reach_the_model() -> None:
    audio = noise(3.0)
    audio[100:200] = np.nan
    audio[300] = np.inf
    model = Model([Answer(said("good"))])
    assert transcribe(model, TranscribeCall(audio, "en"))[0].text == "good"


def test_an_english_model_needs_no_language() -> None:
    tokens = WhisperTokens(Tokenizer(), multilingual=False)
    model = Model([Answer(said("good"))])
    engine = WhisperTranscriber(WhisperPasses(model, tokens), tokens, "m")
    assert engine.describe().languages == ("en",)
    assert not engine.describe().to_english
    assert engine.transcribe([call(language=None)])[0].language == "en"
    assert model.asked[0]["prompts"] == [[tokens.start]]
