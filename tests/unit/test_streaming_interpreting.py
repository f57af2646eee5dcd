import numpy as np
import pytest

from speech_translator.engines.values import Priority, TranscribeCall, Transcript, TranslateCall
from speech_translator.errors import (
    EngineFailed,
    EngineUnavailable,
    InvalidRequest,
    UnsupportedPair,
    UnsupportedVoice,
)
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.scalability.results import Likely, RequestContext
from speech_translator.streaming.interpreting import Interpretation, Interpreter
from tests.support.scripted_broker import (
    ScriptedBroker,
    ScriptedEngine,
    detector,
    recogniser,
    speaker,
    translator,
)

CONFIG = TranslatorConfig(("bergamot",), ("whisper",), ("kokoro",), ("kokoro",))
SAMPLES = np.full(3 * 16_000, 0.5, np.float32)
EN, PT, FR, DE = map(Language, ("en", "pt", "fr", "de"))


def context() -> RequestContext:
    return RequestContext(Deadline.after(60), priority=Priority.LIVE)


def door(*engines: ScriptedEngine) -> AsyncTranslator:
    return AsyncTranslator(ScriptedBroker(*engines), CONFIG)


def setup(spoken: str, *, to_english: bool = True) -> tuple[Interpreter, ScriptedEngine]:
    whisper = recogniser(spoken, *["Something."] * 9, to_english=to_english)
    engines = (
        translator("bergamot", "en-pt", "pt-en"),
        whisper,
        detector(),
        speaker("kokoro", "pt"),
    )
    return Interpreter(door(*engines)), whisper


async def interpret(
    interpreter: Interpreter, language: Language | None, *targets: Language
) -> Interpretation:
    return await interpreter.interpret(
        SAMPLES, language=language, targets=targets, context=context()
    )


async def test_a_pair_of_text_engines_needs_one_decode() -> None:
    interpreter, whisper = setup("en")
    said = await interpret(interpreter, EN, PT, EN)
    assert said.text == "Something."
    assert said.translations == {"pt": "pt:Something.", "en": "Something."}
    assert [call.task for call in whisper.calls] == ["transcribe"]


async def test_other_languages_go_through_one_english_reading() -> None:
    interpreter, whisper = setup("fr")
    said = await interpret(interpreter, FR, PT, EN)
    assert said.language == FR
    assert said.text == "Something."
    assert said.translations == {"pt": "pt:English of 3 s.", "en": "English of 3 s."}
    assert [call.task for call in whisper.calls] == ["transcribe", "translate"]


async def test_the_terms_of_a_glossary_hold_in_finals_partials_and_second_tries() -> None:
    bergamot, whisper = translator("bergamot", "en-pt", "en-fr"), recogniser("en", "Cold water.")
    translating = door(bergamot, whisper, detector())
    interpreter = Interpreter(translating, {"water": "aqua", "water tower": "torre"})
    said = await interpret(interpreter, EN, PT, FR, EN)
    assert said.translations == {"pt": "pt:Cold aqua.", "fr": "fr:Cold aqua.", "en": "Cold water."}
    shown = await interpreter.render("Cold water,", language=EN, targets=(PT,), context=context())
    assert shown.translations == {"pt": "pt:Cold aqua,"}
    again = await interpreter.translate_again(SAMPLES, said=said, targets=(PT,), context=context())
    assert again.translations["pt"] == "pt:Cold aqua."
    assert [call.prompt for call in whisper.calls] == [None]  # it would hear them everywhere


async def test_a_detected_language_is_translated_as_one_that_was_given() -> None:
    for spoken, translated in (("en", "pt:Something."), ("fr", "pt:English of 3 s.")):
        interpreter, whisper = setup(spoken)
        said = await interpret(interpreter, None, PT)
        assert said.language == Language(spoken)
        assert said.translations == {"pt": translated}
        assert sum(call.task == "transcribe" for call in whisper.calls) == 1


async def test_what_was_spoken_before_is_told_to_recognition() -> None:
    interpreter, whisper = setup("en")
    said = await interpreter.interpret(
        SAMPLES, language=Likely(Language("zh-Hant")), targets=(PT,), context=context()
    )
    assert said.language == EN
    assert [(call.language, call.likely) for call in whisper.calls] == [(None, "zh")]


async def test_a_target_without_a_way_fails_alone() -> None:
    interpreter, _ = setup("en")
    said = await interpret(interpreter, EN, DE, PT)
    assert said.translations == {"pt": "pt:Something."}
    assert isinstance(said.failures["de"], UnsupportedPair)


async def test_speech_that_has_no_way_into_english_is_still_text() -> None:
    interpreter, _ = setup("fr", to_english=False)
    said = await interpret(interpreter, None, PT)
    assert said.text == "Something."
    assert isinstance(said.failures["pt"], UnsupportedPair)


@pytest.mark.parametrize("language", [PT, None])
async def test_an_engine_that_fails_leaves_the_text_which_is_recognised_once(
    language: Language | None,
) -> None:
    bergamot = translator("bergamot", "pt-en", "en-fr")
    whisper = recogniser("pt", "Olá.")

    def broken(call: object) -> str:
        raise EngineFailed("broken")

    bergamot.answer = broken
    interpreter = Interpreter(door(bergamot, whisper, detector()))
    said = await interpret(interpreter, language, EN, FR)
    assert said.text == "Olá."
    assert {type(error) for error in said.failures.values()} == {EngineFailed}
    assert set(said.failures) == {"en", "fr"}
    assert len(whisper.calls) == 1


@pytest.mark.parametrize("language", [EN, FR, None])
async def test_an_utterance_is_recognised_whole_and_not_searched_for_speech(
    language: Language | None,
) -> None:
    vad = detector()
    whisper = recogniser("fr" if language == FR else "en", "Hello.")
    interpreter = Interpreter(door(translator("bergamot", "en-pt"), whisper, vad))
    quiet_first = np.concatenate((np.zeros(2 * 16_000, np.float32), SAMPLES))
    said = await interpreter.interpret(
        quiet_first, language=language, targets=(PT,), context=context()
    )
    assert said.text == "Hello."
    assert vad.calls == []
    assert {len(call.audio) for call in whisper.calls} == {len(quiet_first)}


async def test_another_try_at_a_target_keeps_what_was_recognised() -> None:
    bergamot = translator("bergamot", "en-pt", "en-fr")
    works = bergamot.answer
    whisper = recogniser("en", "Hello.")

    def broken(call: TranslateCall) -> str:
        if call.target == "pt":
            raise EngineFailed("broken")
        return works(call)

    bergamot.answer = broken
    interpreter = Interpreter(door(bergamot, whisper, detector()))
    said = await interpret(interpreter, EN, PT, FR)
    assert said.translations == {"fr": "fr:Hello."}
    bergamot.answer = works
    before = len(bergamot.calls)
    again = await interpreter.translate_again(SAMPLES, said=said, targets=(PT,), context=context())
    assert again.translations == {"fr": "fr:Hello.", "pt": "pt:Hello."}
    assert again.failures == {}
    assert len(whisper.calls) == 1
    assert [call.target for call in bergamot.calls[before:]] == ["pt"]


async def test_a_reading_in_english_that_failed_is_made_again_for_those_who_need_it() -> None:
    interpreter, whisper = setup("fr")
    works = whisper.answer

    def broken(call: TranscribeCall) -> Transcript:
        if call.task == "translate":
            raise EngineFailed("broken")
        return works(call)

    whisper.answer = broken
    said = await interpret(interpreter, FR, PT)
    assert said.text == "Something."
    assert isinstance(said.failures["pt"], EngineFailed)
    whisper.answer = works
    again = await interpreter.translate_again(SAMPLES, said=said, targets=(PT,), context=context())
    assert again.text == "Something."
    assert again.translations == {"pt": "pt:English of 3 s."}
    assert again.failures == {}


async def test_nothing_said_has_no_language() -> None:
    interpreter = Interpreter(door(translator("bergamot", "en-pt"), recogniser("en", " ")))
    said = await interpret(interpreter, None, PT)
    assert said == Interpretation("", None, 0.0)


@pytest.mark.parametrize(
    ("source", "targets", "speech"),
    [
        (EN, (PT,), True),
        (EN, (), False),
        (FR, (PT, EN), True),
        (None, (PT, EN), False),
        (None, (), False),
        (DE, (DE,), False),
    ],
)
async def test_what_can_be_had_is_let_in(
    source: Language | None, targets: tuple[Language, ...], *, speech: bool
) -> None:
    interpreter, whisper = setup("en")
    interpreter.check(source, targets, speech=speech)
    assert whisper.calls == []


@pytest.mark.parametrize(
    ("source", "targets", "speech", "error"),
    [
        (EN, (PT, DE), False, UnsupportedPair),
        (Language("eu"), (), False, UnsupportedPair),
        (None, (Language("eu"),), False, UnsupportedPair),
        (EN, (EN,), True, UnsupportedVoice),
    ],
)
async def test_what_can_never_be_had_is_refused_at_once(
    source: Language | None,
    targets: tuple[Language, ...],
    error: type[InvalidRequest],
    *,
    speech: bool,
) -> None:
    interpreter, whisper = setup("en")
    with pytest.raises(error):
        interpreter.check(source, targets, speech=speech)
    assert whisper.calls == []


def interpreter_with(*speakers: ScriptedEngine) -> Interpreter:
    """Hibari speaks in live sessions, Kokoro elsewhere."""
    config = TranslatorConfig(("bergamot",), ("whisper",), ("kokoro",), ("hibari",))
    engines = (translator("bergamot", "en-pt"), recogniser("en"), detector(), *speakers)
    return Interpreter(AsyncTranslator(ScriptedBroker(*engines), config))


async def test_a_voice_that_only_other_engines_have_is_refused_at_the_start() -> None:
    interpreter = interpreter_with(speaker("kokoro", "pt"), speaker("hibari", "en"))
    interpreter.check(EN, (EN,), speech=True)
    with pytest.raises(UnsupportedVoice, match="No engine speaks pt") as raised:
        interpreter.check(EN, (PT,), speech=True)
    assert raised.value.details["supported_languages"] == ["en"]


async def test_a_voice_is_one_of_the_engines_that_speak_in_live_sessions() -> None:
    interpreter = interpreter_with(speaker("kokoro", "pt"), speaker("hibari", "pt", "en"))
    interpreter.check(EN, (PT, EN), speech=True, voice="hibari:pt")  # not asked of the second
    for voice in ("kokoro:pt", "hibari:en", "nobody"):
        with pytest.raises(UnsupportedVoice) as raised:
            interpreter.check(EN, (PT,), speech=True, voice=voice)
        assert raised.value.details["supported_voices"] == ["hibari:pt"]


async def test_a_voice_that_is_still_loading_is_not_refused_for_good() -> None:
    hibari = speaker("hibari", "pt")
    hibari.state = "starting"
    interpreter = interpreter_with(speaker("kokoro", "pt"), hibari)
    with pytest.raises(EngineUnavailable):
        interpreter.check(EN, (PT,), speech=True)


async def test_a_session_that_comes_before_the_models_is_told_to_come_again() -> None:
    whisper = recogniser("en")
    whisper.state = "starting"
    interpreter = Interpreter(door(translator("bergamot", "en-pt"), whisper, detector()))
    for source in (EN, None):
        with pytest.raises(EngineUnavailable):
            interpreter.check(source, (PT,), speech=False)


@pytest.mark.parametrize(
    ("heard", "shown"), [("and then", "And then"), ("É assim", "É assim"), ("ßa", "ßa")]
)
async def test_a_draft_begins_as_its_final_will(heard: str, shown: str) -> None:
    whisper = recogniser("en", heard, heard)
    interpreter = Interpreter(door(whisper, detector()))
    said = [
        await interpreter.interpret(
            SAMPLES, language=EN, targets=(), context=context(), sound=sound
        )
        for sound in ("draft", "utterance")
    ]
    assert [one.text for one in said] == [shown, heard]
    assert [call.draft for call in whisper.calls if isinstance(call, TranscribeCall)] == [
        True,
        False,
    ]
