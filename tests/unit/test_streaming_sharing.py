"""Shared captions: one speaker, many readers, and a clock that only the test moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speech_translator.errors import NotFound, Overloaded
from speech_translator.languages import Language
from speech_translator.streaming.messages import Failed, Final, Partial, Unshared
from speech_translator.streaming.resuming import SessionState
from speech_translator.streaming.sharing import (
    MAX_BEHIND,
    CaptionHub,
    Reader,
    ReaderLimits,
    Speaker,
    digest,
    in_language,
)
from tests.support.live_simulation import Simulation, request, silence, word

SECRET = "s" * 43
STATE = SessionState("id", "{}", share=digest(SECRET))


def final(segment: int, text: str = "", **translations: str) -> Final:
    return Final(
        segment_id=segment,
        start=segment,
        end=segment + 0.5,
        text=text or f"f{segment}",
        language="en",
        translations=translations,
        latency_ms=1,
    )


def partial(segment: int, text: str, **translations: str) -> Partial:
    return Partial(
        segment_id=segment,
        start=segment,
        end=segment + 0.5,
        text=text,
        confirmed_chars=0,
        language="en",
        translations=translations,
    )


class Hall:
    """A hub with one shared session."""

    def __init__(self, limits: ReaderLimits | None = None) -> None:
        self.now = 100.0
        self.hub = CaptionHub(limits, clock=lambda: self.now)
        self.speaker = self.speak()

    def speak(self, state: SessionState = STATE) -> Speaker:
        speaker = self.hub.speak(state, request())
        assert speaker is not None
        return speaker

    def read(self, after: int = 0) -> Reader:
        return self.hub.read(self.hub.find("id", SECRET), after)


def texts(reader: Reader) -> list[str]:
    return [event.text for event in reader.take()]


def test_readers_get_what_was_said_then_what_is_said() -> None:
    hall = Hall()
    early = hall.read()
    hall.speaker.publish(partial(1, "f"))
    hall.speaker.publish(final(1))
    hall.speaker.publish(partial(2, "so"))
    late = hall.read()
    assert texts(early) == texts(late) == ["f1", "so"]
    assert texts(early) == []
    hall.speaker.publish(final(2))
    assert texts(early) == texts(late) == ["f2"]


def test_a_reader_that_comes_back_goes_on_behind_what_it_has() -> None:
    hall = Hall()
    for segment in (1, 3, 4):
        hall.speaker.publish(final(segment))
    assert texts(hall.read(after=1)) == ["f3", "f4"]
    assert texts(hall.read(after=2)) == ["f3", "f4"]
    assert texts(hall.read(after=99)) == []


def test_a_slow_reader_loses_partials_and_no_final() -> None:
    hall = Hall()
    reader = hall.read()
    for number in range(50):
        hall.speaker.publish(partial(1, f"p{number}"))
    assert texts(reader) == ["p49"]
    for number in range(1, 11):
        hall.speaker.publish(partial(number, "p"))
        hall.speaker.publish(final(number))
    assert texts(reader) == [f"f{n}" for n in range(1, 11)]


def test_a_reader_that_falls_far_behind_is_cut_and_one_that_comes_late_is_not() -> None:
    hall = Hall()
    slow = hall.read()
    assert texts(slow) == []
    for number in range(1, MAX_BEHIND + 1):
        hall.speaker.publish(final(number))
    late = hall.read()
    assert not slow.cut
    hall.speaker.publish(final(MAX_BEHIND + 1))
    assert slow.cut
    assert slow.over
    assert not late.cut
    assert len(hall.hub) == 1
    assert len(texts(late)) == MAX_BEHIND + 1


def test_a_partial_of_a_segment_that_failed_is_taken_back() -> None:
    hall = Hall()
    reader = hall.read()
    hall.speaker.publish(partial(1, "so"))
    assert texts(reader) == ["so"]
    hall.speaker.publish(Failed(code="x", message="x", fatal=False, segment_id=1))
    assert texts(reader) == [""]


@pytest.mark.parametrize(("session", "secret"), [("id", "t" * 43), ("id", ""), ("no", SECRET)])
def test_only_the_secret_of_the_session_opens_it(session: str, secret: str) -> None:
    hall = Hall()
    with pytest.raises(NotFound) as refused:
        hall.hub.find(session, secret)
    assert "id" not in refused.value.details


def test_no_secret_is_kept() -> None:
    hall = Hall()
    assert SECRET not in repr(hall.hub.find("id", SECRET))


def test_a_session_that_is_not_shared_is_not_read() -> None:
    hub = CaptionHub()
    assert hub.speak(SessionState("id", "{}"), request()) is None
    with pytest.raises(NotFound):
        hub.find("id", "")


def test_what_was_kept_before_the_connection_broke_holds_for_readers() -> None:
    """Neither ``updated`` nor ``unshared`` came to be published."""
    hall = Hall()
    reader = hall.read()
    hall.speaker.leave("client_gone")
    hall.hub.speak(STATE, replace(request(), targets=(french := Language("fr"),)))
    assert hall.hub.find("id", SECRET).request.targets == (french,)
    assert not reader.over
    assert hall.hub.speak(SessionState("id", "{}"), request()) is None
    assert (reader.over, reader.share.over) == (True, "unshared")
    with pytest.raises(NotFound):
        hall.read()


def test_readers_are_counted_by_session_and_in_all() -> None:
    hall = Hall(ReaderLimits(per_session=2, in_all=3))
    first = hall.read()
    hall.read()
    with pytest.raises(Overloaded):
        hall.read()
    first.close()
    first.close()
    hall.read()
    hall.hub.speak(SessionState("other", "{}", share=digest(SECRET)), request())
    other = hall.hub.find("other", SECRET)
    hall.hub.read(other)
    with pytest.raises(Overloaded):
        hall.hub.read(other)


def test_readers_wait_for_a_speaker_that_comes_back() -> None:
    hall = Hall()
    reader = hall.read()
    hall.speaker.publish(final(1))
    hall.speaker.publish(partial(2, "so"))
    assert texts(reader) == ["f1", "so"]
    hall.speaker.leave("client_gone")
    assert texts(reader) == [""]
    hall.now += 119
    again = hall.speak()
    again.publish(final(1))  # told again to the speaker, who had not seen it
    again.publish(final(2))
    hall.now += 999
    hall.hub.sweep()
    assert not reader.over
    assert texts(reader) == ["f2"]


def test_an_older_connection_is_not_heard_and_ends_nothing() -> None:
    hall = Hall()
    reader = hall.read()
    hall.speak().publish(final(1))
    hall.speaker.publish(final(2))
    hall.speaker.leave("end")
    hall.speaker.revoke()
    assert texts(reader) == ["f1"]
    assert not reader.over


@pytest.mark.parametrize(
    ("ending", "reason"),
    [("end", "end"), ("shutting_down", ""), ("client_gone", "speaker_gone"), ("limit", "")],
)
def test_how_a_session_ends_for_its_readers(ending: str, reason: str) -> None:
    hall = Hall()
    reader = hall.read()
    hall.speaker.publish(final(1))
    hall.speaker.leave(ending)
    hall.now += 121
    if ending == "limit":
        hall.hub.drain()
    hall.hub.sweep()
    assert reader.share.over == reason
    assert texts(reader) == ["f1"]
    with pytest.raises(NotFound):
        hall.read()


@pytest.mark.parametrize("how", ["unshare", "revoke"])
def test_a_speaker_may_end_it(how: str) -> None:
    hall = Hall()
    reader = hall.read()
    if how == "unshare":
        hall.speaker.publish(Unshared())
    else:
        hall.speaker.revoke()
    assert reader.share.over == "unshared"
    hall.speaker.publish(final(1))
    assert texts(reader) == []


def test_a_process_that_stops_ends_what_nobody_speaks_in_and_lets_the_rest_finish() -> None:
    hall = Hall()
    reader = hall.read()
    hall.hub.drain()
    hall.speaker.publish(final(1))
    assert not reader.over
    hall.speaker.leave("client_gone")
    assert reader.share.over == ""
    assert texts(reader) == ["f1"]


def test_after_a_restart_the_last_finals_are_there() -> None:
    hall = Hall()
    told = ((1, final(5)), (2, Failed(code="x", message="x", fatal=False)), (3, final(7)))
    state = SessionState("id", "{}", told=told, share=digest(SECRET))
    hall.hub = CaptionHub()
    hall.speak(state)
    assert texts(hall.read()) == ["f5", "f7"]


def test_one_language_and_what_was_not_translated() -> None:
    said = final(1, "Hello", pt="Olá", es="Hola")
    chosen = in_language(said, "pt")
    assert chosen is not None
    assert (chosen.text, chosen.language, chosen.translations) == ("Olá", "pt", {})
    original = in_language(said, "en")
    assert original is not None
    assert (original.text, original.language, original.translations) == ("Hello", "en", {})
    missing = in_language(said, "fr")
    assert missing is not None
    assert (missing.text, missing.language) == ("Hello", "en")
    assert in_language(partial(1, "Hel"), "pt") is None
    running = in_language(partial(1, "Hel", pt="Ol"), "pt")
    assert running is not None
    assert running.text == "Ol"
    taken_back = in_language(partial(1, ""), "pt")
    assert taken_back is not None
    assert taken_back.text == ""


def test_a_session_that_was_unshared_stays_so_when_it_goes_on() -> None:
    sim = Simulation(state=STATE)
    sim.perform(sim.session.unshare())
    assert sim.told(Unshared)
    assert sim.saved[-1].share is None
    sim.hear(word(1), silence(40))
    assert sim.saved[-1].share is None
