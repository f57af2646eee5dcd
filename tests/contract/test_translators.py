"""What every translator keeps, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from speech_translator.engines import apertium, bergamot, ctranslate2_engine, openai_translation
from speech_translator.engines.base import Translator
from speech_translator.engines.directions import Directions
from speech_translator.engines.translation_families import FAMILIES, Family
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import UnsupportedPair
from speech_translator.languages import Language
from tests.support.openai_server import KEY, model, openai_server
from tests.support.tiny_models import tiny_entry


@pytest.fixture(scope="module", params=["bergamot", "apertium", "openai", *FAMILIES])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Translator]:
    with ExitStack() as stack:
        yield _load(request.param, tmp_path_factory.mktemp("models"), stack)


def _load(
    name: Family | Literal["bergamot", "apertium", "openai"], directory: Path, stack: ExitStack
) -> Translator:
    """An engine, or ``ctranslate2`` with a tiny model of a family."""
    options: dict[str, object] = {"threads": 2}
    if name == "bergamot":
        return bergamot.load(options)
    if name == "apertium":
        server = apertium.load(options)
        stack.callback(server.close)
        return server
    if name == "openai":
        model_server = stack.enter_context(openai_server())
        model_server.handlers["chat/completions"] = model
        translator = openai_translation.load(
            {
                "url": model_server.url,
                "api_key": KEY,
                "model": "a-model",
                "languages": ["en", "pt", "de"],
                "concurrency": 4,
            }
        )
        stack.callback(translator.close)
        return translator
    return ctranslate2_engine.load({**options, "models": [tiny_entry(name, directory)]})


@pytest.fixture
def pair(engine: Translator) -> tuple[str, str]:
    """One that the engine has, out of English."""
    return next(pair for pair in Directions.of(engine.describe()) if pair[0] == "en")


def test_it_says_what_it_is(engine: Translator) -> None:
    info = engine.describe()
    assert info == engine.describe()
    assert info.task == "translation"
    assert info.concurrency >= 1
    assert info.models
    pairs = list(Directions.of(info))
    assert pairs
    assert len(set(pairs)) == len(pairs)
    named = {key for pair in pairs for key in pair}
    assert named == set(info.languages)
    assert all(Language.parse(key).key == key for key in named)
    assert all(source != target for source, target in pairs)


def test_answers_come_in_order_and_do_not_depend_on_their_batch(
    engine: Translator, pair: tuple[str, str]
) -> None:
    texts = [f"I have {number} books." for number in range(2, 10)]
    calls = [TranslateCall(text, *pair) for text in texts]
    alone = [engine.translate([call])[0] for call in calls]
    assert engine.translate(calls) == alone
    assert all(str(number) in alone[number - 2] for number in range(2, 10))
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda call: engine.translate([call])[0], calls)) == alone


def test_no_call_gives_no_answer(engine: Translator) -> None:
    assert engine.translate([]) == []


def test_a_pair_that_it_does_not_have_is_refused(engine: Translator) -> None:
    with pytest.raises(UnsupportedPair):
        engine.translate([TranslateCall("Hello", "en", "tlh")])


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "123", "😀", "?!", "👨\u200d👩\u200d👧 42", "\t…\t"]
)
def test_what_holds_no_words_stays_as_it_is(
    engine: Translator, pair: tuple[str, str], text: str
) -> None:
    assert engine.translate([TranslateCall(text, *pair)]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "WARNING: DO NOT OPEN",
        "a\nb",
        "a\n\nb",
        "x" * 3000,
        "Long words. " * 1000,
        "[^$/\\]a",
    ],
)
def test_any_text_is_answered(engine: Translator, pair: tuple[str, str], text: str) -> None:
    (translation,) = engine.translate([TranslateCall(text, *pair)])
    assert translation.strip()
    assert translation.count(".") >= text.count(".") // 2
    assert len(translation) <= 4 * len(text) + 60
