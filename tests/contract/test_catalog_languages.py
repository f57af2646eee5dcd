"""Cards name the languages that the loaded engines name."""

from __future__ import annotations

import pytest

from speech_translator.engines import catalog, espeak, hibari, kokoro, whisper
from tests.support.speech_engines import engine_options


@pytest.mark.parametrize(
    ("model", "factory"),
    [("hibari-heart", hibari.load), ("espeak-ng", espeak.load), ("whisper-base", whisper.load)],
)
def test_the_card_names_the_engine_s_languages(model: str, factory: object) -> None:
    card = catalog.card(model)
    info = factory(engine_options(card.engine)).describe()  # type: ignore[operator]
    assert set(info.languages) == set(card.languages)


def test_kokoro_speaks_those_of_its_card_that_can_be_read_here() -> None:
    spoken = set(kokoro.load(engine_options("kokoro")).describe().languages)
    assert spoken - {"zh-Hant"} <= set(catalog.card("kokoro-82m-int8").languages)
    assert {"en", "es", "fr", "hi", "it", "pt"} <= spoken
