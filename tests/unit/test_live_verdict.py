"""The judge of composed sessions sees each fault that it is there for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.live_audio import Sentence, Talk
from benchmarks.live_composed import Verdict, judge
from benchmarks.live_scenes import Scene
from tests.support.resuming_client import ResumingClient

SENTENCES = (
    Sentence("a plain sentence of six words", 1.0, 3.0),
    Sentence("uma frase de seis palavras simples", 9.0, 11.0),
)
SCENE = Scene(Talk(np.zeros(16_000 * 12, np.float32), SENTENCES), ("en", "pt"), ((4.0, 8.0),))


def final(number: int, sentence: Sentence, language: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "final",
        "segment_id": number,
        "start": sentence.start,
        "end": sentence.end,
        "text": sentence.text,
        "language": language,
        "translations": {"pt": "x", "en": "x"},
        **fields,
    }


FIRST, SECOND = final(1, SENTENCES[0], "en"), final(2, SENTENCES[1], "pt")
MUSIC = {**FIRST, "segment_id": 9, "start": 5.0, "end": 6.0, "text": "thank you"}


def verdict(*finals: dict[str, Any]) -> Verdict:
    client = ResumingClient(lambda: "", {}, b"", {}, events=list(finals))
    return judge(SCENE, client, {sentence.text: sentence.text for sentence in SENTENCES})


def test_a_session_without_a_fault_holds() -> None:
    found = verdict(FIRST, SECOND)
    assert found.holds
    assert found.word_error_rate_percent == found.alone_percent == 0.0


@pytest.mark.parametrize(
    ("finals", "fault"),
    [
        ((FIRST,), "sentences_lost"),
        ((FIRST, FIRST, SECOND), "told_twice"),
        ((FIRST, {**SECOND, "start": 2.5}), "overlapping"),
        ((FIRST, MUSIC, SECOND), "over_noise"),
        ((FIRST, {**SECOND, "language": "en"}), "in_a_wrong_language"),
        ((FIRST, {**SECOND, "translations": {"pt": "x"}}), "without_translation"),
        ((FIRST, {**SECOND, "text": "uma frase"}), "words_deleted"),
        ((FIRST, {**SECOND, "text": SECOND["text"] + " e mais"}), "words_inserted"),
    ],
)
def test_each_fault_is_seen(finals: tuple[dict[str, Any], ...], fault: str) -> None:
    found = verdict(*finals)
    assert getattr(found, fault) > 0
    assert not found.holds
