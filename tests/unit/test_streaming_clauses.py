"""Where clauses end, and what of them is spoken by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.streaming.clauses import clause_ends, spoken_parts

LONG = "Depois de um longo tempo, o homem voltou para casa; ninguém sabia por onde ele andara."


def clauses(text: str, language: str = "en") -> list[str]:
    ends = clause_ends(text, language)
    return [text[a:b].strip() for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("en", "He left, she stayed. Nobody", ["He left,", "she stayed."]),
        ("en", "He met Prof. Smith at the Dept. of Physics. It", None),
        ("en", "He met Prof.", []),
        ("en", "Mr. Dashwood had then leisure.", ["Mr. Dashwood had then leisure."]),
        ("en", "It costs 3.50, or 1,000.", ["It costs 3.50,", "or 1,000."]),
        ("en", '"He left." She', ['"He left."']),
        ("pt", "O Sr. Silva chegou ao Depto. de Física. Depois", None),
        ("pt", "Falou com o Sr.", []),
        ("de", "Am 3. Mai kam Prof. Müller. Dann", ["Am 3. Mai kam Prof. Müller."]),
        ("ja", "今日は、天気がいいです。散歩に", ["今日は、", "天気がいいです。"]),
        ("en", "", []),
    ],
)
def test_signs_end_clauses_and_abbreviations_do_not(
    language: str, text: str, found: list[str] | None
) -> None:
    assert clauses(text, language) == ([text.rpartition(" ")[0]] if found is None else found)


@pytest.mark.parametrize(
    ("language", "text", "parts"),
    [
        ("pt", "Sim, claro.", None),
        ("pt", "Bom.", None),
        (
            "pt",
            LONG,
            [
                "Depois de um longo tempo,",
                "o homem voltou para casa;",
                "ninguém sabia por onde ele andara.",
            ],
        ),
        ("pt", "Uma frase que não tem vírgula nenhuma.", None),
        ("pt", "O preço é de 1.000,50 euros para todos os que vierem.", None),
        ("en", "The lecture by our own Prof. Smith was heard by all of the students.", None),
        (
            "ja",
            "天気がよかったので、公園まで散歩に行きました。",
            ["天気がよかったので、", "公園まで散歩に行きました。"],
        ),
        ("ja", "はい、わかりました。", None),
        (
            "zh",
            "因为今天天气很好，我们去公园散步了。",  # noqa: RUF001
            ["因为今天天气很好，", "我们去公园散步了。"],  # noqa: RUF001
        ),
    ],
)
def test_a_sentence_is_spoken_in_clauses_that_are_long_enough(
    language: str, text: str, parts: list[str] | None
) -> None:
    assert spoken_parts(text, language) == (parts or [text])


@given(
    st.text('ab ,;.!。、天"', min_size=1, max_size=200),
    st.sampled_from(["en", "pt", "ja"]),
)
def test_the_clauses_together_are_the_sentence(text: str, language: str) -> None:
    found = spoken_parts(text, language)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    ends = clause_ends(text, language)
    assert ends == sorted(set(ends))
    assert all(0 < end <= len(text) for end in ends)
