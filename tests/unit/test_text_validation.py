import pytest

from speech_translator.errors import EmptyText, InvalidGlossary, InvalidText, TextTooLong
from speech_translator.text import validate_glossary, validate_text
from speech_translator.text.validation import MAX_TERM_CHARS


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "\t\r\n",
        "\U0001f600",
        "\u0645\u06cc\u200c\u062e",
        "\U0001f468\u200d\U0001f469",
        "a\x85b",
        "x" * 100,
    ],
)
def test_text_that_is_taken(text: str) -> None:
    validate_text(text, 100)


@pytest.mark.parametrize(
    "text", ["a\x00b", "\x1b[0m", "a\x0bb", "\x7f", "\x9f", "\ud800", "a\udfffb", "\ud83d \ude00"]
)
def test_control_characters_and_surrogates_are_refused(text: str) -> None:
    with pytest.raises(InvalidText) as caught:
        validate_text(text, 100)
    assert caught.value.code == "invalid_text"
    caught.value.message.encode()  # the message itself can be sent


def test_empty_and_too_long() -> None:
    with pytest.raises(EmptyText):
        validate_text("", 100)
    with pytest.raises(TextTooLong) as caught:
        validate_text("x" * 101, 100)
    assert caught.value.details == {"characters": 101, "max_characters": 100}


def test_a_glossary_that_is_taken() -> None:
    validate_glossary({}, max_terms=0)
    validate_glossary({"Acme Corp.": "Acme Corp.", "C++": "C++"}, max_terms=2)


@pytest.mark.parametrize(
    "glossary",
    [
        {"": "x"},
        {" ": "x"},
        {"x": ""},
        {"x": "a\nb"},
        {"...": "x"},
        {"x" * (MAX_TERM_CHARS + 1): "x"},
        {"x": "y" * (MAX_TERM_CHARS + 1)},
        {"x": "\ud800"},
        {"a\x00": "b"},
        {str(n): "x" for n in range(4)},
    ],
)
def test_glossaries_that_are_refused(glossary: dict[str, str]) -> None:
    with pytest.raises(InvalidGlossary):
        validate_glossary(glossary, max_terms=3)
