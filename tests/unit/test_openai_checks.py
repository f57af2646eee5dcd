"""What of a model's answer is a translation: real habits of models, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.openai_checks import Rejected, Reply, translation_of
from speech_translator.engines.openai_translation import messages
from speech_translator.engines.values import TranslateCall

TEXT = "The meeting starts at nine tomorrow morning."
GOOD = "A reunião começa às nove horas de amanhã."


def read(answer: str, text: str = TEXT, reason: str | None = "stop", **languages: str) -> object:
    call = TranslateCall(text, languages.get("source", "en"), languages.get("target", "pt"))
    return translation_of(Reply(answer, reason), call)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"  {GOOD}\n",
        f"<think>The user wants Portuguese.\nReunião…</think>\n\n{GOOD}",
        f"```\n{GOOD}\n```",
        f"```text\n{GOOD}\n```",
        f'"{GOOD}"',
        f"“{GOOD}”",
        f"<text>\n{GOOD}\n</text>",
        f"Sure, here is the translation:\n{GOOD}",
        f"Here's the translation into Portuguese:\n\n{GOOD}",
        f"Translation: {GOOD}",
        f"Tradução (português): {GOOD}",
        f"Aqui está a tradução:\n{GOOD}",
    ],
)
def test_what_models_put_around_a_translation_is_taken_off(answer: str) -> None:
    assert read(answer) == GOOD


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('"Good morning", she said to all of us.', '"Bom dia", disse ela a todos nós.'),
        ("Translation: a hard craft", "Tradução: um ofício difícil"),
        ("Use ```code``` here", "Use ```code``` aqui"),
        ("I'm sorry, but I cannot help you today.", "Desculpe, mas não posso ajudá-lo hoje."),
        ("Sure: here is the list!", "Claro: aqui está a lista!"),
        ("He said “no” and “yes”", "“Não” e “sim”, disse ele, “sim”"),
        ("The <think> tag is not for you.", "A tag <think> não é para você."),
    ],
)
def test_what_belongs_to_the_text_stays(text: str, answer: str) -> None:
    assert read(answer, text) == answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ('""', "empty"),
        ("<think>Hmm, so the user", "thought"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("As an AI language model, I cannot translate this.", "refusal"),
        ("Desculpe, mas não posso ajudar com isso.", "refusal"),
        ("Lo siento, pero no puedo ayudar con eso.", "refusal"),
        (f"{GOOD}\n\nNote: “amanhã” means tomorrow.", "lines"),
        (GOOD * 20, "longer"),
        (TEXT, "language of the text"),
        ("Встреча начинается завтра в девять часов утра.", "script"),
    ],
)
def test_what_is_no_translation_is_refused(answer: str, reason: str) -> None:
    found = read(answer)
    assert isinstance(found, Rejected)
    assert reason in found.reason


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_an_answer_that_was_cut_off_is_refused(reason: str) -> None:
    assert isinstance(read(GOOD, reason=reason), Rejected)


def test_much_too_short_is_refused() -> None:
    assert isinstance(read("Sim.", TEXT * 4), Rejected)


@pytest.mark.parametrize(
    ("text", "answer", "kept"),
    [
        ("Open XQ1 and (1) it.", "Abra XQ1 e (1).", True),
        ("Open XQ1 and (1) it.", "(1) abra xq1.", True),
        ("Open XQ1.", "Abra.", False),
        ("Open XQ1.", "Abra XQ1 XQ1.", False),
        ("Open XQ1.", "Abra XQ2.", False),
        ("Open it.", "Abra (1).", False),
    ],
)
def test_markers_are_kept_each_once(text: str, answer: str, kept: bool) -> None:
    assert isinstance(read(answer, text), str) is kept


def test_close_relatives_are_not_taken_for_each_other() -> None:
    norwegian = "Møtet begynner klokka ni i morgen tidlig, og alle må være der."
    assert (
        read(
            norwegian,
            "Mødet begynder klokken ni i morgen tidlig, og alle skal være der.",
            source="da",
            target="no",
        )
        == norwegian
    )


@given(st.text(max_size=400), st.text(min_size=1, max_size=200))
def test_any_answer_to_any_text_is_read(answer: str, text: str) -> None:
    found = read(answer, text)
    assert isinstance(found, Rejected) or len(found) <= len(answer)


@given(st.text(min_size=1, max_size=200))
def test_the_text_cannot_end_its_delimiters(text: str) -> None:
    system, user = messages(TranslateCall(text, "en", "pt"))
    opening = user["content"].partition("\n")[0]
    closing = opening.replace("<", "</")
    assert user["content"].count(closing) == 1
    assert user["content"] == f"{opening}\n{text}\n{closing}"
    assert opening in system["content"]


def test_terms_and_context_are_told() -> None:
    call = TranslateCall("Open XQ1.", "en", "de", (("XQ1", "die Datenbank"),), "It is slow.")
    _, user = messages(call)
    assert "XQ1 = die Datenbank" in user["content"]
    assert "<context>\nIt is slow.\n</context>" in user["content"]
    system, _ = messages(call, "it was empty")
    assert "because it was empty" in system["content"]
