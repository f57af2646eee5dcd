import contextlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import (
    Audio,
    Call,
    DetectSpeechCall,
    EngineInfo,
    Segment,
    SpeechProbabilities,
    SynthesizeCall,
    TranscribeCall,
    Transcript,
    TranslateCall,
    Voice,
    Word,
)
from speech_translator.errors import (
    EngineFailed,
    EngineUnavailable,
    InvalidText,
    PayloadTooLarge,
    UnsupportedVoice,
)
from speech_translator.scalability import wire

texts = st.text(max_size=40)
sizes = st.integers(0, 50) | st.sampled_from([wire.ROOM // 4 - 3, wire.ROOM])
samples = sizes.flatmap(
    lambda size: arrays.arrays(
        np.float32, size, elements=st.floats(-1, 1, width=32), fill=st.just(0.25)
    )
)
calls = st.one_of(
    st.builds(TranslateCall, texts, texts, texts),
    st.builds(TranscribeCall, samples, st.none() | texts, st.just("transcribe"), st.booleans()),
    st.builds(SynthesizeCall, texts, texts, st.none() | texts, st.floats(0.5, 2)),
    st.builds(DetectSpeechCall, samples, st.none() | st.binary(max_size=20)),
)


def packed(*messages: wire.Message) -> bytes:
    packer = wire.Packer()
    return b"".join(bytes(piece) for message in messages for piece in packer.pack(message))


class Reading:
    """The reader as its owners use it, fed with pieces of a stream."""

    def __init__(self, kind: object = wire.Message) -> None:
        self.reader = wire.FrameReader()
        self.unpacker: wire.Unpacker[wire.Message] = wire.Unpacker(kind)

    def feed(self, data: bytes) -> list[wire.Message]:
        found = []
        while data:
            space = self.reader.space()
            assert len(space)
            count = min(len(space), len(data))
            space[:count] = data[:count]
            data = data[count:]
            self.reader.filled(count)
            found += [self.unpacker.unpack(frame) for frame in self.reader.frames()]
        return found


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert other.dtype == np.float32
        assert other.flags.aligned
        assert other.flags.writeable
        return bool(np.array_equal(one, other))
    if hasattr(one, "__struct_fields__"):
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__
        )
    return one == other


@given(st.lists(st.lists(calls, max_size=3), max_size=5), st.data())
def test_messages_arrive_as_they_were_sent_whatever_the_pieces(
    batches: list[list[Call]], data: st.DataObject
) -> None:
    sent = [wire.Run(number, batch) for number, batch in enumerate(batches)]
    stream = packed(*sent)
    reading = Reading()
    received: list[wire.Message] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)) | st.just(len(stream)))
        received += reading.feed(stream[:size])
        stream = stream[size:]
    assert len(received) == len(sent)
    for there, here in zip(sent, received, strict=True):
        assert isinstance(here, wire.Run)
        assert here.batch == there.batch
        assert len(here.calls) == len(there.calls)
        assert all(same(one, other) for one, other in zip(there.calls, here.calls, strict=True))


def test_what_was_received_stays_when_more_arrives() -> None:
    reading = Reading()
    first = np.linspace(-1, 1, 100, dtype=np.float32)
    (run,) = reading.feed(packed(wire.Run(1, [DetectSpeechCall(first)])))
    for number in range(50):
        reading.feed(packed(wire.Run(number, [DetectSpeechCall(np.zeros(999, np.float32))])))
    assert isinstance(run, wire.Run)
    assert same(first, run.calls[0].audio)  # type: ignore[union-attr]


def test_one_array_of_many_does_not_hold_the_memory_of_all() -> None:
    clips = [DetectSpeechCall(np.ones(wire.ROOM, np.float32)) for _ in range(4)]
    (run,) = Reading().feed(packed(wire.Run(1, clips)))
    assert isinstance(run, wire.Run)
    assert run.calls[0].audio.base is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "strange",
    [
        np.arange(10, dtype=np.int16),
        np.arange(20, dtype=np.float64)[::2],
        np.asfortranarray(np.ones((2, 5))),
    ],
    ids=["int16", "strided", "fortran"],
)
def test_any_array_of_numbers_becomes_plain_samples(strange: np.ndarray) -> None:
    (run,) = Reading().feed(packed(wire.Run(1, [DetectSpeechCall(strange)])))
    assert isinstance(run, wire.Run)
    assert same(strange.astype(np.float32).reshape(-1), run.calls[0].audio)  # type: ignore[union-attr]


def test_results_of_every_kind_cross() -> None:
    results = [
        "olá",
        Transcript((Segment(0, 1, "hi", 0.9, (Word(0, 1, "hi", 0.8),)),), "en", 0.99),
        Audio(np.linspace(-1, 1, 9, dtype=np.float32), 24_000),
        SpeechProbabilities(np.ones(3, np.float32), b"\x00\xff"),
    ]
    (message,) = Reading(wire.ToBroker).feed(packed(wire.Done(7, results, 0.5)))
    assert isinstance(message, wire.Done)
    assert all(same(one, other) for one, other in zip(results, message.results, strict=True))


def test_numbers_of_numpy_cross_as_numbers() -> None:
    word = Word(np.float32(0.5), np.float64(1), "hi", np.float32(0.25))  # type: ignore[arg-type]
    transcript = Transcript((Segment(0, 1, "hi", 1, (word,)),), "en", 1)
    (message,) = Reading().feed(packed(wire.Done(7, [transcript], 0.5)))
    assert isinstance(message, wire.Done)
    assert message.results == [
        Transcript((Segment(0, 1, "hi", 1, (Word(0.5, 1, "hi", 0.25),)),), "en", 1)
    ]


def test_what_starts_an_engine_crosses() -> None:
    spec = EngineSpec(name="e", task="synthesis", factory="m:f", options={"threads": 2})
    info = EngineInfo("e", "synthesis", voices=(Voice("e:v", "v", "en"),), pairs=(("a", "b"),))
    stream = packed(wire.Start(spec), wire.Ready(info))
    assert Reading().feed(stream) == [wire.Start(spec), wire.Ready(info)]


def test_each_end_takes_only_what_the_other_one_says() -> None:
    with pytest.raises(wire.BrokenPeer):
        Reading(wire.ToBroker).feed(packed(wire.Run(1, [])))


@given(st.binary(min_size=8, max_size=300), st.booleans())
def test_garbage_is_a_broken_peer_and_nothing_else(garbage: bytes, headed: bool) -> None:
    if headed:  # a head that fits, so that what is garbage is the value
        garbage = wire._HEAD.pack(len(garbage), len(garbage)) + garbage
    with contextlib.suppress(wire.BrokenPeer):
        assert Reading().feed(garbage) == []


@given(st.data())
def test_a_damaged_frame_is_a_broken_peer_or_another_message(data: st.DataObject) -> None:
    whole = bytearray(packed(wire.Run(1, [DetectSpeechCall(np.ones(40, np.float32), b"state")])))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(wire.BrokenPeer):
        for message in Reading().feed(bytes(whole)):
            assert isinstance(message, wire.Run)


def test_a_cut_frame_is_waited_for() -> None:
    whole = packed(wire.Run(1, [DetectSpeechCall(np.ones(wire.ROOM, np.float32))]))
    reading = Reading()
    assert reading.feed(whole[:-1]) == []
    assert len(reading.feed(whole[-1:])) == 1


@pytest.mark.parametrize(
    "head", [(wire.MAX_FRAME + 1, 4), (8, 9), (8, 0)], ids=["huge", "inconsistent", "empty"]
)
def test_a_frame_that_cannot_be_is_refused_at_its_head(head: tuple[int, int]) -> None:
    with pytest.raises(wire.BrokenPeer):
        Reading().feed(wire._HEAD.pack(*head))


@pytest.mark.parametrize(
    ("start", "size"), [(0, 48), (8, 40), (4, 4), (0, 3), (2**32 - 8, 8)], ids=str
)
def test_an_array_outside_of_its_frame_is_refused(start: int, size: int) -> None:
    place = msgspec.msgpack.Ext(1, wire._PLACE.pack(start, size))
    call = {"type": "detect_speech", "audio": place}
    value = msgspec.msgpack.encode({"type": "run", "batch": 1, "calls": [call]})
    body = value + bytes(-len(value) % 8) + bytes(40)
    with pytest.raises(wire.BrokenPeer):
        Reading().feed(wire._HEAD.pack(len(body), len(value)) + body)


def test_a_frame_over_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME", 1000)
    packer = wire.Packer()
    with pytest.raises(PayloadTooLarge):
        packer.pack(wire.Run(1, [DetectSpeechCall(np.ones(300, np.float32))]))
    assert len(packer.pack(wire.Run(1, [DetectSpeechCall(np.ones(100, np.float32))]))) == 2


def test_what_is_no_text_or_no_value_is_said_and_the_next_message_is_whole() -> None:
    packer = wire.Packer()
    audio = np.ones(10, np.float32)
    with pytest.raises(InvalidText):
        packer.pack(wire.Run(1, [DetectSpeechCall(audio), TranslateCall("\ud800", "en", "pt")]))
    with pytest.raises(TypeError):
        packer.pack(wire.Run(1, [DetectSpeechCall(audio), DetectSpeechCall(object())]))
    pieces = packer.pack(wire.Run(1, [DetectSpeechCall(audio)]))
    (run,) = Reading().feed(b"".join(bytes(piece) for piece in pieces))
    assert same(wire.Run(1, [DetectSpeechCall(audio)]).calls[0], run.calls[0])  # type: ignore[union-attr]


def test_our_errors_keep_their_class_and_others_lose_their_words() -> None:
    ours = wire.failure(3, UnsupportedVoice("No such voice.", supported_voices=["a", "b"]))
    error = wire.error_of(ours)
    assert type(error) is UnsupportedVoice
    assert error.details == {"supported_voices": ["a", "b"]}
    theirs = wire.error_of(wire.failure(3, ValueError("the user's secret text")))
    assert type(theirs) is EngineFailed
    assert "secret" not in theirs.message


def test_when_to_try_again_crosses() -> None:
    error = wire.error_of(wire.failure(None, EngineUnavailable("Later.", retry_after=3.0, limit=1)))
    assert isinstance(error, EngineUnavailable)
    assert (error.retry_after, error.details) == (3.0, {"limit": 1})


def test_an_error_that_nobody_knows_is_the_engines() -> None:
    assert type(wire.error_of(wire.Failed(1, "no_such_code", "Well."))) is EngineFailed
    strange = wire.Failed(1, UnsupportedVoice.code, "Well.", {"message": "twice", "self": 1})
    assert type(wire.error_of(strange)) is UnsupportedVoice
    assert wire.failure(1, UnsupportedVoice("Well.", odd=object())).details == {}
