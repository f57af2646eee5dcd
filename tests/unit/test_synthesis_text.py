import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines import speech_text


@pytest.mark.parametrize(
    ("given_text", "said"),
    [
        ("Hello,  world!\n", "Hello, world!"),
        ("", ""),
        ("   \t", ""),
        ("😀🎉", ""),
        ("?! ...", ""),
        ("\u200d\ufe0f", ""),
        ("I ❤️ you", "I you"),
        ("x\x00y \x01 80S", "x y 80S"),
        ("\ud800abc", "abc"),
        ("cafe\u0301", "café"),
        ("25 °C", "25 °C"),
        ("नमस्\u200dते", "नमस्\u200dते"),  # the joiner shapes the word
    ],
)
def test_what_cannot_be_said_is_taken_out(given_text: str, said: str) -> None:
    assert speech_text.cleaned(given_text) == said


@pytest.mark.parametrize(
    ("given_text", "said"),
    [
        ("123456789012345", "123456789012345"),
        ("1234567890123456", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6"),
        ("1,234,567.89", "1,234,567.89"),
        ("1,2,3,4,5,6,7,8,9,10", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        ("a" * 100, f"{'a' * 40} {'a' * 40} {'a' * 20}"),
        ("well-known", "well-known"),
        ("ab-" * 20, "ab- " * 19 + "ab-"),
    ],
)
def test_what_is_too_long_to_be_a_word_is_spaced_out(given_text: str, said: str) -> None:
    assert speech_text.cleaned(given_text) == said


def test_scripts_without_spaces_stay_whole() -> None:
    assert speech_text.cleaned("天" * 90) == "天" * 90


@given(st.text())
def test_cleaning_leaves_nothing_that_an_engine_trips_over(text: str) -> None:
    said = speech_text.cleaned(text)
    assert all(char >= " " and not "\ud800" <= char <= "\udfff" for char in said)
    assert said == "" or any(char.isalnum() for char in said)
    assert speech_text.cleaned(said) == said
    words = [word for word in said.split() if word.isascii()]
    assert all(len(word) <= speech_text.MAX_RUN_CHARS + 1 for word in words)


def test_short_text_is_one_window() -> None:
    assert speech_text.windows(" One, two. ", 20, 30) == ["One, two."]
    assert speech_text.windows("  ", 20, 30) == []


def test_long_text_is_cut_at_the_strongest_mark_near_the_middle() -> None:
    text = "aaaa aaaa, aaaa aaaa. bbbb, bbbb bbbb bbbb."
    assert speech_text.windows(text, 30, 50) == ["aaaa aaaa, aaaa aaaa.", "bbbb, bbbb bbbb bbbb."]


def test_without_marks_only_what_passes_the_hard_limit_is_cut() -> None:
    words = "abcd " * 8
    assert speech_text.windows(words, 20, 50) == [words.strip()]
    assert speech_text.windows(words, 20, 30) == ["abcd abcd abcd abcd", "abcd abcd abcd abcd"]
    assert speech_text.windows("x" * 70, 20, 30) == ["x" * 17, "x" * 18, "x" * 17, "x" * 18]


@given(st.text(alphabet="ab ,.!", max_size=400))
def test_windows_lose_nothing_and_keep_to_the_limit(text: str) -> None:
    found = speech_text.windows(text, 20, 35)
    assert all(0 < len(window) <= 35 and window == window.strip() for window in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_sentence_is_cut_by_what_is_spoken() -> None:
    assert speech_text.pieces("Short enough.") == ["Short enough."]
    figures = "12345, " * 20
    assert all(speech_text.spoken_length(piece) <= 120 for piece in speech_text.pieces(figures))
    assert len(speech_text.pieces("word, " * 20)) == 1
    assert " ".join(speech_text.pieces(figures)) == figures.strip()
    assert "".join(speech_text.pieces("7" * 500)) == "7" * 500


@pytest.mark.parametrize(
    ("piece", "pause"),
    [
        ("Stop.", speech_text.SENTENCE_PAUSE_S),
        ("“Stop!” ", speech_text.SENTENCE_PAUSE_S),
        ("first,", speech_text.CLAUSE_PAUSE_S),
        ("你好。", speech_text.SENTENCE_PAUSE_S),
        ("word", 0.0),
        ("", 0.0),
    ],
)
def test_a_pause_is_as_long_as_the_mark_asks_for(piece: str, pause: float) -> None:
    assert speech_text.pause_after(piece) == pause
