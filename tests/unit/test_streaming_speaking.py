"""Translations are spoken clause by clause, and nothing of them is lost or told twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.languages import Language
from speech_translator.scalability.results import Speech
from speech_translator.streaming.speaking import SpeechQueue, clauses
from speech_translator.streaming.work import Speak

PT = Language.parse("pt")
LONG = "Depois de um longo tempo, o homem voltou para casa; ninguém sabia por onde ele andara."


def speech(seconds: float) -> Speech:
    return Speech(np.full(round(seconds * 24_000), 0.5, np.float32), 24_000, "voice", "kokoro", PT)


def spoken(queue: SpeechQueue, *seconds: float) -> list[tuple[int, int, bool, int]]:
    found = []
    for each in seconds:
        speak = queue.next()
        assert speak is not None
        found += [
            (told.segment_id, told.index, told.last, len(told.audio))
            for told in queue.said(speak, speech(each))
        ]
    return found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Sim, claro.", ["Sim, claro."]),
        ("Bom.", ["Bom."]),
        (
            LONG,
            [
                "Depois de um longo tempo,",
                "o homem voltou para casa;",
                "ninguém sabia por onde ele andara.",
            ],
        ),
        ("Uma frase que não tem vírgula nenhuma.", ["Uma frase que não tem vírgula nenhuma."]),
        ("O preço é de 1.000,50 euros para todos os que vierem.", None),
    ],
)
def test_a_sentence_is_cut_at_clauses_that_are_long_enough(
    text: str, parts: list[str] | None
) -> None:
    assert clauses(text) == (parts or [text])


@given(st.text("ab ,;.!", min_size=1, max_size=200))
def test_the_clauses_together_are_the_sentence(text: str) -> None:
    found = clauses(text)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")


def test_pieces_are_counted_over_the_clauses_of_a_sentence() -> None:
    queue = SpeechQueue(4)
    queue.add(Speak(1, LONG, PT))
    queue.add(Speak(2, "Bom.", PT))
    assert [piece[:3] for piece in spoken(queue, 3.0, 1.0, 2.5, 1.0)] == [
        (1, 0, False),
        (1, 1, False),
        (1, 2, False),
        (1, 3, False),
        (1, 4, True),
        (2, 0, True),
    ]
    assert queue.next() is None


def test_the_end_is_told_where_the_last_clause_is_silent() -> None:
    queue = SpeechQueue(4)
    queue.add(Speak(1, LONG, PT))
    assert spoken(queue, 1.0, 1.0, 0.0)[-1] == (1, 2, True, 0)
    queue.add(Speak(2, "...", PT))
    assert spoken(queue, 0.0) == []


def test_where_a_clause_fails_the_next_sentence_is_spoken() -> None:
    queue = SpeechQueue(4)
    queue.add(Speak(1, LONG, PT))
    queue.add(Speak(2, "Bom.", PT))
    spoken(queue, 1.0)
    queue.next()
    queue.failed()
    assert spoken(queue, 1.0) == [(2, 0, True, 48_000)]
