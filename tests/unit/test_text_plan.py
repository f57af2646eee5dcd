"""Plain text through a plan, with functions in place of engines."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.text import Hints
from speech_translator.text.numbers import are_lost
from tests.support.plans import run_plan
from tests.support.text_cases import Case, cases, missing

MARKER = re.compile(r"XQ\d+|\(\d+\)")


def without_markers(text: str) -> str:
    return MARKER.sub("", text)


def doubled(text: str) -> str:
    return f"{text} {text}"


def backwards(text: str) -> str:
    return " ".join(reversed(text.split()))


def glued(text: str) -> str:
    return text.replace(" ", "")


def lowered(text: str) -> str:
    return text.lower()


FRAGMENTS = st.sampled_from(
    ["Hello", "world.", "e.g.", " ", "  ", "\n", "\r\n", "\t", "- ", "1. ", "?", "XQ1", "XQ7",
     "(1)",
     "{x}", "{", "}", "{{", "%s", "https://a.b/c.", "me@x.org", "\U0001f600", "`", "```", "a", "中",
     "<b>", "</b>", "<1>", "&amp;", "\u00ad", "\u200b", "\u200d", "\ufdd0", "\u00a0", "“", "’"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=30).map("".join)


@given(TEXTS)
def test_an_identity_translator_gives_the_text_back_byte_for_byte(text: str) -> None:
    assert run_plan(text, str)[0] == text


@given(TEXTS, st.sampled_from([without_markers, doubled, backwards, glued, lowered, str.upper]))
def test_whatever_an_engine_does_nothing_protected_is_lost(text, translate) -> None:
    text += " {kept} \U0001f680 end https://x.org/y?z=1"
    result, _ = run_plan(text, translate)
    assert result.count("{kept}") >= text.count("{kept}")
    assert result.count("\U0001f680") >= 1
    assert result.count("https://x.org/y?z=1") >= 1


@pytest.mark.parametrize("translate", [without_markers, doubled, backwards, glued, lowered, str])
def test_generated_cases_are_kept_by_any_engine(translate) -> None:
    for case in cases(300, seed=7):
        result, _ = run_plan(case.text, translate, case.text_format, case.glossary)
        assert missing(case, result) == [], case.text


def test_sentences_are_asked_alone_and_put_back_in_place() -> None:
    result, asked = run_plan("One.  Two!\r\n\r\n  - three \n", str.upper)
    assert asked == [["One.", "Two!", "three"]]
    assert result == "ONE.  TWO!\r\n\r\n  - THREE \n"


def test_what_has_no_letters_is_not_asked() -> None:
    for text in ("", "  ", "12 + 3 = 15", "\U0001f600 \U0001f680!", "{name}", "---\n\n***"):
        assert run_plan(text, str.upper) == (text, [])


def test_placeholders_go_as_markers_and_come_back() -> None:
    result, asked = run_plan("Hello {name}, see %s.", lambda text: f"Olá {text[6:]}")
    assert asked == [["Hello XQ1, see XQ2."]]
    assert result == "Olá {name}, see %s."


def test_markers_may_change_places() -> None:
    result, asked = run_plan("From {a} to {b}", lambda _: "Até xq2 de XQ1")
    assert result == "Até {b} de {a}"
    assert len(asked) == 1


@pytest.mark.parametrize(
    "answer", ["Olá", "Olá XQ1 XQ1", "Olá XQ11", "Olá aXQ1", "Olá XQ 1", "", "XQ2"]
)
def test_a_lost_marker_has_the_pieces_translated_instead(answer: str) -> None:
    replies = {"Hello XQ1, bye": answer, "Hello": "Olá", ", bye": ", tchau"}
    result, asked = run_plan("Hello {name}, bye", replies.__getitem__)
    assert asked == [["Hello XQ1, bye"], ["Hello", ", bye"]]
    assert result == "Olá {name}, tchau"


def test_text_that_looks_like_a_marker_is_not_taken_for_one() -> None:
    text = "XQ1 and (1) meet {name} in <b>the</b> house XQ3"
    result, asked = run_plan(text, lambda sentence: f"So: {sentence}")
    assert asked == [["XQ1 and (1) meet XQ4 in (2) the (3) house XQ3"]]
    assert result == f"So: {text}"


def test_a_value_that_touches_a_letter_keeps_touching_it() -> None:
    result, asked = run_plan("wow\U0001f600wow is nice", str.upper)
    assert asked == [["wow XQ1 wow is nice"]]
    assert result == "WOW\U0001f600WOW IS NICE"


def test_emoji_at_the_ends_are_not_shown_to_the_engine() -> None:
    result, asked = run_plan(
        "\U0001f600 Great! \U0001f680 Next one \U0001f600\U0001f600", str.upper
    )
    assert asked == [["Great!", "Next one"]]
    assert result == "\U0001f600 GREAT! \U0001f680 NEXT ONE \U0001f600\U0001f600"


def test_an_emoji_before_a_full_stop_does_not_join_sentences() -> None:
    _, asked = run_plan("Great \U0001f600. Next one.", str)
    assert asked == [["Great XQ1.", "Next one."]]


def test_glossary_terms_are_replaced_even_where_nothing_is_translated() -> None:
    terms = {"cloud": "nuvem", "Acme": "Acme"}
    assert run_plan("Cloud", str, glossary=terms) == ("Nuvem", [])
    assert run_plan("Acme", str, glossary=terms) == ("Acme", [])
    result, asked = run_plan("The cloud of Acme", str.upper, glossary=terms)
    assert result == "THE nuvem OF Acme"
    assert asked == [["The XQ1 of XQ2"]]
    assert run_plan("The cloud", str, glossary=terms)[0] == "The nuvem"


def test_many_placeholders_are_not_tried_as_markers() -> None:
    text = " and ".join(f"{{x{n}}}" for n in range(20))
    result, asked = run_plan(text, str.upper)
    assert asked == [["and"] * 19]
    assert result == text.replace("and", "AND")


def test_invisible_characters_are_not_shown_to_the_engine_but_joiners_are() -> None:
    _, asked = run_plan("\ufeffHy\u00adphen\u200b\u00a0here  می\u200cشود", str)
    assert asked == [["Hyphen here می\u200cشود"]]


def test_case_type_is_what_the_generator_says() -> None:
    kinds = {(bool(case.glossary), case.text_format) for case in cases(50)}
    assert kinds == {(False, "text"), (True, "text"), (False, "html")}
    assert missing(Case("en", "pt", "x", kept=next(cases(1)).kept), "") != []


def forgetful(sentence: str) -> str:
    """An engine that drops numbers, and localises those that it keeps."""
    return re.sub(r"\b\d{4,}\b", "", sentence).replace("1,500.75", "1.500,75")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Thank you, 6391!", "Thank you, 6391!"),
        ("It costs 1,500.75 dollars.", "It costs 1.500,75 dollars."),
        ("Room 12345 at {place}, call 67890.", "Room 12345 at {place}, call 67890."),
        ("<p>Room <b>12345</b> is free.</p>", "<p>Room <b>12345</b> is free.</p>"),
    ],
)
def test_numbers_that_an_engine_loses_go_as_markers(text: str, kept: str) -> None:
    shape = "html" if text.startswith("<") else "text"
    assert run_plan(text, forgetful, shape)[0] == kept


def test_numbers_are_masked_only_where_they_were_lost() -> None:
    _, asked = run_plan("It was 1995. Room 12345 is free.", forgetful)
    assert asked == [["It was 1995.", "Room 12345 is free."], ["It was XQ1.", "Room XQ1 is free."]]
    _, asked = run_plan("It costs 1,500.75 dollars.", forgetful)
    assert len(asked) == 1


def test_the_first_answer_stands_where_markers_do_not_help() -> None:
    def worse(sentence: str) -> str:
        return re.sub(r"XQ\d|\d+", "", sentence)

    assert run_plan("Call 67890 now.", worse)[0] == "Call  now."


@pytest.mark.parametrize(
    ("sentence", "translation", "lost"),
    [
        ("It costs 1,500.75 dollars", "Custa 1.500,75 dólares", False),
        ("It costs 1 500 dollars", "Custa 1.500 dólares", False),
        ("At 9:30 pm", "Às 21h30", False),
        ("I have 2 books", "Tenho dois livros", False),
        ("I have 22 books", "Tenho livros", True),
        ("From 10 to 10", "De 10", True),
        ("Call 555-1234", "Ligue 555-1234", False),
        ("In 1995", "Em 1959", True),
    ],
)
def test_what_counts_as_a_lost_number(sentence: str, translation: str, lost: bool) -> None:
    assert are_lost(sentence, translation) is lost


def test_hints_name_the_markers_of_the_attempt_that_they_go_with() -> None:
    hints = Hints()
    told = []

    def without_numbers(sentence: str) -> str:
        told.append((sentence, dict(hints.latest[0].glossary)))
        return re.sub(r"\b\d+\b", "", sentence)

    text, glossary = "In 2023 the database grew.", {"database": "Datenbank"}
    answer, _ = run_plan(text, without_numbers, glossary=glossary, hints=hints)
    assert answer == "In 2023 the Datenbank grew."
    assert told == [
        ("In 2023 the XQ1 grew.", {"XQ1": "Datenbank"}),
        ("In XQ1 the XQ2 grew.", {"XQ2": "Datenbank"}),
    ]
