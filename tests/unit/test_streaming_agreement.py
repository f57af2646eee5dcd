"""What successive decodes agree on, and what of it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.streaming.agreement import Agreement


def follow(*decodes: str) -> list[tuple[str, str]]:
    """What is shown and what is confirmed after each decode."""
    agreement = Agreement()
    found = [agreement.hear(text) for text in decodes]
    return [(each.text, each.text[: each.confirmed_chars]) for each in found]


def test_a_word_is_confirmed_by_the_second_decode_and_the_last_one_held_back() -> None:
    assert follow("Hello", "Hello world", "Hello world how", "Hello world, how are") == [
        ("Hello", ""),
        ("Hello", "Hello"),
        ("Hello world", "Hello"),
        ("Hello world, how", "Hello world,"),
    ]


@pytest.mark.parametrize("sure", [(True, False), (False, True), (False, False)])
def test_where_a_decode_is_unsure_a_word_takes_five(sure: tuple[bool, bool]) -> None:
    agreement = Agreement()
    agreement.hear("Howdy Mary", sure=sure[0])
    for text in ("Howdy Mary to", "Howdy Mary", "Howdy Mary more"):
        assert agreement.hear(text, sure=sure[1] and text == "Howdy Mary to").confirmed_chars == 0
    fifth = agreement.hear("Howdy, he married", sure=False)
    assert fifth.text[: fifth.confirmed_chars] == "Howdy,"
    agreement.hear("Howdy he married a", sure=True)
    found = agreement.hear("Howdy he married a more", sure=True)
    assert found.text[: found.confirmed_chars] == "Howdy, he married"


def test_case_and_punctuation_of_a_confirmed_word_stay_as_they_were() -> None:
    shown = follow("so it is here", "so it is here now", "So, it is here now and")
    assert shown[-1] == ("so it is here now", "so it is here")


def test_a_decode_that_changes_confirmed_words_adds_only_what_is_new() -> None:
    shown = follow("I went to the", "I went to the mar", "I have went to the market and")
    assert shown[-1] == ("I went to the market", "I went to the")
    shown = follow("one two three four", "one two three four", "two three four five six")
    assert shown[-1] == ("one two three four five", "one two three")


def test_scripts_without_spaces_go_by_characters() -> None:
    assert follow("你好世", "你好世界和", "你好世界和平") == [
        ("你好", ""),
        ("你好世界", "你好"),
        ("你好世界和", "你好世界"),
    ]


def test_after_silence_the_last_word_is_whole_and_confirmed_only_by_agreement() -> None:
    agreement = Agreement()
    agreement.hear("Good morning every")
    found = agreement.hear("Good morning everyone.", ended=True)
    assert found.text == "Good morning everyone."
    assert found.text[: found.confirmed_chars] == "Good morning"


@pytest.mark.parametrize(
    ("decodes", "clauses"),
    [
        (("Well, I", "Well, I think", "Well, I think so"), "Well,"),
        (("Well, I", "Well, I think, so it"), "Well,"),
        (("He met Prof. Smith at", "He met Prof. Smith at noon"), ""),
        (("It costs 3.50 now or", "It costs 3.50 now or never"), ""),
        (("First. Second, third four", "First. Second, third four five"), "First. Second,"),
        (("Mr. Dashwood had then a", "Mr. Dashwood had then a talk"), ""),
        (("", ""), ""),
    ],
)
def test_clauses_are_confirmed_and_whole(decodes: tuple[str, ...], clauses: str) -> None:
    agreement = Agreement()
    for text in decodes:
        agreement.hear(text)
    assert agreement.hypothesis.clauses("en") == clauses


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c,", "d.", "E"]), max_size=8), max_size=8))
def test_what_is_confirmed_never_changes(decodes: list[list[str]]) -> None:
    agreement, confirmed = Agreement(), ""
    for words in decodes:
        found = agreement.hear(" ".join(words))
        now = found.text[: found.confirmed_chars]
        assert now.startswith(confirmed)
        assert 0 <= found.confirmed_chars <= len(found.text)
        confirmed = now


@given(
    st.lists(st.sampled_from(["the", "cat", "sat,", "on", "a", "mat."]), min_size=2, max_size=30)
)
def test_a_decoder_that_never_changes_its_mind_is_shown_as_it_is(words: list[str]) -> None:
    agreement = Agreement()
    for count in range(2, len(words) + 1):
        found = agreement.hear(" ".join(words[:count]))
        assert found.text == " ".join(words[: count - 1])
