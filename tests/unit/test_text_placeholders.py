import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.text.placeholders import _FIXED, _SIGNS, find
from tests.support.text_cases import PLACEHOLDERS


def found(text: str, glossary: dict[str, str] | None = None) -> list[str]:
    return [text[mark.start : mark.end] for mark in find(text, glossary or {})]


def results(text: str, glossary: dict[str, str]) -> list[str]:
    return [mark.output or text[mark.start : mark.end] for mark in find(text, glossary)]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_every_kind_of_placeholder_is_found_whole(placeholder: str) -> None:
    assert found(f"Before {placeholder} after") == [placeholder]
    assert found(placeholder) == [placeholder]


@pytest.mark.parametrize(
    "text",
    [
        "50% discount, 100% sure, 5 %.",
        "Costs $5 or R$ 10.",
        "He and/or she, a.m. or p.m.",
        "1 < 2 and 3 > 2",
        "Is it a+b or a-b?",
        "An {unclosed brace and a closed} one",
        "{this is a whole sentence of prose}",
        "node.js and file.txt",
    ],
)
def test_prose_is_not_protected(text: str) -> None:
    assert found(text) == []


def test_addresses_leave_the_punctuation_of_the_sentence() -> None:
    text = "See https://a.org/x_(y), (www.b.com/z) or mail me@c.co.uk! At http://d.io."
    assert found(text) == ["https://a.org/x_(y)", "www.b.com/z", "me@c.co.uk", "http://d.io"]


def test_braces_take_what_is_glued_to_them() -> None:
    assert found("Go to /user/{id}/edit, pre-{x}_y.") == ["/user/{id}/edit", "pre-{x}_y"]


def test_nested_braces_are_one_placeholder() -> None:
    icu = "{n, plural, =0 {none} one {# item} other {{x} items}}"
    assert found(f"You have {icu} left {{{{{{a") == [icu]


def test_braces_around_half_a_document_are_no_placeholder() -> None:
    assert found("{" + "a, " * 1000 + "{name}}") == ["{name}"]


def test_code_blocks_are_kept_whole() -> None:
    block = "```py\nprint('Hello. World.')\n```"
    assert found(f"Look:\n{block}\nDone.") == [block]
    assert found("Open end:\n~~~\ncode") == ["~~~\ncode"]


TERMS = {
    "cloud": "nuvem",
    "Apple": "Apple",
    "apple pie": "torta de maçã",
    "machine learning": "aprendizado de máquina",
    "C++": "C++",
    "微软": "Microsoft",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cloud, cloudy clouds", ["nuvem"]),
        ("Cloud computing", ["Nuvem"]),
        ("THE CLOUD", ["NUVEM"]),
        ("an apple a day, Apple", ["Apple"]),
        ("Apple pie", ["Torta de maçã"]),
        ("machine   learning", ["aprendizado de máquina"]),
        ("C++ is fun, ObjC++ too", ["C++"]),
        ("他在微软工作", ["Microsoft"]),
        ("https://cloud.com/cloud {cloud}", ["https://cloud.com/cloud", "{cloud}"]),
    ],
)
def test_glossary_terms(text: str, expected: list[str]) -> None:
    assert results(text, TERMS) == expected


def test_the_translation_of_a_term_is_escaped_for_its_document() -> None:
    marks = find("a cloud", {"cloud": "R&D <x>"}, lambda text: text.replace("&", "&amp;"))
    assert [mark.output for mark in marks] == ["R&amp;D <x>"]


SIGNS = st.sampled_from(
    [*"{}$%#@<>`~\\/()[]&.:;_-+* \n", "http://", "www.", "```", "a", "B", "1", "é", "{x}", "</"]
)


@given(st.lists(SIGNS, max_size=80).map("".join) | st.text())
def test_marks_are_in_order_and_never_overlap(text: str) -> None:
    at = 0
    for mark in find(text, {"a": "b", "B": "B"}):
        assert at <= mark.start < mark.end <= len(text)
        at = mark.end


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    ["{", "}", "{}", "`", "`a", "a.", "a@", "<a", "$", "$$a", "/a", "%", "&a", "[[", "https://",
     "a", "-.", "```\n", "\\(", "\\[a", "<%", "A{", "{a ", "mailto:.", "\U0001f468\u200d", "@a.a"],
)  # fmt: skip
def test_hostile_text_takes_linear_time(piece: str) -> None:
    # 80,000 characters in quadratic time would take minutes, not the second that they take.
    find(piece * (80_000 // len(piece)), {"a": "b"})
    find("(https://" + ")" * 80_000, {})


PIECES = st.sampled_from(PLACEHOLDERS).flatmap(
    lambda whole: st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole))).map(
        lambda cut: whole[min(cut) : max(cut)]
    )
)


@given(st.lists(PIECES | st.sampled_from(["www.", "a1", " ", "3"]) | st.text(max_size=2)))
def test_what_has_none_of_the_signs_holds_nothing_to_keep(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert _SIGNS.search(text) or not _FIXED.search(text)
    bare = _SIGNS.sub("", text)
    assert _SIGNS.search(bare) or not _FIXED.search(bare)
