"""What stands around Bergamot's models, with functions in place of the models."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.bergamot import Bergamot
from speech_translator.engines.bergamot_phrases import PHRASES
from speech_translator.engines.bergamot_text import KNOWN, translate_sentence
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import UnsupportedPair


class Fake:
    """A model that answers by a function and remembers what it was asked."""

    def __init__(self, answer: Callable[[str], str] = str) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def translate(self, text: str) -> str:
        self.asked.append(text)
        return self.answer(text)


def said(text: str, answer: Callable[[str], str] = str) -> str:
    return translate_sentence(Fake(answer), text, {})


@given(st.text(max_size=80))
def test_the_model_only_sees_characters_and_words_that_it_can_read(text: str) -> None:
    model = Fake()
    translate_sentence(model, text, {})
    for asked in model.asked:
        assert KNOWN.issuperset(asked)
        assert max(map(len, asked.split()), default=0) <= 65
        assert any(char.isalpha() for char in asked)


@given(st.text(max_size=60), st.sampled_from([str, str.upper, lambda _: "", lambda t: t[::-1]]))
def test_any_text_and_any_answer_end_in_a_text(text: str, answer: Callable[[str], str]) -> None:
    assert isinstance(said(text, answer), str)
    assert said(text, answer) or not text


@pytest.mark.parametrize("text", ["", " ", "12 €", "...", "\U0001f600", "\n"])
def test_text_without_letters_does_not_reach_the_model(text: str) -> None:
    model = Fake()
    assert translate_sentence(model, text, {}) == text
    assert model.asked == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("It’s a “good” day…", 'It\'s a "good" day'),
        ("the café – or bar—is open", "the café - or bar - is open"),
        ("pages 5–10 of it", "pages 5-10 of it"),
        ("a naïve jalapeño", "a naive jalapeno"),
        ("Mr. Müller is here", "Mr. XQ1 is here"),
        ("it costs £5 or 3.50 € now", "it costs XQ1 or XQ2 now"),
        ("the word привет here", "the word XQ1 here"),
        ("DO NOT OPEN THE DOOR", "Do not open the door"),
        ("NASA", "NASA"),
        ("cafe\u0301 here", "café here"),
        ("see ------ below", "see XQ1 below"),
        ("a" * 70 + " is long", "XQ1 is long"),
    ],
)
def test_what_the_model_is_asked(text: str, asked: str) -> None:
    model = Fake()
    translate_sentence(model, text, {})
    assert model.asked == [asked]


@pytest.mark.parametrize(
    "text",
    [
        "It’s a “good” day…",
        "the café – or bar—is open",
        "pages 5–10 of it",
        "Mr. Müller says „x < y“ for £5, not 3 €",
        "«a» and »b« — c",
        "DO NOT OPEN THE DOOR, MÜLLER",
        "a XQ1 and (1) here €5",
    ],
)
def test_signs_come_back_as_they_were(text: str) -> None:
    assert said(text) == text


def test_unknown_words_survive_a_model_that_loses_markers() -> None:
    answer = {"the word XQ1 here": "a palavra aqui", "the word": "a palavra", "here": "aqui"}
    assert said("the word привет here", answer.__getitem__) == "a palavra привет aqui"


def test_shouting_is_answered_by_shouting_and_keeps_markers() -> None:
    answer = {"Hello xq1, open the door": "Olá XQ1, abra a porta"}
    assert said("HELLO XQ1, OPEN THE DOOR", answer.__getitem__) == "OLÁ XQ1, ABRA A PORTA"


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("Hello", "Olá,", "Olá"),
        ("Page not found", "Página não encontrada -", "Página não encontrada"),
        ("Tom & Jerry", "Tom & Jerry (em inglês)", "Tom & Jerry"),
        ("News today", "Notícias hoje ()", "Notícias hoje"),
        ("Well, this:", "Bem, isto:", "Bem, isto:"),
        ("It is good (really)", "É bom (realmente)", "É bom (realmente)"),
        ("Yes yes", "Sim sim", "Sim sim"),
    ],
)
def test_what_models_add_to_fragments_is_taken_away(text: str, answer: str, expected: str) -> None:
    assert said(text, lambda _: answer) == expected


def test_a_stutter_is_asked_again_as_a_sentence() -> None:
    answers = {"Sobre nos": "About Us About Us", "Sobre nos.": "About us."}
    assert said("Sobre nos", answers.__getitem__) == "About us"
    assert said("Sobre nos", lambda _: "About About About") == "About"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank you.", "Obrigado."),
        ("THANK YOU!", "OBRIGADO!"),
        ("thank you", "obrigado"),
        ("“Hello, world!”", "“Olá mundo!”"),
        ("You’re welcome", "De nada"),
    ],
)
def test_the_phrase_book_keeps_capitals_and_punctuation(text: str, expected: str) -> None:
    model = Fake()
    assert translate_sentence(model, text, PHRASES["en", "pt"]) == expected
    assert model.asked == []


def test_the_phrase_book_is_in_lower_case_without_punctuation() -> None:
    for phrases in PHRASES.values():
        for phrase in (*phrases.keys(), *phrases.values()):
            assert phrase == phrase.lower().strip()
            assert not set(phrase) & set(",;:!?.")


def test_long_texts_are_translated_in_pieces_with_all_between_them_kept() -> None:
    text = "One sentence here.  \n\n" * 60
    model = Fake(str.upper)
    engine = Bergamot({("en", "pt"): model}, threads=3)
    assert engine.translate([TranslateCall(text, "en", "pt")]) == [text.upper()]
    assert len(model.asked) == 60


def test_what_the_engine_says_of_itself() -> None:
    info = Bergamot({("en", "pt"): Fake(), ("pt", "en"): Fake()}, threads=3).describe()
    assert (info.name, info.task) == ("bergamot", "translation")
    assert (info.concurrency, info.preferred_batch) == (3, 1)
    assert info.pairs == (("en", "pt"), ("pt", "en"))


def test_another_pair_is_refused() -> None:
    with pytest.raises(UnsupportedPair):
        Bergamot({("en", "pt"): Fake()}, 1).translate([TranslateCall("Hi", "en", "fr")])


def test_a_run_of_parentheses_takes_no_time() -> None:
    """With a pattern that backtracks this would not end."""
    for count in (16, 24, 200):
        assert said("please click " + "(" * count + " now please")
