import asyncio

import msgspec
import numpy as np
import pytest

from speech_translator.engines.values import SAMPLE_RATE, TranscribeCall, TranslateCall
from speech_translator.errors import (
    DeadlineExceeded,
    EmptyAudio,
    EngineFailed,
    EngineUnavailable,
    LanguageNotDetected,
    PoisonousInput,
    UnsupportedPair,
    UnsupportedVoice,
)
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.scalability.results import RequestContext
from tests.support.scripted_broker import (
    ScriptedBroker,
    ScriptedEngine,
    detector,
    recogniser,
    speaker,
    translator,
)

EN, PT, FR, DE = (Language.parse(code) for code in ("en", "pt", "fr", "de"))
CONTEXT = RequestContext(Deadline(60.0, lambda: 0.0))


def door(*engines: ScriptedEngine) -> tuple[AsyncTranslator, ScriptedBroker]:
    broker = ScriptedBroker(*engines)
    config = TranslatorConfig(("a", "b"), ("whisper",), ("slow", "quick"), ("quick", "slow"))
    return AsyncTranslator(broker, config), broker


def speech(*seconds: float) -> np.ndarray:
    """Stretches of sound with 2 s of silence between them."""
    parts = []
    for length in seconds:
        parts += [
            np.full(int(length * SAMPLE_RATE), 0.1, np.float32),
            np.zeros(2 * SAMPLE_RATE, np.float32),
        ]
    return np.concatenate(parts)


def fails(engine: ScriptedEngine, error: Exception) -> ScriptedEngine:
    def answer(_call: object) -> object:
        raise error

    engine.answer = answer  # type: ignore[assignment]
    return engine


async def test_a_direct_pair() -> None:
    service, _ = door(translator("a", "en-pt"))
    (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    assert answer.text == "pt:Hello."
    assert (answer.engine, answer.route) == ("a", ("a:en-pt",))
    assert not answer.degraded
    assert not answer.cached
    assert answer.detected_language is None


async def test_a_pivot_names_both_steps() -> None:
    service, _ = door(translator("a", "fr-en"), translator("b", "en-pt"))
    (answer,) = await service.translate(["Bonjour."], source=FR, target=PT, context=CONTEXT)
    assert answer.text == "pt:en:Bonjour."
    assert answer.route == ("a:fr-en", "b:en-pt")


async def test_an_answer_says_whether_rules_had_a_part_in_it() -> None:
    service, _ = door(
        detector(),
        recogniser("en", "One."),
        translator("a", "en-pt"),
        translator("b", "pt-es", rule_based=True),
    )
    spanish = Language.parse("es")
    for target, by_rules in ((PT, False), (spanish, True)):
        for _ in ("anew", "from the cache"):
            (answer,) = await service.translate(["One."], source=EN, target=target, context=CONTEXT)
            assert answer.rule_based == by_rules
    heard = await service.transcribe(speech(14), language=EN, target=spanish, context=CONTEXT)
    assert heard.translation is not None
    assert heard.translation.rule_based


async def test_the_next_engine_answers_and_says_so() -> None:
    service, _ = door(
        fails(translator("a", "en-pt"), EngineFailed("no")), translator("b", "en-pt", mark="b")
    )
    (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    assert (answer.text, answer.engine, answer.degraded) == ("b:Hello.", "b", True)


async def test_a_degraded_answer_is_not_kept() -> None:
    first = translator("a", "en-pt", mark="a")
    healthy = first.answer
    service, _ = door(fails(first, EngineFailed("no")), translator("b", "en-pt", mark="b"))
    await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    first.answer = healthy
    (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    assert (answer.text, answer.degraded, answer.cached) == ("a:Hello.", False, False)


async def test_an_engine_that_hangs_leaves_time_for_the_next() -> None:
    slow = translator("a", "en-pt")
    slow.hangs = True
    service, _ = door(slow, translator("b", "en-pt", mark="b"))
    (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    assert (answer.text, answer.degraded) == ("b:Hello.", True)


async def test_many_slow_calls_together_leave_time_for_the_next_engine() -> None:
    now = 0.0
    first = translator("a", "en-de", "de-pt")
    usual = first.answer

    def slow(call: object) -> object:
        nonlocal now
        now += 20.0  # the first route has 36 s for both of its steps
        return usual(call)  # type: ignore[arg-type]

    first.answer = slow  # type: ignore[assignment]
    service, _ = door(first, translator("b", "en-fr", "fr-pt", mark="b"))
    context = RequestContext(Deadline(60.0, lambda: now))
    (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=context)
    assert (answer.engine, answer.degraded) == ("b", True)


async def test_the_requests_own_deadline_ends_everything() -> None:
    slow = translator("a", "en-pt")
    slow.hangs = True
    service, broker = door(slow, translator("b", "en-pt"))
    past = RequestContext(Deadline(0.0, lambda: 1.0))
    with pytest.raises(DeadlineExceeded):
        await service.translate(["Hello."], source=EN, target=PT, context=past)
    assert broker.engines["b"].calls == []


async def test_an_error_of_the_callers_own_does_not_fall_through() -> None:
    service, broker = door(
        fails(translator("a", "en-pt"), PoisonousInput("it crashed")), translator("b", "en-pt")
    )
    with pytest.raises(PoisonousInput):
        await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)
    assert broker.engines["b"].calls == []


async def test_when_all_fail_the_preferred_engines_error_is_told() -> None:
    service, _ = door(
        fails(translator("a", "en-pt"), EngineFailed("first")),
        fails(translator("b", "en-pt"), EngineFailed("second")),
    )
    with pytest.raises(EngineFailed, match="first"):
        await service.translate(["Hello."], source=EN, target=PT, context=CONTEXT)


async def test_an_uncovered_pair_says_what_is_there() -> None:
    service, _ = door(translator("a", "en-pt"))
    with pytest.raises(UnsupportedPair) as caught:
        await service.translate(["Hello."], source=EN, target=FR, context=CONTEXT)
    assert caught.value.details["supported_targets"] == ["pt"]
    assert "Hello" not in str(caught.value)
    assert str(caught.value).endswith("To add it, run: make apertium")
    with pytest.raises(UnsupportedPair) as hopeless:
        await service.translate(["Hello."], source=EN, target=Language("egl"), context=CONTEXT)
    assert str(hopeless.value).endswith("From en there is pt.")


async def test_while_engines_load_a_pair_is_not_yet_unsupported() -> None:
    loading = translator("a", "en-fr")
    loading.state = "starting"
    service, _ = door(loading, translator("b", "en-pt"))
    with pytest.raises(EngineUnavailable):
        await service.translate(["Hello."], source=EN, target=FR, context=CONTEXT)
    loading.state = "ready"
    (answer,) = await service.translate(["Hello."], source=EN, target=FR, context=CONTEXT)
    assert answer.text == "fr:Hello."


async def test_an_engine_that_was_left_out_is_not_looked_for_at_every_text() -> None:
    service, broker = door(translator("a", "en-pt"))  # and none called "b"
    asked = 0
    status = broker.status

    def counted() -> object:
        nonlocal asked
        asked += 1
        return status()

    broker.status = counted  # type: ignore[method-assign, assignment]
    for text in ("One.", "Two.", "Three."):
        await service.translate([text], source=EN, target=PT, context=CONTEXT)
    assert asked == 1


async def test_the_second_time_is_from_the_cache_and_owners_do_not_share() -> None:
    service, broker = door(translator("a", "en-pt"))
    other = RequestContext(CONTEXT.deadline, owner="other")
    fresh = RequestContext(CONTEXT.deadline, use_cache=False)
    seen = []
    for context in (CONTEXT, CONTEXT, other, fresh):
        (answer,) = await service.translate(["Hello."], source=EN, target=PT, context=context)
        seen.append(answer.cached)
    assert seen == [False, True, False, False]
    assert len(broker.engines["a"].calls) == 3


async def test_equal_sentences_of_a_request_are_translated_once() -> None:
    service, broker = door(translator("a", "en-pt"))
    answers = await service.translate(["Hello."] * 20, source=EN, target=PT, context=CONTEXT)
    assert [answer.text for answer in answers] == ["pt:Hello."] * 20
    assert len(broker.engines["a"].calls) == 1


async def test_signs_and_the_same_language_need_no_engine() -> None:
    service, broker = door(translator("a", "en-pt"))
    answers = await service.translate(["  ", "🎉 🎉"], source=EN, target=PT, context=CONTEXT)
    answers += await service.translate(["Hello."], source=EN, target=EN, context=CONTEXT)
    assert [answer.text for answer in answers] == ["  ", "🎉 🎉", "Hello."]
    assert {answer.engine for answer in answers} == {"none"}
    assert broker.engines["a"].calls == []


async def test_each_text_is_detected_for_itself() -> None:
    service, _ = door(translator("a", "en-pt", "fr-pt"))
    texts = [
        "The weather is lovely today and we are going to the beach.",
        "Il fait très beau aujourd'hui et nous allons à la plage.",
    ]
    answers = await service.translate(texts, source=None, target=PT, context=CONTEXT)
    assert [answer.detected_language for answer in answers] == [EN, FR]


async def test_what_cannot_be_detected_is_refused() -> None:
    service, _ = door(translator("a", "en-pt"))
    with pytest.raises(LanguageNotDetected):
        await service.translate(["xk"], source=None, target=PT, context=CONTEXT)


@pytest.mark.parametrize(
    "text", ["<b>123</b>", "<p class='the and you'>1 &gt; 2</p>", "<code>x = y</code>", "&nbsp;"]
)
async def test_html_in_which_nobody_reads_a_word_has_no_language_and_comes_back(text: str) -> None:
    service, broker = door(translator("a", "en-pt"))
    (answer,) = await service.translate(
        [text], source=None, target=PT, context=CONTEXT, text_format="html"
    )
    assert answer.text == text
    assert answer.detected_language is None
    assert broker.engines["a"].calls == []


async def test_the_language_of_html_is_that_of_what_is_read() -> None:
    service, _ = door(translator("a", "en-pt", "fr-pt"))
    english = "The weather is lovely today and we are going to the beach. "
    for text in (
        f"<p>Il fait très beau et nous allons à la plage.</p><script>{english}</script>",
        f"<code>{english * 3}</code> Il fait très beau et nous allons à la plage.",
        '<img alt="Il fait très beau et nous allons à la plage.">',
    ):
        (answer,) = await service.translate(
            [text], source=None, target=PT, context=CONTEXT, text_format="html"
        )
        assert answer.detected_language == FR


async def test_one_failing_text_cancels_the_others_quietly() -> None:
    service, broker = door(translator("a", "en-pt"))
    good = broker.engines["a"].answer

    def answer(call: object) -> object:
        if "bad" in getattr(call, "text", ""):
            raise PoisonousInput("it crashed")
        return good(call)  # type: ignore[arg-type]

    broker.engines["a"].answer = answer  # type: ignore[assignment]
    texts = [f"Sentence {i}." for i in range(30)] + ["A bad one."]
    with pytest.raises(PoisonousInput):
        await service.translate(texts, source=EN, target=PT, context=CONTEXT)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_a_recording_is_cut_at_its_pauses_and_times_are_of_the_whole() -> None:
    service, _ = door(detector(), recogniser("en", "One.", "Two."), translator("a", "en-pt"))
    told: list[tuple[float, float]] = []
    result = await service.transcribe(
        speech(14, 14), language=EN, context=CONTEXT, progress=lambda *at: told.append(at)
    )
    assert result.text == "One. Two."
    assert result.duration == 32.0
    assert result.segments[0].start == pytest.approx(0, abs=0.5)
    assert result.segments[1].start == pytest.approx(16, abs=0.5)
    assert result.segments[1].end == pytest.approx(30, abs=0.5)
    assert [segment.id for segment in result.segments] == [0, 1]
    assert told[-1] == (32.0, 32.0)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_a_recording_with_a_target_is_translated_segment_by_segment() -> None:
    service, _ = door(detector(), recogniser("en", "One,", "two."), translator("a", "en-pt"))
    result = await service.transcribe(speech(14, 14), language=EN, target=PT, context=CONTEXT)
    assert result.translation is not None
    assert result.translation.text == "pt:One, two."
    assert result.translation.route == ("a:en-pt",)
    assert [segment.translation for segment in result.segments] == ["pt:One,", "two."]


async def test_a_sentence_that_crashes_its_engine_costs_a_recording_no_other() -> None:
    engine = translator("a", "en-pt")
    answer = engine.answer

    def picky(call: TranslateCall) -> object:
        if call.text == "Bad.":
            raise PoisonousInput("no")
        return answer(call)

    engine.answer = picky  # type: ignore[assignment]
    service, _ = door(detector(), recogniser("en", "Good.", "Bad.", "Fine."), engine)
    result = await service.transcribe(speech(14, 14, 14), language=EN, target=PT, context=CONTEXT)
    assert [segment.translation for segment in result.segments] == ["pt:Good.", "Bad.", "pt:Fine."]
    assert result.translation is not None
    assert result.translation.degraded
    assert result.translation.route == ("a:en-pt",)


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("en", ["whisper:fr-en"]),  # rather than by rules
        ("pt", ["whisper:fr-en", "a:en-pt"]),
        ("es", ["b:fr-es"]),  # rules would follow Whisper's English, too
        ("de", ["a:fr-de"]),
    ],
)
async def test_whisper_reads_into_english_where_only_rules_would_translate(
    target: str, route: list[str]
) -> None:
    service, _ = door(
        detector(),
        recogniser("fr", *["Un."] * 4),
        translator("a", "en-pt", "fr-de", "en-de"),
        translator("b", "fr-en", "fr-pt", "fr-es", "en-es", rule_based=True),
    )
    into = Language.parse(target)
    service.check_speech(FR, into)
    result = await service.transcribe(speech(14), language=FR, target=into, context=CONTEXT)
    assert result.translation is not None
    assert list(result.translation.route) == route


async def test_without_a_text_engine_whisper_reads_into_english_itself() -> None:
    service, _ = door(detector(), recogniser("fr", "Un."), translator("a", "en-pt"))
    result = await service.transcribe(speech(14), language=None, target=PT, context=CONTEXT)
    assert result.language == FR
    assert result.text == "Un."
    assert result.translation is not None
    assert result.translation.text.startswith("pt:English of ")
    assert result.translation.route == ("whisper:fr-en", "a:en-pt")


@pytest.mark.parametrize("target", ["en", "pt"])
async def test_another_recogniser_reads_into_english_where_the_preferred_one_cannot(
    target: str,
) -> None:
    broker = ScriptedBroker(
        detector(),
        recogniser("fr", "Un.", to_english=False, name="first"),
        recogniser("fr", name="second"),
        translator("a", "en-pt"),
    )
    service = AsyncTranslator(broker, TranslatorConfig(("a",), ("first", "second"), (), ()))
    into = Language.parse(target)
    service.check_speech(FR, into)
    result = await service.transcribe(speech(14), language=FR, target=into, context=CONTEXT)
    assert (result.text, result.engine, result.degraded) == ("Un.", "first", False)
    assert result.translation is not None
    assert "English of 14 s." in result.translation.text
    assert result.translation.route[0] == "second:fr-en"
    assert not result.translation.degraded


async def test_while_a_recogniser_loads_its_languages_are_not_yet_unsupported() -> None:
    italian = Language.parse("it")
    late = recogniser("it", name="late")
    late.state = "starting"
    broker = ScriptedBroker(detector(), recogniser("en"), late)
    service = AsyncTranslator(broker, TranslatorConfig((), ("whisper", "late"), (), ()))
    service.check_speech(EN, None)
    with pytest.raises(EngineUnavailable):
        service.check_speech(italian, None)
    late.state = "ready"
    with pytest.raises(UnsupportedPair):
        service.check_speech(italian, None)


async def test_speech_that_cannot_reach_the_target_is_refused_before_the_work() -> None:
    service, broker = door(
        detector(), recogniser("fr", "Un.", to_english=False), translator("a", "en-pt")
    )
    with pytest.raises(UnsupportedPair):
        await service.transcribe(speech(14), language=FR, target=DE, context=CONTEXT)
    assert broker.engines["whisper"].calls == []


async def test_the_language_is_voted_on_and_a_clip_that_disagreed_is_decoded_again() -> None:
    engine = recogniser("fr", *"abcdef")
    usual = engine.answer
    service, _ = door(detector(), engine, translator("a", "en-pt"))
    answered = 0

    def answer(call: TranscribeCall) -> object:
        nonlocal answered
        answered += 1
        result = usual(call)
        if answered == 2:
            return type(result)(result.segments, "de", 0.5)  # type: ignore[union-attr,call-arg]
        return result

    engine.answer = answer  # type: ignore[assignment]
    result = await service.transcribe(speech(14, 14, 14), language=None, context=CONTEXT)
    assert result.language == FR
    asked = [call.language for call in engine.calls if isinstance(call, TranscribeCall)]
    assert asked.count("fr") == 1


async def test_silence_has_no_text_and_cannot_be_spoken() -> None:
    service, _ = door(detector(), recogniser("en"), translator("a", "en-pt"))
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    result = await service.transcribe(silence, language=EN, target=PT, context=CONTEXT)
    assert (result.text, result.segments) == ("", ())
    assert result.translation is not None
    assert result.translation.text == ""
    result = await service.transcribe(silence, language=None, context=CONTEXT)
    assert result.text == ""
    with pytest.raises(EmptyAudio):
        await service.translate_speech(silence, source=EN, target=PT, context=CONTEXT)


async def test_speech_is_joined_with_pauses_and_chains_differ_for_live() -> None:
    service, _ = door(speaker("slow", "en", "pt"), speaker("quick", "en"))
    spoken = await service.synthesize("One two. Three four.", language=EN, context=CONTEXT)
    assert spoken.engine == "slow"
    assert len(spoken.samples) > 1.8 * spoken.sample_rate
    live = await service.synthesize("One two.", language=EN, context=CONTEXT, live=True)
    assert live.engine == "quick"
    assert (await service.synthesize("Um.", language=PT, context=CONTEXT, live=True)).engine == (
        "slow"
    )


async def test_a_voice_picks_its_engine_and_must_know_the_language() -> None:
    service, _ = door(speaker("slow", "en", "pt"), speaker("quick", "en"))
    spoken = await service.synthesize("One.", language=EN, voice="quick:en", context=CONTEXT)
    assert (spoken.engine, spoken.voice) == ("quick", "quick:en")
    with pytest.raises(UnsupportedVoice):
        await service.synthesize("Um.", language=PT, voice="quick:en", context=CONTEXT)
    with pytest.raises(UnsupportedVoice) as caught:
        await service.synthesize("Um.", language=PT, voice="nobody", context=CONTEXT)
    assert caught.value.details["supported_voices"] == ["slow:pt"]
    with pytest.raises(UnsupportedVoice):
        await service.synthesize("Eins.", language=DE, context=CONTEXT)


async def test_a_voice_of_another_language_of_its_engine_is_refused_before_the_work() -> None:
    traditional = Language.parse("zh-Hant")
    engine = speaker("slow", "en", "zh")
    engine.info = msgspec.structs.replace(engine.info, languages=("en", "zh", "zh-Hant"))
    texts = translator("a", "en-zh")
    texts.info = msgspec.structs.replace(texts.info, pairs=(("en", "zh-Hant"),))
    service, _ = door(detector(), recogniser("en"), texts, engine)
    service.check_speech(EN, EN, speak=True, voice="slow:en")
    service.check_speech(EN, traditional, speak=True, voice="slow:zh")  # it reads both
    with pytest.raises(UnsupportedVoice) as caught:
        service.check_speech(EN, EN, speak=True, voice="slow:zh")
    assert caught.value.details["supported_voices"] == ["slow:en"]


async def test_speech_to_speech() -> None:
    service, _ = door(
        detector(), recogniser("en", "One."), translator("a", "en-pt"), speaker("slow", "pt")
    )
    result = await service.translate_speech(speech(14), source=None, target=PT, context=CONTEXT)
    assert result.transcription.translation is not None
    assert result.transcription.translation.text == "pt:One."
    assert result.speech.engine == "slow"
    assert len(result.speech.samples) > 0


async def test_fallbacks_for_speech_are_said() -> None:
    broker = ScriptedBroker(
        detector(),
        fails(recogniser("en", "One.", name="first"), EngineFailed("no")),
        recogniser("en", "One.", name="second"),
        fails(speaker("slow", "en"), EngineFailed("no")),
        speaker("quick", "en"),
    )
    config = TranslatorConfig((), ("first", "second"), ("slow", "quick"), ())
    service = AsyncTranslator(broker, config)
    heard = await service.transcribe(speech(14), language=EN, context=CONTEXT)
    assert (heard.engine, heard.degraded) == ("second", True)
    spoken = await service.synthesize("One.", language=EN, context=CONTEXT)
    assert (spoken.engine, spoken.degraded) == ("quick", True)
    spoken = await service.synthesize("One.", language=EN, voice="quick:en", context=CONTEXT)
    assert not spoken.degraded


async def test_what_recordings_cannot_become_is_refused_before_the_work() -> None:
    service, broker = door(
        detector(), recogniser("fr"), translator("a", "en-pt"), speaker("slow", "pt", "de")
    )
    service.check_speech(None, None)
    service.check_speech(None, PT, speak=True)  # French by recognition's own English
    service.check_speech(FR, PT, voice="slow:pt", speak=True)
    service.check_speech(None, DE)  # it may be German that is spoken
    italian = Language.parse("it")
    for source, target in ((italian, None), (italian, PT), (None, italian), (FR, DE)):
        with pytest.raises(UnsupportedPair):
            service.check_speech(source, target)
    for target, voice in ((EN, None), (PT, "nobody")):
        with pytest.raises(UnsupportedVoice):
            service.check_speech(None, target, voice=voice, speak=True)
    assert not any(engine.calls for engine in broker.engines.values())


async def test_an_error_says_which_text_of_a_list_it_is_about() -> None:
    engine = translator("a", "en-pt")
    answer = engine.answer

    def picky(call: TranslateCall) -> object:
        if call.text == "Bad.":
            raise PoisonousInput("no")
        return answer(call)

    engine.answer = picky  # type: ignore[assignment]
    service, _ = door(engine)
    texts = ["Good.", "Fine.", "Bad."]
    with pytest.raises(PoisonousInput) as caught:
        await service.translate(texts, source=EN, target=PT, context=CONTEXT)
    assert caught.value.details["index"] == 2
    with pytest.raises(PoisonousInput) as caught:
        await service.translate(["Bad."], source=EN, target=PT, context=CONTEXT)
    assert "index" not in caught.value.details
    with pytest.raises(LanguageNotDetected) as undetected:
        await service.translate(["xqzv", "Good morning."], source=None, target=PT, context=CONTEXT)
    assert undetected.value.details["index"] == 0
