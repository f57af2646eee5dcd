import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.text.sentences import MAX_SENTENCE_CHARS, has_letters, split


def sentences(text: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in split(text, language)]


def test_abbreviations_and_numbers_do_not_end_a_sentence() -> None:
    text = "Dr. Smith paid $3.50 (see p. 5) at www.a.com. Then he left! Did he?"
    assert sentences(text) == [
        "Dr. Smith paid $3.50 (see p. 5) at www.a.com.",
        "Then he left!",
        "Did he?",
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("pt", "O Sr. Silva saiu. Voltou tarde.", ["O Sr. Silva saiu.", "Voltou tarde."]),
        ("zh", "你好。再见。", ["你好。", "再见。"]),
        ("hi", "नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]),
        ("ar", "مرحبا. كيف حالك؟", ["مرحبا.", "كيف حالك؟"]),
        ("xx", "One. Two.", ["One.", "Two."]),
    ],
)
def test_other_languages(language: str, text: str, expected: list[str]) -> None:
    assert sentences(text, language) == expected


def test_lines_bullets_and_tabs_stay_outside() -> None:
    text = "# Title\r\n\r\n- one\n  2) two\n* [x] done\n> quoted\nName:\tJohn\u2028 end "
    assert sentences(text) == ["Title", "one", "two", "done", "quoted", "Name:", "John", "end"]


def test_an_over_long_sentence_is_cut_at_clauses() -> None:
    clause = "the quick brown fox jumps over the lazy dog, "
    pieces = sentences(clause * 40)
    assert all(piece.endswith(",") for piece in pieces)
    assert max(map(len, pieces)) <= MAX_SENTENCE_CHARS
    assert " ".join(pieces) == (clause * 40).strip()


def test_text_without_spaces_is_cut_between_characters() -> None:
    text = "x" + ("e\u0301" * 500) + "\U0001f468\u200d\U0001f469" * 200
    pieces = sentences(text)
    assert max(map(len, pieces)) <= MAX_SENTENCE_CHARS
    assert "".join(pieces) == text
    assert not any(piece[0] in "\u0301\u200d" for piece in pieces)


FRAGMENTS = st.sampled_from(
    ["Hello", "world.", "e.g.", "Mr.", " ", "  ", "\n", "\r\n", "\t", "- ", "1. ", "?", "!", "...",
     "“", "”", '"', "(", ")", "。", "A.", "x" * 50, ", ", "; ", "\u00a0", "\u2029", "\U0001f600"]
)  # fmt: skip


@given(st.lists(FRAGMENTS | st.text(max_size=4), max_size=60).map("".join))
def test_nothing_is_lost_and_only_spaces_and_bullets_are_left_out(text: str) -> None:
    at = 0
    for start, end in split(text, "en"):
        assert at <= start < end <= len(text)
        assert not has_letters(text[at:start])
        assert text[start:end] == text[start:end].strip()
        assert end - start <= MAX_SENTENCE_CHARS
        assert "\n" not in text[start:end]
        at = end
    assert not has_letters(text[at:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        (" \n", False),
        ("\U0001f600 12 €!", False),
        ("a", True),
        ("é", True),
        ("中", True),
    ],
)
def test_has_letters(text: str, expected: bool) -> None:
    assert has_letters(text) is expected
