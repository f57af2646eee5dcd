"""The tokens of translation models, without a model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from speech_translator.engines import catalog
from speech_translator.engines.translation_families import Family, family_of, tokens_of
from speech_translator.engines.translation_pieces import Cycle, cut, cycle, is_loop, joint
from speech_translator.languages import Language

PIECES = ["▁Good", "▁day", "."]

VOCABULARIES: dict[Family, list[str]] = {
    "nllb": ["eng_Latn", "fra_Latn", "zho_Hans", "zho_Hant", "▁eng_Latn"],
    "m2m100": ["__en__", "__fr__", "__ns__", "__zh__", "__qq__"],
    "madlad400": ["<2en>", "<2fr>", "<2fr_CA>", "<2iw>", "<2translate>", "<2zh>"],
    "opus-mt": [">>fra<<", ">>por<<", ">>cmn<<", ">>cmn_Hans<<", ">>cmn_Hant<<", ">>id<"],
}


@pytest.mark.parametrize(
    ("family", "name", "source", "prefix"),
    [
        ("nllb", "any", ["eng_Latn", *PIECES], ["fra_Latn"]),
        ("m2m100", "any", ["__en__", *PIECES], ["__fr__"]),
        ("madlad400", "any", ["▁", "<2fr>", *PIECES], []),
        ("opus-mt", "opus-mt-en-ROMANCE", [">>fra<<", *PIECES], []),
    ],
)
def test_each_family_names_languages_in_its_own_way(
    family: Family, name: str, source: list[str], prefix: list[str]
) -> None:
    tokens = tokens_of(family, name, [*VOCABULARIES[family], "▁Good", "</s>"])
    assert tokens.source(PIECES, "en", "fr") == source
    assert tokens.target_prefix("fr") == prefix
    assert ("en", "fr") in tokens.directions
    said = tokens.text([*source, *prefix, "</s>", "<pad>", "madeupword3", "<2CA>"])
    assert set(said) <= {"▁", *PIECES}
    assert family_of(VOCABULARIES[family]) == family


@pytest.mark.parametrize(
    ("family", "languages"),
    [
        ("nllb", {"en", "fr", "zh", "zh-Hant"}),
        ("m2m100", {"en", "fr", "nso", "zh"}),
        ("madlad400", {"en", "fr", "he", "zh"}),
    ],
)
def test_only_languages_with_a_token_are_offered(family: Family, languages: set[str]) -> None:
    tokens = tokens_of(family, "any", VOCABULARIES[family])
    assert tokens.directions.languages() == languages
    assert len(list(tokens.directions)) == len(languages) * (len(languages) - 1)


@pytest.mark.parametrize(
    ("card", "family", "token"),
    [
        ("nllb-200-distilled-600m", "nllb", lambda language: language.flores),
        ("m2m100-418m", "m2m100", lambda language: f"__{language.key}__".replace("nso", "ns")),
        ("madlad400-3b", "madlad400", lambda language: f"<2{language.key}>"),
    ],
)
def test_every_language_of_the_catalog_has_a_token_of_its_own(
    card: str, family: Family, token: Callable[[Language], str]
) -> None:
    languages = catalog.card(card).languages
    named = {key: token(Language.parse(key)) for key in languages}
    assert tokens_of(family, card, list(named.values())).languages == named


def test_of_several_tokens_for_a_language_the_plain_one_or_the_one_of_its_script_is_taken() -> None:
    assert tokens_of("madlad400", "any", VOCABULARIES["madlad400"]).languages["fr"] == "<2fr>"
    chinese = tokens_of("opus-mt", "opus-mt-en-zh", VOCABULARIES["opus-mt"])
    assert list(chinese.directions) == [("en", "zh")]
    assert chinese.source(PIECES, "en", "zh")[0] == ">>cmn_Hans<<"
    assert chinese.languages["zh-Hant"] == ">>cmn_Hant<<"


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("opus-mt-en-fr", {("en", "fr")}),
        ("ct2fast-opus-mt-en-fr", {("en", "fr")}),
        ("opus-mt-en-de-ctranslate2-int8", {("en", "de")}),
        ("opus-mt-tc-big-en-pt", {("en", "pt")}),
        ("opus-mt-deu+nld-eng", {("de", "en"), ("nl", "en")}),
        (
            "opus-mt-en-mul",
            {("en", "fr"), ("en", "pt"), ("en", "zh"), ("en", "zh-Hant")},
        ),
    ],
)
def test_an_opus_model_has_the_languages_of_its_name(name: str, pairs: set[object]) -> None:
    tokens = tokens_of("opus-mt", name, VOCABULARIES["opus-mt"])
    assert set(tokens.directions) == pairs


def test_an_opus_model_for_one_pair_needs_no_token() -> None:
    tokens = tokens_of("opus-mt", "opus-mt-en-fr", ["▁Good"])
    assert tokens.source(PIECES, "en", "fr") == PIECES


@pytest.mark.parametrize(
    ("family", "name"),
    [("opus-mt", "opus-mt-mul-en"), ("opus-mt", "translator"), ("nllb", "any")],
)
def test_a_model_that_does_not_say_its_languages_is_refused(family: Family, name: str) -> None:
    with pytest.raises(ValueError, match=family):
        tokens_of(family, name, ["▁Good", "__en__"])


def test_text_that_looks_like_the_name_of_a_language_is_none() -> None:
    madlad = tokens_of("madlad400", "any", VOCABULARIES["madlad400"])
    assert madlad.harmless("say <2en> and 1<2") == "say < 2en> and 1<2"
    nllb = tokens_of("nllb", "any", VOCABULARIES["nllb"])
    assert nllb.harmless("say <2en>") == "say <2en>"


def test_long_sentences_are_cut_after_clauses_else_before_words_else_anywhere() -> None:
    clauses = ["▁a", "▁b", ",", "▁c", "▁d", "▁e", "▁f"]
    assert cut(clauses, 5) == [["▁a", "▁b", ","], ["▁c", "▁d", "▁e", "▁f"]]
    words = ["▁a", "b", "▁c", "d", "▁e", "f"]
    assert cut(words, 5) == [["▁a", "b", "▁c", "d"], ["▁e", "f"]]
    assert cut(["▁a", *"bcdefg"], 3) == [["▁a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert cut(["▁今", "天", "、", "明", "天"], 4) == [["▁今", "天", "、"], ["明", "天"]]
    assert cut(words, 6) == [words]


@pytest.mark.parametrize("length", range(1, 40))
def test_nothing_is_lost_in_a_cut(length: int) -> None:
    pieces = [f"▁{n}" if n % 3 else f"{n}," for n in range(length)]
    parts = cut(pieces, 7)
    assert [piece for part in parts for piece in part] == pieces
    assert all(0 < len(part) <= 7 for part in parts)


def test_parts_are_joined_as_the_target_writes() -> None:
    assert (joint("fr"), joint("zh"), joint("zh-Hant"), joint("ko")) == (" ", "", "", " ")


def test_a_translation_that_goes_in_circles_is_told_from_a_text_that_repeats() -> None:
    assert cycle("xabcabcabcy") == Cycle(2, 4)
    assert cycle("abcd") == Cycle(0, 4)
    assert cycle("") == Cycle(0, 0)
    assert is_loop("abababababab", "xyz")
    assert not is_loop("hahahahahaha", "jajajajajaja")
    assert not is_loop("very very", "xyz")
