from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.engines.values import SpeechProbabilities
from speech_translator.errors import (
    EngineFailed,
    EngineUnavailable,
    Overloaded,
    PoisonousInput,
    ShuttingDown,
    SpeechTranslatorError,
    UnsupportedPair,
)
from speech_translator.languages import Language
from speech_translator.scalability.results import Likely
from speech_translator.streaming.config import SessionLimits
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import (
    Ack,
    Done,
    Failed,
    Final,
    Partial,
    Ready,
    SpokenAudio,
    Warned,
)
from speech_translator.streaming.voice_activity import EndpointConfig
from speech_translator.streaming.work import Detect, Foresee, Guess, Interpret, Retranslate, Speak
from tests.support.live_simulation import (
    ENGLISH,
    PORTUGUESE,
    WINDOW,
    Simulation,
    interpretation,
    request,
    silence,
    word,
)

WINDOW_S = WINDOW / 16_000


def texts(sim: Simulation) -> list[str]:
    return [final.text for final in sim.told(Final)]


def test_a_spoken_sentence_becomes_a_final_with_times_text_and_translation() -> None:
    sim = Simulation()
    assert sim.told(Ready)[0].target_languages == ("pt",)
    sim.hear(silence(40), word(1), word(2), silence(40))
    (final,) = sim.told(Final)
    assert (final.segment_id, final.text, final.language) == (1, "w1 w2", "en")
    assert final.translations == {"pt": "pt:w1 w2"}
    assert final.start == pytest.approx(40 * WINDOW_S, abs=0.001)
    assert final.end == pytest.approx(72 * WINDOW_S, abs=0.001)
    # The pause that ends an utterance, and up to a frame and a detection on top.
    assert 600 <= final.latency_ms <= 900


def test_the_end_flushes_what_is_being_said_and_closes() -> None:
    sim = Simulation()
    sim.hear(word(1), silence(30), word(2, 10), frame=700)
    sim.end()
    assert texts(sim) == ["w1", "w2"]
    done = sim.events[-1]
    assert isinstance(done, Done)
    assert (done.reason, done.segments) == ("end", 2)
    assert done.audio_s == pytest.approx(56 * WINDOW_S, abs=0.001)
    assert sim.closed == "end"
    assert sim.told(Ack)[-1].audio_s == done.audio_s


def test_a_session_without_audio_ends_at_once() -> None:
    sim = Simulation()
    sim.end()
    assert sim.told(Done)[0].audio_s == 0
    assert sim.closed == "end"


def test_finals_come_in_the_order_of_speech_whichever_is_ready_first() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(30), word(2), silence(30))
    first, second = sorted(sim.works)
    sim.answer(second)
    assert texts(sim) == []
    sim.answer(first)
    assert texts(sim) == ["w1", "w2"]


def test_only_two_utterances_are_recognised_at_once() -> None:
    sim = Simulation(foresight=False, auto=False)
    for number in range(1, 6):
        sim.hear(word(number), silence(30))
    assert sum(isinstance(work, Interpret) for work in sim.works.values()) == 2
    sim.auto = True
    sim.answer_all()
    assert texts(sim) == ["w1", "w2", "w3", "w4", "w5"]


def test_nothing_is_read_while_recognition_is_behind_and_nothing_is_lost() -> None:
    sim = Simulation(auto=False)
    number = 0
    while sim.session.reading:
        number += 1
        sim.hear(word(number, 60), silence(30))
        assert number < 100
    held = sum(len(work.samples) for work in sim.works.values())
    assert held < 90 * 16_000
    sim.auto = True
    sim.answer_all()
    assert sim.session.reading
    assert texts(sim) == [f"w{index}" for index in range(1, number + 1)]


def test_nothing_is_read_while_detection_hangs() -> None:
    sim = Simulation(auto=False)
    frames = 0
    while sim.session.reading:
        frames += 1
        sim.perform(sim.session.receive_audio(word(1, 4)))
        assert frames < 200
    assert frames * 4 * WINDOW_S == pytest.approx(10, abs=1)
    sim.answer(sim.only(Detect))
    sim.answer_all(Detect)
    assert sim.session.reading


def test_the_client_is_not_idle_while_it_is_not_read() -> None:
    sim = Simulation(auto=False)
    while sim.session.reading:
        sim.perform(sim.session.receive_audio(word(1, 4)))
    sim.tick(1000)
    assert sim.told(Done) == []
    sim.answer_all(Detect)
    sim.tick(59)
    assert sim.told(Done) == []
    sim.auto = True
    sim.tick(2)
    assert [done.reason for done in sim.told(Done)] == ["idle_timeout"]


def test_a_client_that_has_not_taken_its_events_is_not_idle() -> None:
    sim = Simulation()
    sim.session.hold(held=True)
    sim.tick(1000)
    assert sim.told(Done) == []
    sim.session.hold(held=False)
    sim.tick(59)
    assert sim.told(Done) == []
    sim.tick(2)
    assert sim.closed == "idle_timeout"


def test_a_client_that_waits_for_what_it_said_is_not_idle() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(30))
    sim.tick(100)
    assert sim.told(Done) == []
    sim.auto = True
    sim.answer_all()
    assert texts(sim) == ["w1"]
    sim.tick(59)
    assert sim.told(Done) == []
    sim.tick(2)
    assert sim.closed == "idle_timeout"


def test_a_client_that_listens_is_not_idle() -> None:
    sim = Simulation(request(speech=True))
    sim.hear(word(1), silence(30), word(2), silence(30))  # 5 s of speech are sent for each
    sim.tick(67)
    assert sim.told(Done) == []
    sim.tick(3)
    assert sim.closed == "idle_timeout"


def test_a_client_that_says_that_it_is_there_is_not_idle() -> None:
    sim = Simulation()
    for _ in range(5):
        sim.tick(50)
        sim.perform(sim.session.keep_alive())
    assert sim.told(Done) == []
    sim.tick(60)
    assert sim.closed == "idle_timeout"


def test_idle_and_too_long_sessions_are_flushed_and_ended() -> None:
    sim = Simulation()
    sim.hear(word(1))
    sim.tick(60)
    assert texts(sim) == ["w1"]
    assert sim.closed == "idle_timeout"

    by_audio = Simulation(limits=SessionLimits(max_s=2))
    by_audio.now -= 100  # faster than time
    by_audio.hear(word(1), silence(30), word(2, 100))
    assert texts(by_audio) == ["w1", "w2"]
    assert by_audio.closed == "session_too_long"

    by_clock = Simulation(limits=SessionLimits(max_s=5, idle_s=60))
    by_clock.tick(5)
    assert by_clock.closed == "session_too_long"


def test_a_passing_failure_is_tried_again() -> None:
    sim = Simulation(foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    sim.fail(sim.only(Interpret), Overloaded("full"))
    sim.tick(0.9)
    assert not any(isinstance(work, Interpret) for work in sim.works.values())
    sim.tick(0.2)
    sim.auto = True
    sim.answer_all()
    assert texts(sim) == ["w1"]


def test_an_utterance_that_keeps_failing_is_told_and_the_session_goes_on() -> None:
    sim = Simulation(foresight=False, auto=False, limits=SessionLimits(idle_s=1000))
    sim.hear(word(1), silence(30))
    for _ in range(5):
        sim.fail(sim.only(Interpret), EngineFailed("broken"))
        sim.tick(20)
    (failed,) = sim.told(Failed)
    assert (failed.code, failed.segment_id, failed.fatal) == ("engine_failed", 1, False)
    sim.auto = True
    sim.hear(word(2), silence(30))
    assert texts(sim) == ["w2"]
    assert sim.told(Ack)[-1].audio_s > 40 * WINDOW_S


def test_a_poisonous_utterance_is_not_tried_again() -> None:
    sim = Simulation(foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    sim.fail(sim.only(Interpret), PoisonousInput("no"))
    assert [failed.code for failed in sim.told(Failed)] == ["poisonous_input"]


@pytest.mark.parametrize("kind", [Detect, Interpret])
def test_engines_that_stop_end_the_session(kind: type[Detect | Interpret]) -> None:
    sim = Simulation(foresight=False, auto=False)
    if kind is Interpret:
        sim.hear(word(1), silence(30))
    else:
        sim.perform(sim.session.receive_audio(word(1)))
    error = ShuttingDown("stopping")
    sim.fail(sim.only(kind), error)
    assert sim.told(Failed)[0].fatal
    assert sim.closed is error


def test_detection_that_keeps_failing_ends_the_session_with_its_error() -> None:
    sim = Simulation(auto=False)
    sim.perform(sim.session.receive_audio(word(1)))
    for _ in range(5):
        sim.fail(sim.only(Detect), EngineUnavailable("restarting"))
        sim.tick(20)
    assert [failed.code for failed in sim.told(Failed)] == ["engine_unavailable"]
    assert isinstance(sim.closed, EngineUnavailable)


def test_after_the_close_nothing_more_happens() -> None:
    sim = Simulation(foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    work = sim.only(Interpret)
    sim.perform(sim.session.abort(SpeechTranslatorError("broken")))
    assert sim.session.complete(work, interpretation(word(1), ())) == []
    assert sim.session.receive_audio(word(1)) == []
    assert sim.session.abort(SpeechTranslatorError("again")) == []
    assert sim.session.next_timeout() is None


def test_a_target_that_can_never_be_had_is_a_warning() -> None:
    sim = Simulation(foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    said = Interpretation(
        "Bonjour", Language("fr"), 0.9, {}, {"pt": UnsupportedPair("no way", supported=["en"])}
    )
    sim.works.pop(work_id := sim.only(Interpret))
    sim.perform(sim.session.complete(work_id, said))
    assert texts(sim) == ["Bonjour"]
    (warned,) = sim.told(Warned)
    assert (warned.code, warned.segment_id) == ("unsupported_pair", 1)
    assert warned.details["target_language"] == "pt"


def fail_translations(sim: Simulation, **failures: SpeechTranslatorError) -> Interpretation:
    """Answer the only utterance with its text and translations into all but some targets."""
    sim.works.pop(work_id := sim.only(Interpret))
    done = {t.tag: f"{t.tag}:w1" for t in sim.request.targets if t.tag not in failures}
    said = Interpretation("w1", ENGLISH, 0.9, done, failures)
    sim.perform(sim.session.complete(work_id, said))
    return said


def test_a_translation_that_fails_for_now_is_tried_again_without_recognition() -> None:
    targets = (PORTUGUESE, Language("fr"), Language("de"))
    sim = Simulation(request(targets=targets), foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    said = fail_translations(sim, pt=EngineUnavailable("restarting"), de=UnsupportedPair("no"))
    assert texts(sim) == []
    sim.tick(1.1)
    (again,) = sim.works.values()
    assert isinstance(again, Retranslate)
    assert (again.said, again.targets) == (said, (PORTUGUESE,))
    sim.auto = True
    sim.answer_all()
    assert [final.translations for final in sim.told(Final)] == [{"fr": "fr:w1", "pt": "pt:w1"}]
    assert [warned.details["target_language"] for warned in sim.told(Warned)] == ["de"]
    assert sum(isinstance(work, Interpret) for work in sim.started) == 1


@pytest.mark.parametrize("last", [EngineFailed("broken"), ShuttingDown("stopping")])
def test_a_text_is_not_lost_with_its_translation(last: SpeechTranslatorError) -> None:
    sim = Simulation(foresight=False, auto=False, limits=SessionLimits(idle_s=1000))
    sim.hear(word(1), silence(30))
    fail_translations(sim, pt=EngineUnavailable("restarting"))
    for _ in range(4):
        sim.tick(20)
        if sim.works:
            sim.fail(sim.only(Retranslate), last)
    assert texts(sim) == ["w1"]
    assert [warned.code for warned in sim.told(Warned) if warned.segment_id] == [
        "engine_unavailable"
    ]
    assert sim.closed is None


def test_silence_and_noise_without_words_give_no_finals_but_acknowledgements() -> None:
    sim = Simulation()
    sim.detection = lambda samples: SpeechProbabilities(
        np.full(len(samples) // WINDOW, 0.9, np.float32), b""
    )
    sim.hear(silence(100))
    sim.detection = lambda samples: SpeechProbabilities(
        np.zeros(len(samples) // WINDOW, np.float32), b""
    )
    sim.hear(silence(400))
    sim.end()
    assert sim.told(Final) == []
    acks = [ack.audio_s for ack in sim.told(Ack)]
    assert acks == sorted(set(acks))
    assert acks[-1] == pytest.approx(16, abs=0.01)


def test_acknowledged_audio_is_never_that_of_an_utterance_that_is_not_final() -> None:
    sim = Simulation(auto=False)
    sim.hear(silence(200), word(1), silence(200))
    start = 200 * WINDOW_S
    assert sim.told(Ack)
    assert max(ack.audio_s for ack in sim.told(Ack)) <= start
    sim.answer_all()
    assert sim.told(Ack)[-1].audio_s > start + 1


def test_partials_show_the_running_utterance_and_give_way_to_its_final() -> None:
    sim = Simulation(request(partials=True))
    sim.hear(word(1, 40), word(2, 40), word(3, 40), silence(40))
    partials = sim.told(Partial)
    assert [partial.text for partial in partials][:1] == ["w1"]
    assert partials[-1].text == "w1 w2 w3"
    assert partials[-1].translations == {"pt": "pt:w1 w2 w3"}
    assert {partial.segment_id for partial in partials} == {1}
    assert all(
        later.end >= sooner.end and later.start == sooner.start
        for sooner, later in pairwise(partials)
    )
    # 120 windows are 3.8 s: about one each 0.3 s once there are 0.6 s.
    assert 7 <= len(partials) <= 11
    last_final = sim.events.index(sim.told(Final)[-1])
    assert not any(isinstance(event, Partial) for event in sim.events[last_final:])


def test_no_partials_unless_asked_for() -> None:
    sim = Simulation()
    sim.hear(word(1, 100), silence(40))
    assert not any(isinstance(work, Guess) for work in sim.started)


def test_a_partial_that_is_still_decoded_is_given_up_when_the_utterance_ends() -> None:
    sim = Simulation(request(partials=True), foresight=False, auto=False)
    sim.hear(word(1, 60), silence(40))
    assert [type(work) for work in sim.works.values()] == [Interpret]
    sim.answer_all()
    assert sim.told(Partial) == []
    assert texts(sim) == ["w1"]


def test_partials_come_less_often_on_a_slow_machine_and_not_while_finals_wait() -> None:
    sim = Simulation(request(partials=True), auto=False)
    began: dict[int, float] = {}
    for _ in range(100):
        sim.hear(word(1, 3))
        for work_id, work in list(sim.works.items()):
            if isinstance(work, Guess) and sim.now - began.setdefault(work_id, sim.now) >= 1:
                sim.answer(work_id)
    # 9.6 s, and each decode takes one: the machine is left alone for as long as it works.
    assert 4 <= len(sim.told(Partial)) <= 5
    waiting = Simulation(request(partials=True), auto=False)
    waiting.hear(word(1, 20), silence(30), word(2, 100))
    assert not any(isinstance(work, Guess) for work in waiting.works.values())


def test_a_pause_is_not_decoded_again_and_again() -> None:
    sim = Simulation(
        request(partials=True), SessionLimits(endpoint=EndpointConfig(end_silence_s=3))
    )
    sim.hear(word(1, 60))
    decodes = [work for work in sim.started if isinstance(work, Guess | Foresee)]
    sim.hear(silence(80))
    later = [work for work in sim.started if isinstance(work, Guess | Foresee)][len(decodes) :]
    assert [type(work) for work in later] in ([Foresee], [Guess, Foresee])


def test_what_a_cut_leaves_over_without_speech_is_not_recognised() -> None:
    endpoint = EndpointConfig(max_utterance_s=3, end_silence_s=0.6)
    sim = Simulation(limits=SessionLimits(endpoint=endpoint))
    sim.hear(word(1, 80), silence(40))  # the cut falls into the silence before it is long enough
    sim.end()
    assert [len(work.samples) > 0 for work in sim.started if isinstance(work, Interpret)] == [True]
    assert texts(sim) == ["w1"]


def test_an_hour_of_silence_and_speech_is_not_kept() -> None:
    sim = Simulation(limits=SessionLimits(max_s=7200))
    for number in range(1, 31):
        sim.hear(silence(600), word(number), frame=16_000)
    assert sim.session._hearing._audio.seconds < 3
    assert len(texts(sim)) == 29


def test_failed_partials_are_dropped_without_a_word() -> None:
    sim = Simulation(request(partials=True), auto=False)
    sim.hear(word(1, 40))
    sim.fail(sim.only(Guess), EngineUnavailable("restarting"))
    sim.hear(word(1, 100), silence(40))
    sim.answer_all()
    assert sim.told(Failed) == []
    assert sim.told(Warned) == []
    assert texts(sim) == ["w1"]


def test_a_partial_of_what_turns_out_to_be_nothing_is_taken_back() -> None:
    sim = Simulation(request(partials=True), foresight=False, auto=False)
    sim.hear(word(1, 40))
    sim.answer(sim.only(Guess))
    sim.hear(silence(40))
    sim.works.pop(work_id := sim.only(Interpret))
    sim.perform(sim.session.complete(work_id, Interpretation("", None, 0.0)))
    assert [partial.text for partial in sim.told(Partial)] == ["w1", ""]


def test_translations_are_spoken_one_after_the_other_in_pieces() -> None:
    sim = Simulation(request(speech=True))
    sim.hear(word(1), silence(30), word(2), silence(30))
    sim.end()
    audio = sim.told(SpokenAudio)
    assert [(piece.segment_id, piece.index, piece.last) for piece in audio] == [
        *[(1, 0, False), (1, 1, False), (1, 2, True)],
        *[(2, 0, False), (2, 1, False), (2, 2, True)],
    ]
    assert sum(len(piece.audio) for piece in audio[:3]) == 2 * 24_000 * 5
    assert {work.text for work in sim.started if isinstance(work, Speak)} == {"pt:w1", "pt:w2"}
    assert isinstance(sim.events[-1], Done)


def test_the_voice_that_was_asked_for_speaks() -> None:
    sim = Simulation(request(speech=True, voice="hibari:pt"))
    sim.hear(word(1), silence(30))
    sim.end()
    assert [ready.voice for ready in sim.told(Ready)] == ["hibari:pt"]
    assert {work.voice for work in sim.started if isinstance(work, Speak)} == {"hibari:pt"}


def test_speech_that_is_far_behind_is_left_out_and_said() -> None:
    sim = Simulation(
        request(speech=True), foresight=False, limits=SessionLimits(speech_backlog=2), auto=False
    )
    for number in range(1, 6):
        sim.hear(word(number), silence(30))
        sim.answer_all(Interpret)
    skipped = [warned for warned in sim.told(Warned) if warned.code == "speech_skipped"]
    assert [warned.segment_id for warned in skipped] == [2, 3]
    sim.answer_all(Speak)
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1, 4, 5}


def test_speech_that_fails_is_a_warning_and_does_not_hold_up_the_end() -> None:
    sim = Simulation(request(speech=True), foresight=False, auto=False)
    sim.hear(word(1), silence(30))
    sim.end()
    sim.answer_all(Interpret)
    assert sim.told(Done) == []
    sim.fail(sim.only(Speak), EngineFailed("broken"))
    assert [warned.code for warned in sim.told(Warned)] == ["engine_failed"]
    assert sim.closed == "end"


def test_a_machine_that_cannot_keep_up_says_so_now_and_then() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(30))
    sim.hear(silence(600))
    warned = sim.told(Warned)
    assert [each.code for each in warned] == ["falling_behind"] * len(warned)
    assert 1 <= len(warned) <= 2
    assert warned[0].details["lag_s"] >= 3


def test_audio_after_the_end_is_warned_of_once_and_not_heard() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1))
    sim.end()
    sim.perform(sim.session.receive_audio(word(2)))
    sim.perform(sim.session.receive_audio(word(2)))
    sim.answer_all()
    assert [warned.code for warned in sim.told(Warned)] == ["audio_after_end"]
    assert texts(sim) == ["w1"]


def test_at_shutdown_the_running_sentence_is_finished() -> None:
    sim = Simulation()
    sim.hear(word(1), word(2))
    sim.perform(sim.session.end("shutting_down"))
    assert [warned.code for warned in sim.told(Warned)] == ["draining"]
    assert texts(sim) == ["w1 w2"]
    assert sim.closed == "shutting_down"


def test_what_was_surely_spoken_is_likely_and_a_syllable_is_taken_for_it() -> None:
    sim = Simulation(request(source=None))
    sim.hear(word(1, 12), silence(30), word(2, 100), silence(30), word(3, 12), silence(30))
    sim.hear(word(4, 100), silence(30))
    hints = [work.language for work in sim.started if isinstance(work, Interpret | Foresee)]
    assert hints == [None, None, ENGLISH, Likely(ENGLISH)]


def test_partials_follow_a_change_of_language_and_begin_anew() -> None:
    sim = Simulation(request(source=None, partials=True), foresight=False, auto=False)
    for language, text in ((ENGLISH, "No"), (PORTUGUESE, "Não sei"), (PORTUGUESE, "Não sei bem")):
        sim.hear(word(1, 40))
        sim.works.pop(work_id := sim.only(Guess))
        sim.perform(sim.session.complete(work_id, Interpretation(text, language, 0.9)))
    partials = sim.told(Partial)
    assert [(partial.language, partial.text) for partial in partials] == [
        ("en", "No"),
        ("pt", "Não"),
        ("pt", "Não sei"),
    ]
    assert [partial.confirmed_chars for partial in partials] == [0, 0, 3]
    hints = [work.language for work in sim.started if isinstance(work, Guess)]
    assert hints == [None, Likely(ENGLISH), Likely(PORTUGUESE)]


def test_a_language_that_was_given_is_always_used() -> None:
    sim = Simulation(request(source=PORTUGUESE, partials=True))
    sim.hear(word(1, 20), silence(30), word(2, 100), silence(30))
    hints = {work.language for work in sim.started if isinstance(work, Interpret | Guess)}
    assert hints == {PORTUGUESE}


pieces = st.lists(
    st.tuples(st.integers(0, 40), st.integers(4, 120)), min_size=1, max_size=8
)  # windows of silence, then of speech


@settings(max_examples=50, deadline=None)
@given(
    pieces,
    st.lists(st.sampled_from([97, 511, 700, 1600, 4096, 9000]), min_size=1, max_size=6),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_every_word_is_in_exactly_one_final_whatever_happens(script, frames, seed, partials):
    random = Random(seed)
    # Small bounds, so that all of them are reached.
    endless = SessionLimits(
        max_s=1e9,
        idle_s=1e9,
        unheard_s=1,
        backlog_s=4,
        endpoint=EndpointConfig(max_utterance_s=2),
    )
    sim = Simulation(request(partials=partials, speech=partials), endless, auto=False)
    script_pieces = [
        piece
        for number, (pause, length) in enumerate(script, start=1)
        for piece in (silence(pause), word(number, length))
    ]
    audio, position, turn = np.concatenate(script_pieces), 0, 0
    failures: dict[int, int] = {}

    def something_happens() -> None:
        if not sim.works:
            sim.tick(random.choice([0.0, 1.0, 9.0]))
            return
        work_id = random.choice(list(sim.works))
        if random.random() < 0.2 and failures.get(work_id, 0) < 4:
            failures[work_id] = failures.get(work_id, 0) + 1
            sim.fail(work_id, random.choice([Overloaded("full"), EngineFailed("broken")]))
        else:
            sim.answer(work_id)

    while position < len(audio):
        if sim.session.reading and random.random() < 0.7:
            piece = audio[position : position + frames[turn % len(frames)]]
            position, turn = position + len(piece), turn + 1
            sim.now += len(piece) / 16_000
            sim.perform(sim.session.receive_audio(piece))
        else:
            something_happens()
        held = sum(len(work.samples) for work in sim.works.values() if hasattr(work, "samples"))
        assert held <= 12 * 16_000
    sim.perform(sim.session.end("end"))
    while sim.closed is None:
        something_happens()

    assert sim.closed == "end"
    assert sim.told(Failed) == []
    told = [said for final in sim.told(Final) for said in final.text.split()]
    spoken = [f"w{number}" for number in range(1, len(script) + 1)]
    # A cut for length may go through a word, which is then in the finals on both sides.
    assert [said for said, after in pairwise([*told, ""]) if said != after] == spoken
    finals = sim.told(Final)
    assert all(sooner.end <= later.start for sooner, later in pairwise(finals))
    ids = [final.segment_id for final in finals]
    assert ids == sorted(set(ids))
    acks = [ack.audio_s for ack in sim.told(Ack)]
    assert acks == sorted(set(acks))
    assert acks[-1] == sim.told(Done)[0].audio_s == round(len(audio) / 16_000, 3)
    safe = 0.0
    for event in sim.events:
        if isinstance(event, Ack):
            safe = event.audio_s
        elif isinstance(event, Final):
            assert event.end > safe
