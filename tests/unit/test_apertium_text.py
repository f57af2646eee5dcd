"""Apertium's codes, its marks, and the texts around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.apertium_codes import chosen, keys_of
from speech_translator.engines.apertium_text import parts, prepare
from speech_translator.languages import Language


@pytest.mark.parametrize(
    ("code", "keys"),
    [
        ("eng", ("en",)),
        ("en_US", ("en",)),
        ("cat_valencia_uni_iec2017", ("ca",)),
        ("por_PTpre1990", ("pt",)),
        ("zh_CN", ("zh",)),
        ("nob", ("no",)),
        ("zlm", ("ms",)),
        ("hbs", ("bs", "hr", "sr-Latn")),
        ("hbs_HR", ("hr",)),
        ("qqq", ()),
    ],
)
def test_codes_become_keys(code: str, keys: tuple[str, ...]) -> None:
    assert keys_of(code) == keys
    assert all(Language.parse(key).key == key for key in keys)


def test_one_variant_is_chosen_for_each_pair() -> None:
    offered = [
        *[("eng", "cat_valencia"), ("eng", "cat"), ("eng", "cat_iec2017"), ("spa", "cat_valencia")],
        *[("cat", "por_PTpre1990"), ("cat", "por"), ("cat", "por_BR"), ("spa", "eng_US")],
        *[("eng", "hbs"), ("eng", "hbs_HR"), ("hbs", "eng"), ("nno", "nno_e"), ("qqq", "eng")],
    ]
    found = chosen(offered)
    assert found == chosen(reversed(offered))
    assert found == {
        ("en", "ca"): ("eng", "cat"),
        ("es", "ca"): ("spa", "cat_valencia"),
        ("ca", "pt"): ("cat", "por_BR"),
        ("es", "en"): ("spa", "eng_US"),
        ("en", "hr"): ("eng", "hbs_HR"),
        ("en", "bs"): ("eng", "hbs"),
        ("en", "sr-Latn"): ("eng", "hbs"),
        ("bs", "en"): ("hbs", "eng"),
        ("hr", "en"): ("hbs", "eng"),
        ("sr-Latn", "en"): ("hbs", "eng"),
    }


@pytest.mark.parametrize(
    ("text", "answer", "finished"),
    [
        ("snow house", "*snow @house #casa", "snow house casa"),
        ("  Hello\n", "Hola", "  Hola\n"),
        ("I AM HERE", " SOY aquí", "SOY AQUÍ"),
        ("I am here.", "  soy  aquí .", "Soy aquí."),
        ("Good.", "Dobro#..", "Dobro."),
        ("Wait...", "Espera...", "Espera..."),
        ("two  spaces", "dos  espacios", "dos  espacios"),
    ],
)
def test_marks_and_stray_spaces_go(text: str, answer: str, finished: str) -> None:
    assert prepare(text).finish(answer) == finished


def test_signs_of_the_text_itself_stay() -> None:
    text = "*bold* #tag @me C# \ue000"
    prepared = prepare(text)
    assert not set("*@#") & set(prepared.sent)
    assert prepared.finish("*" + prepared.sent.replace("tag", "#@etiqueta")) == (
        "*bold* #etiqueta @me C# \ue000"
    )


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_a_text_that_apertium_leaves_alone_comes_back_whole(text: str) -> None:
    prepared = prepare(text)
    assert prepared.finish(prepared.sent).split() == text.split() or text.isupper()


def test_what_would_end_a_message_in_the_stream_does_not_get_there() -> None:
    assert prepare("one\x00two").sent == "one two"


@given(st.text("ab \n", max_size=200), st.integers(2, 30))
def test_long_texts_are_cut_without_loss(text: str, limit: int) -> None:
    pieces = parts(text, limit)
    assert "".join(pieces) == text
    assert all(len(piece) <= limit for piece in pieces)
