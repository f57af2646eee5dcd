"""StreamLAAL by examples that are worked out by hand."""

import pytest

from benchmarks.stream_laal import Reference, Word, emitted, laal, segmented, stream_laal


def words(text: str, *moments: float) -> list[Word]:
    return [Word(word, at) for word, at in zip(text.split(), moments, strict=True)]


def parts(heard: str, *sentences: str) -> list[str]:
    found = heard.split()
    return [" ".join(found[part]) for part in segmented(found, sentences)]


def test_a_word_a_second_over_as_many_seconds_lags_by_one() -> None:
    assert laal([1, 2, 3, 4], 4, 4) == 1


def test_more_words_than_the_reference_has_do_not_make_it_quicker() -> None:
    # A step is 4 s over 8 words; what comes after the source's end no longer counts.
    assert laal([1, 1, 2, 2, 3, 3, 4, 4], 4, 4) == pytest.approx(5.5 / 7)


def test_fewer_words_are_measured_by_the_steps_of_the_reference() -> None:
    assert laal([2, 4], 4, 4) == pytest.approx((2 + 3) / 2)


def test_the_word_that_comes_at_the_end_of_the_source_is_the_last_that_counts() -> None:
    assert laal([1, 4, 4, 9], 4, 4) == pytest.approx((1 + 3) / 2)


def test_a_translation_that_comes_after_the_source_lags_by_its_whole_delay() -> None:
    assert laal([5, 5, 6], 4, 3) == 5


def test_the_stream_is_cut_where_its_word_error_rate_is_least() -> None:
    assert parts("a b c d e", "a b", "c d e") == ["a b", "c d e"]
    assert parts("a x b c e", "a b", "c d e") == ["a x b", "c e"]
    assert parts("Bom Dia", "bom dia.", "como vai?") == ["Bom Dia", ""]
    assert parts("Como Vai", "bom dia.", "como vai?") == ["", "Como Vai"]
    assert parts("dia", "bom dia.", "como vai?") == ["dia", ""]
    assert parts("vai", "bom dia.", "como vai?") == ["", "vai"]


def test_words_of_no_sentence_stay_with_the_one_before() -> None:
    assert parts("a b x c d", "a b", "c d") == ["a b x", "c d"]
    assert parts("x a b", "a b") == ["x a b"]


def test_a_sentence_that_is_missing_gets_no_word() -> None:
    assert parts("a b e f", "a b", "c d", "e f") == ["a b", "", "e f"]
    assert parts("", "a b", "c") == ["", ""]


def test_each_sentence_is_measured_from_where_it_begins() -> None:
    stream = words("a b c d", 11, 12, 25, 25)
    score = stream_laal(stream, [Reference("a b", 10, 2), Reference("c d", 20, 4)])
    assert score.seconds == pytest.approx((1 + 5) / 2)
    assert score.empty == 0


def test_a_sentence_without_a_word_is_counted_and_left_out() -> None:
    score = stream_laal(words("a b", 1, 2), [Reference("a b", 0, 2), Reference("c d", 5, 2)])
    assert (score.seconds, score.empty) == (1, 1)


def test_a_word_counts_from_when_it_was_no_longer_taken_back() -> None:
    states = [(1.0, 0, "o gato"), (2.0, 0, "o gato come"), (3.0, 0, "o cão come")]
    assert emitted(states) == words("o cão come", 1, 3, 3)


def test_segments_stand_in_their_order_whichever_changes() -> None:
    states = [(1.0, 0, "um"), (2.0, 1, "três"), (3.0, 0, "um dois")]
    assert emitted(states) == words("um dois três", 1, 3, 2)


def test_a_word_that_is_gone_in_the_end_does_not_count() -> None:
    assert emitted([(1.0, 0, "um dois"), (2.0, 0, "um")]) == words("um", 1)
