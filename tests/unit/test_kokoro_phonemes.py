# ruff: noqa: RUF001 - phonetic letters and Chinese marks are the expectation
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.engines import mandarin_phonemes
from speech_translator.engines.kokoro_phonemes import VOCABULARY, KokoroPhonemes, tokens


@pytest.fixture(scope="module")
def phonemes() -> KokoroPhonemes:
    return KokoroPhonemes()


def test_the_vocabulary_is_kokoro_s() -> None:
    assert len(VOCABULARY) == 114
    known = {";": 1, " ": 16, "A": 24, "O": 31, "a": 43, "z": 68, "ɹ": 123, "ˈ": 156, "ᵻ": 177}
    assert {char: VOCABULARY[char] for char in known} == known
    assert len(set(VOCABULARY.values())) == 114
    assert tokens("ˈa ") == [156, 43, 16]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Hello there.", "həlˈO ðˈɛɹ."),
        ("pt", "Bom dia!", "bˈoŋ ʤˈiæ!"),
        ("es", "¿Qué tal?", "kˈe tˈal?"),
        ("fr", "Bonjour !", "bɔ̃ʒˈuʁ!"),
        ("it", "Ciao.", "ʧˈao."),
        ("hi", "नमस्ते।", "nəmˈʌsteː."),
    ],
)
def test_a_greeting_is_read(
    phonemes: KokoroPhonemes, language: str, text: str, expected: str
) -> None:
    assert phonemes.of(text, language) == expected


def test_british_english_has_sounds_of_its_own(phonemes: KokoroPhonemes) -> None:
    assert phonemes.of("Hello.", "en", british=True) == "həlˈQ."


@pytest.mark.parametrize(
    ("language", "text", "marks"),
    [
        ("pt", "Custou 3,50; foi em 2024, às 19:30.", ";,."),
        ("pt", "O Dr. Silva e o sr. Costa: onde estão?", ":?"),
        ("fr", "M. Dupont dit : « Oui ! »", ":“!”"),
        ("es", "Tengo 1.500,50 dólares (o euros).", "()."),
        ("it", "Sì — no… forse!", "—…!"),
    ],
)
def test_marks_survive_where_they_end_a_clause(
    phonemes: KokoroPhonemes, language: str, text: str, marks: str
) -> None:
    found = "".join(char for char in phonemes.of(text, language) if char in ';:,.!?—…"()“”')
    assert found == marks


def test_numbers_and_titles_are_read_as_words(phonemes: KokoroPhonemes) -> None:
    assert phonemes.of("3,14", "it") == phonemes.of("tre virgola quattordici", "it")
    assert phonemes.of("M. Martin", "fr") == phonemes.of("monsieur Martin", "fr")
    assert phonemes.of("Il sig. Rossi", "it") == phonemes.of("Il signor Rossi", "it")


def test_a_foreign_word_leaves_no_flag_behind(phonemes: KokoroPhonemes) -> None:
    said = phonemes.of("Le software et le know-how.", "fr")
    assert "(" not in said
    assert "^" not in said


@pytest.mark.parametrize("language", ["en", "pt", "hi", "zh"])
@pytest.mark.parametrize("text", ["", " ", "😀", "?!", "...", "\x01\x02", "’’’", "،"])
def test_nothing_to_say_gives_nothing(phonemes: KokoroPhonemes, language: str, text: str) -> None:
    assert phonemes.of(text, language) == ""


def test_markup_of_the_phonemiser_is_not_the_caller_s_to_use(phonemes: KokoroPhonemes) -> None:
    assert "zˈuzu" not in phonemes.of("[one](/zˈuzu/)", "en")


@pytest.mark.parametrize(
    "text",
    ["1" * 200, "a-" * 300, "aA" * 300, "1,2,3," * 60, "[a](" * 200, "'" * 500 + "a", "9" * 33],
)
def test_hostile_english_is_read_in_bounded_time(phonemes: KokoroPhonemes, text: str) -> None:
    # Without the limits on runs the second takes forty seconds, and the first raises.
    assert phonemes.of(text, "en")


@pytest.mark.parametrize("text", ["①a", "①Ⅷ", "①£", "٫①"])
def test_what_the_rules_stumble_over_is_read_in_plain_letters(
    phonemes: KokoroPhonemes, text: str
) -> None:
    assert phonemes.of(text, "en").startswith("w")  # "one"


@settings(max_examples=150)
@given(st.text(alphabet="0123456789.,:/-$£%'# stndrhamkX½²①Ⅷ٣٫", max_size=30))
def test_figures_of_any_shape_are_read(text: str) -> None:
    said = _SHARED.of(text, "en")
    assert said or not any(char.isalnum() for char in text)


@settings(max_examples=60)
@given(st.text(max_size=80), st.sampled_from(["en", "pt", "fr", "hi", "zh"]))
def test_any_text_gives_known_phonemes(text: str, language: str) -> None:
    said = _SHARED.of(text, language)
    assert set(said) <= VOCABULARY.keys()
    assert said == "" or any(char.isalpha() for char in said)


_SHARED = KokoroPhonemes()


@pytest.mark.parametrize(
    ("digits", "spoken"),
    [
        ("0", "零"),
        ("007", "七"),
        ("10", "十"),
        ("15", "十五"),
        ("20", "二十"),
        ("101", "一百零一"),
        ("110", "一百一十"),
        ("1001", "一千零一"),
        ("10010", "一万零一十"),
        ("100000", "十万"),
        ("123456789", "一亿二千三百四十五万六千七百八十九"),
        ("100000001", "一亿零一"),
        ("12345678901234567", "一二三四五六七八九零一二三四五六七"),
    ],
)
def test_numbers_in_chinese(digits: str, spoken: str) -> None:
    assert mandarin_phonemes.number(digits) == spoken


def test_figures_are_spelled_out_by_what_they_mean() -> None:
    spelled = mandarin_phonemes.spelled_out("2024年3月，19:30，1,234.5元，12%")
    assert spelled == "二零二四年三月，十九点三十分，一千二百三十四点五元，百分之十二"


@pytest.mark.parametrize(
    ("syllable", "sounds"),
    [
        ("ni3", "ni↓"),
        ("hao3", "xau↓"),
        ("shi4", "ʂɨ↘"),
        ("yuan2", "ɥɛ↗n"),
        ("zhong1", "ꭧʊ→ŋ"),
        ("lv4", "ly↘"),
        ("er2", "ɚ↗"),
        ("de5", "tɤ"),
        ("xue2", "ɕɥe↗"),
        ("guai4", "kwai↘"),
    ],
)
def test_pinyin_becomes_ipa(syllable: str, sounds: str) -> None:
    assert mandarin_phonemes.ipa(syllable) == sounds


def test_mandarin_is_read_in_both_scripts_and_with_latin_words(phonemes: KokoroPhonemes) -> None:
    assert phonemes.of("你好，世界！", "zh") == "ni↓xau↓, ʂɨ↘ ʨje↘!"
    assert phonemes.of("電腦", "zh") == phonemes.of("电脑", "zh")
    assert "pˈIθ" in phonemes.of("我喜欢Python。", "zh")
