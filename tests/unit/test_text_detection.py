import socket

import pytest

from speech_translator.text import detect_language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The meeting with the director starts at nine o'clock.", "en"),
        ("A reunião com a diretora começa às nove horas.", "pt"),
        ("La reunión con la directora empieza a las nueve.", "es"),
        ("La réunion avec la directrice commence à neuf heures.", "fr"),
        ("Das Treffen beginnt um neun Uhr im großen Saal.", "de"),
        ("Hello", "en"),
        ("Hello, world!", "en"),
        ("HELLO WORLD", "en"),
        ("THE DIRECTOR MEETS CUSTOMERS IN GERMANY DURING AUTUMN HOLIDAYS EVERY YEAR", "en"),
        ("OS CLIENTES COMPRARAM MUITAS FRUTAS FRESCAS ONTEM PELA MANHÃ", "pt"),
        ("Olá mundo", "pt"),
        ("Bom dia", "pt"),
        ("Muito obrigado!", "pt"),
        ("Bonjour le monde", "fr"),
        ("Gracias", "es"),
        ("¿Cuál de estas?", "es"),
        ("Дякую", "uk"),
        ("Привет, как дела?", "ru"),
        ("你好吗", "zh"),
        ("這是什麼東西", "zh-Hant"),
        ("こんにちは", "ja"),
        ("日本語の本", "ja"),
        ("안녕하세요", "ko"),
        ("שלום", "he"),
        ("สวัสดี", "th"),
        ("Καλημέρα", "el"),
    ],
)
def test_languages(text: str, expected: str) -> None:
    detection = detect_language(text)
    assert detection.language is not None
    assert detection.language.key == expected
    assert 0.5 <= detection.confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    ["", " ", "12 €", "\U0001f600", "asdf qwer", "https://the.and/is/you", "a",
     "Este lugar está", "O voo dura", "Tome este remédio", "नमस्ते",
     "This is good. Isto é bom. Das ist gut."],
)  # fmt: skip
def test_no_language_is_named_where_it_is_not_sure(text: str) -> None:
    assert detect_language(text).language is None


def test_tags_addresses_and_placeholders_do_not_count() -> None:
    text = '<p class="the and you">Bom dia a todos {the_user}</p> https://hello.world/this/is'
    detection = detect_language(text)
    assert detection.language is not None
    assert detection.language.key == "pt"


def test_the_whole_text_counts_and_not_its_beginning() -> None:
    detection = detect_language("Hello world. " + "Ontem eu fui ao mercado comprar frutas. " * 20)
    assert detection.language is not None
    assert detection.language.key == "pt"


def test_a_lone_surrogate_does_no_harm() -> None:
    assert detect_language("\ud800 hello there my friend").language is not None


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert detect_language("Where is the station?").language is not None
