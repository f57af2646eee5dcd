import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import UnknownLanguage
from speech_translator.languages import (
    MAX_CODE_CHARS,
    Language,
    all_languages,
    parse_source,
)

WHISPER = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he "
    "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne "
    "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk "
    "ur uz vi yi yo zh yue"
)
FLORES_SAMPLE = (
    "ace_Arab ace_Latn acm_Arab als_Latn arb_Arab arb_Latn ary_Arab azb_Arab azj_Latn ckb_Arab "
    "dik_Latn ell_Grek est_Latn fuv_Latn gaz_Latn kas_Arab kas_Deva khk_Cyrl kmr_Latn knc_Arab "
    "kor_Hang lvs_Latn min_Arab mni_Beng nob_Latn npi_Deva ory_Orya pbt_Arab pes_Arab plt_Latn "
    "prs_Arab quy_Latn sat_Olck srp_Cyrl swh_Latn taq_Tfng tgl_Latn tzm_Tfng uzn_Latn ydd_Hebr "
    "yue_Hant zho_Hans zho_Hant zsm_Latn"
)


@pytest.mark.parametrize(
    ("code", "tag", "key", "flores"),
    [
        ("en", "en", "en", "eng_Latn"),
        ("ENG", "en", "en", "eng_Latn"),
        ("eng_Latn", "en", "en", "eng_Latn"),
        ("en_US", "en-US", "en", "eng_Latn"),
        ("en-UK", "en-GB", "en", "eng_Latn"),
        ("pt-br", "pt-BR", "pt", "por_Latn"),
        ("es-419", "es-419", "es", "spa_Latn"),
        ("ger", "de", "de", "deu_Latn"),
        ("iw", "he", "he", "heb_Hebr"),
        ("jw", "jv", "jv", "jav_Latn"),
        ("nb", "no", "no", "nob_Latn"),
        ("fil", "tl", "tl", "tgl_Latn"),
        ("arb_Arab", "ar", "ar", "arb_Arab"),
        ("ary_Arab", "ary", "ary", "ary_Arab"),
        ("zho_Hans", "zh", "zh", "zho_Hans"),
        ("zh-CN", "zh-CN", "zh", "zho_Hans"),
        ("cmn", "zh", "zh", "zho_Hans"),
        ("zh-TW", "zh-TW", "zh-Hant", "zho_Hant"),
        ("zh-Hant-TW", "zh-TW", "zh-Hant", "zho_Hant"),
        ("zho_Hant", "zh-Hant", "zh-Hant", "zho_Hant"),
        ("zh-yue", "yue", "yue", "yue_Hant"),
        ("sr-Latn", "sr-Latn", "sr-Latn", "srp_Latn"),
        ("sh", "sr-Latn", "sr-Latn", "srp_Latn"),
        ("ko-KR", "ko-KR", "ko", "kor_Hang"),
        ("en-US-u-va-posix", "en-US", "en", "eng_Latn"),
        ("ca-valencia", "ca", "ca", "cat_Latn"),
    ],
)
def test_callers_write_what_they_know(code: str, tag: str, key: str, flores: str) -> None:
    language = Language.parse(code)
    assert (language.tag, language.key, language.flores) == (tag, key, flores)


def test_name_script_and_region() -> None:
    language = Language.parse("pt_br")
    assert (language.name, language.iso3) == ("Portuguese", "por")
    assert (language.script, language.region) == ("Latn", "BR")
    assert Language.parse("ja").region is None
    assert str(language) == "pt-BR"


@pytest.mark.parametrize("code", WHISPER.split())
def test_every_language_of_whisper_is_known(code: str) -> None:
    assert Language.parse(code).name


@pytest.mark.parametrize("code", FLORES_SAMPLE.split())
def test_flores_codes_come_back_as_they_went_in(code: str) -> None:
    assert Language.parse(code).flores == code


def test_every_spelling_of_a_language_leads_to_the_same_one() -> None:
    for language in all_languages():
        for code in (language.key, language.iso3, language.flores, language.tag.upper()):
            assert Language.parse(code) == language


def test_auto_is_a_source_and_no_language() -> None:
    assert parse_source("auto") is None
    assert parse_source(" AUTO ") is None
    assert parse_source("en") == Language.parse("en")
    with pytest.raises(UnknownLanguage):
        Language.parse("auto")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("portugese", "pt"),
        ("English", "en"),
        ("Portuguese (Brazil)", "pt"),
        ("en-XX", "en"),
        ("en_Cyrl", "en"),
        ("frnch", "fr"),
        ("mandarin", "zh"),
        ("enn", "en"),
    ],
)
def test_an_unknown_code_names_close_matches(code: str, expected: str) -> None:
    with pytest.raises(UnknownLanguage) as caught:
        Language.parse(code)
    matches = caught.value.details["close_matches"]
    assert isinstance(matches, list)
    assert matches[0] == expected
    assert code not in caught.value.message


@pytest.mark.parametrize(
    "code",
    [
        "", " ", "x", "xx", "zzz", "en-", "-en", "en--US", "x-private", "i-klingon", "en-hello",
        "é", "\u212aa", "en\x00", "en\n-US", "\ud800", "../etc", "a" * 1_000_000,
        "en-u" + "-abcdefgh" * 4,
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(UnknownLanguage):
        Language.parse(code)


@given(st.text(max_size=60) | st.text(string.ascii_letters + string.digits + "-_", max_size=40))
def test_parsing_ends_in_a_language_or_in_its_one_error(code: str) -> None:
    try:
        language = Language.parse(code)
    except UnknownLanguage as error:
        matches = error.details["close_matches"]
        assert isinstance(matches, list)
        assert len(matches) <= 3
        assert all(Language.parse(match) for match in matches)
    else:
        assert len(code) <= MAX_CODE_CHARS
        assert Language.parse(language.tag) == language
        assert Language.parse(language.key).key == language.key
        assert Language.parse(language.flores).flores == language.flores
