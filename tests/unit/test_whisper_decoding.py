import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.whisper_decoding import (
    MAX_NEW_TOKENS,
    Decode,
    best_of,
    compression,
    detected,
    is_doubtful,
    is_failure,
    is_loop,
    is_silence,
    is_unsure,
    most_tokens,
    repeated_share,
    split,
    without_loop,
)

SENTENCE = (
    "And Mr. John Dashwood had then leisure to consider how much there might be in his power."
)
LOOP = "I'm going to the next station. " * 8
STAMPS = 50_000


def decode(
    text: str = SENTENCE, *, logprob: float = -0.2, no_speech: float = 0.01, tokens: int = 20
) -> Decode:
    return Decode(tuple(range(tokens)), text, logprob, no_speech)


def doubtful(made: Decode, limit: int = 100, words: range | list[int] | None = None) -> bool:
    return is_doubtful(made, limit, list(range(20)) if words is None else words)


@pytest.mark.parametrize(
    ("found", "likely", "language"),
    [
        ([("pt", 0.4), ("en", 0.3)], None, "pt"),
        ([("pt", 0.4), ("en", 0.3)], "en", "en"),  # in doubt it is what it was
        ([("pt", 0.9), ("en", 0.05)], "en", "pt"),
        ([("pt", 0.6), ("gl", 0.3), ("en", 0.01)], "en", "pt"),
        ([("nn", 0.2), ("cy", 0.1), ("en", 0.01)], "en", "en"),  # nobody knows: no change
        ([("en", 0.2), ("pt", 0.1)], "en", "en"),
        ([("pt", 0.9), ("en", 0.05)], "xx", "pt"),
    ],
)
def test_another_language_must_be_much_surer_than_the_likely_one(
    found: list[tuple[str, float]], likely: str | None, language: str
) -> None:
    assert detected(found, likely) == (language, dict(found)[language])


def test_a_plain_sentence_is_believed() -> None:
    assert not doubtful(decode())
    assert not is_failure(decode(), 100)
    assert not is_unsure(decode())
    assert not is_silence(decode())


def test_text_that_compresses_like_a_loop_is_decoded_again() -> None:
    assert compression(SENTENCE) < 1.5
    assert doubtful(decode(LOOP))
    assert is_failure(decode(LOOP), 100)


def test_more_tokens_than_anybody_can_say_are_decoded_again() -> None:
    limit = most_tokens(2.0, dense=False)
    assert limit < 60
    assert doubtful(decode(tokens=limit), limit)
    assert not doubtful(decode(tokens=limit - 1), limit)


def test_dense_scripts_may_take_more_tokens_and_no_clip_more_than_the_model() -> None:
    assert most_tokens(5.0, dense=True) > most_tokens(5.0, dense=False)
    assert most_tokens(30.0, dense=True) == MAX_NEW_TOKENS


def test_a_short_phrase_again_and_again_is_decoded_again_but_may_be_true() -> None:
    words = [7, 8] * 5
    chant = decode("We will, we will, we will, we will, we will")
    assert repeated_share(words) == 1.0
    assert doubtful(chant, words=words)
    assert not is_failure(chant, 100), "the full window agrees: somebody does say that"


def test_a_phrase_said_three_times_is_no_loop() -> None:
    assert repeated_share([1, 2, 3, 1, 2, 3, 1, 2, 3]) == 0.0
    assert repeated_share([]) == 0.0


def test_a_very_unlikely_decode_is_decoded_again() -> None:
    assert doubtful(decode(logprob=-1.2))
    assert is_failure(decode(logprob=-1.2), 100)
    assert is_unsure(decode(logprob=-0.7))
    assert not doubtful(decode(logprob=-0.7))


def test_a_failure_over_silence_is_silence_and_not_tried_again() -> None:
    nothing = decode("I'm going to the bathroom.", logprob=-1.3, no_speech=0.8)
    assert is_silence(nothing)
    assert not doubtful(nothing)
    assert not is_failure(nothing, 100)
    assert not is_unsure(nothing)


def test_a_loop_over_noise_is_silence_however_sure_the_model_is_of_it() -> None:
    assert is_silence(decode(LOOP, logprob=-0.3, no_speech=0.7))
    assert not is_silence(decode(LOOP, logprob=-0.3, no_speech=0.1))


@pytest.mark.parametrize("text", ["", "  ", ".", " ...", "♪"])
def test_a_decode_without_letters_is_silence(text) -> None:
    assert is_silence(decode(text))


@pytest.mark.parametrize("text", ["Thank you.", " you", "Obrigado.", "Thank you very much!"])
def test_courtesies_are_believed_unless_nobody_seems_to_speak(text) -> None:
    assert not is_silence(decode(text, logprob=-0.8, no_speech=0.1))
    assert is_silence(decode(text, logprob=-0.8, no_speech=0.5))


@pytest.mark.parametrize(
    "text", ["Subtitles by the Amara.org community", "Thanks for watching!", "字幕by索兰娅"]
)
def test_credits_need_a_sure_decode(text) -> None:
    assert is_silence(decode(text, logprob=-0.6))
    assert is_silence(decode(text, no_speech=0.4))
    assert not is_silence(decode(text))


def test_the_best_decode_is_the_likeliest_that_is_no_loop() -> None:
    loop, good, poor = decode(LOOP, logprob=-0.1), decode(logprob=-0.5), decode(logprob=-0.9)
    assert best_of([loop, poor, good], 100) is good
    assert best_of([loop], 100) is loop
    assert is_loop(loop, 100)


def test_a_loop_is_cut_behind_its_first_round() -> None:
    assert list(without_loop([1, 2, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4])) == [1, 2, 3, 4]
    assert list(without_loop([9, 9, 9, 9])) == [9]
    assert list(without_loop([1, 2, 3])) == [1, 2, 3]


@given(st.lists(st.integers(0, 3), max_size=60))
def test_cutting_loops_keeps_a_prefix_and_leaves_no_loop_at_its_end(tokens) -> None:
    cut = list(without_loop(tokens))
    assert tokens[: len(cut)] == cut
    assert bool(cut) == bool(tokens)
    assert list(without_loop(cut)) == cut


def stamp(seconds: float) -> int:
    return STAMPS + round(seconds / 0.02)


def test_pieces_lie_between_their_timestamps() -> None:
    tokens = [stamp(0.0), 1, 2, stamp(2.5), stamp(3.0), 3, stamp(5.0)]
    pieces, resume = split(tokens, STAMPS, 5.2)
    assert [(p.start, p.end, p.tokens) for p in pieces] == [(0.0, 2.5, (1, 2)), (3.0, 5.0, (3,))]
    assert resume is None, "a single timestamp at the end says that nothing follows"


def test_a_closing_pair_tells_where_to_go_on() -> None:
    pieces, resume = split([stamp(0.0), 1, stamp(4.0), stamp(4.0)], STAMPS, 9.0)
    assert len(pieces) == 1
    assert resume == 4.0


def test_text_without_an_end_reaches_to_the_end_of_the_clip() -> None:
    pieces, resume = split([stamp(1.0), 1, 2], STAMPS, 6.0)
    assert [(p.start, p.end) for p in pieces] == [(1.0, 6.0)]
    assert resume is None


@given(
    st.lists(st.one_of(st.integers(0, 99), st.integers(STAMPS, STAMPS + 1500)), max_size=40),
    st.floats(0.1, 30.0),
)
def test_pieces_are_monotone_inside_the_clip_and_lose_no_text(tokens, duration) -> None:
    pieces, resume = split(tokens, STAMPS, duration)
    edges = [edge for piece in pieces for edge in (piece.start, piece.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= duration for edge in edges)
    assert [t for p in pieces for t in p.tokens] == [t for t in tokens if t < STAMPS]
    assert resume is None or 0 <= resume <= duration
