"""What is said of each language."""

from speech_translator.api.languages import language_answers
from speech_translator.engines.values import EngineInfo

ENGINES = (
    EngineInfo("a", "translation", groups=(("en", "zh", "zh-Hant"),)),
    EngineInfo("b", "translation", pairs=(("en", "fr"),), rule_based=True),
    EngineInfo("whisper", "recognition", languages=("en", "fr", "zh"), to_english=True),
    EngineInfo("espeak", "synthesis", languages=("fr", "cy")),
)


def test_each_language_is_said_to_do_what_it_can() -> None:
    found = {answer.code: answer for answer in language_answers(ENGINES)}
    assert list(found) == ["zh", "zh-Hant", "en", "fr", "cy"]  # by name, sources first
    assert found["en"].targets == ("fr", "zh", "zh-Hant")
    assert found["en"].rule_based == ("fr",)
    assert found["zh"].routes["fr"] == ("a:zh-en", "b:en-fr")
    assert found["fr"].targets == ()
    assert (found["fr"].speech.recognised, found["fr"].speech.spoken) == (True, True)
    # By the recogniser's own English, and from there.
    assert found["fr"].speech.targets == ("en", "zh", "zh-Hant")
    assert (found["cy"].speech.recognised, found["cy"].speech.spoken) == (False, True)
    assert found["cy"].speech.targets == ()


def test_speech_has_no_script() -> None:
    found = {answer.code: answer for answer in language_answers(ENGINES)}
    for code in ("zh", "zh-Hant"):
        assert found[code].speech.recognised
        assert "en" in found[code].speech.targets
