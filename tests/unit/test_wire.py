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
from speech_translator.errors import EngineFailed, UnsupportedVoice
from speech_translator.scalability import wire

texts = st.text(max_size=40)
samples = arrays.arrays(np.float32, st.integers(0, 50), elements=st.floats(-1, 1, width=32))
calls = st.one_of(
    st.builds(TranslateCall, texts, texts, texts),
    st.builds(TranscribeCall, samples, st.none() | texts, st.just("transcribe"), st.booleans()),
    st.builds(SynthesizeCall, texts, texts, st.none() | texts, st.floats(0.5, 2)),
    st.builds(DetectSpeechCall, samples, st.none() | st.binary(max_size=20)),
)


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, np.asarray(other)))
    if hasattr(one, "__struct_fields__"):
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__
        )
    return one == other


@given(st.lists(calls, max_size=4), st.data())
def test_messages_arrive_as_they_were_sent_whatever_the_pieces(
    batch: list[Call], data: st.DataObject
) -> None:
    sent = [wire.Run(number, [call]) for number, call in enumerate(batch)]
    stream = b"".join(wire.encode(message) for message in sent)
    reader = wire.FrameReader()
    received: list[wire.Message] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += reader.feed(stream[:size])
        stream = stream[size:]
    assert len(received) == len(sent)
    for there, here in zip(sent, received, strict=True):
        assert isinstance(here, wire.Run)
        assert here.batch == there.batch
        assert same(there.calls[0], here.calls[0])


def test_results_of_every_kind_cross() -> None:
    results = [
        "olá",
        Transcript((Segment(0, 1, "hi", 0.9, (Word(0, 1, "hi", 0.8),)),), "en", 0.99),
        Audio(np.linspace(-1, 1, 9, dtype=np.float32), 24_000),
        SpeechProbabilities(np.ones(3, np.float32), b"\x00\xff"),
    ]
    (message,) = wire.FrameReader().feed(wire.encode(wire.Done(7, results, 0.5)))
    assert isinstance(message, wire.Done)
    assert all(same(one, other) for one, other in zip(results, message.results, strict=True))


def test_what_starts_an_engine_crosses() -> None:
    spec = EngineSpec(name="e", task="synthesis", factory="m:f", options={"threads": 2})
    info = EngineInfo("e", "synthesis", voices=(Voice("e:v", "v", "en"),), pairs=(("a", "b"),))
    stream = wire.encode(wire.Start(spec)) + wire.encode(wire.Ready(info))
    assert wire.FrameReader().feed(stream) == [wire.Start(spec), wire.Ready(info)]


@given(st.binary(min_size=4, max_size=200))
def test_garbage_is_a_broken_peer_and_nothing_else(garbage: bytes) -> None:
    reader = wire.FrameReader()
    try:
        reader.feed(garbage)
    except wire.BrokenPeer:
        return
    (length,) = wire._LENGTH.unpack_from(garbage)
    assert length > len(garbage) - 4 or reader.feed(b"") == []


def test_a_frame_that_claims_to_be_huge_is_refused_at_its_head() -> None:
    with pytest.raises(wire.BrokenPeer):
        wire.FrameReader().feed(wire._LENGTH.pack(wire.MAX_FRAME + 1))


def test_our_errors_keep_their_class_and_others_lose_their_words() -> None:
    ours = wire.failure(3, UnsupportedVoice("No such voice.", supported_voices=["a", "b"]))
    error = wire.error_of(ours)
    assert type(error) is UnsupportedVoice
    assert error.details == {"supported_voices": ["a", "b"]}
    theirs = wire.error_of(wire.failure(3, ValueError("the user's secret text")))
    assert type(theirs) is EngineFailed
    assert "secret" not in theirs.message
