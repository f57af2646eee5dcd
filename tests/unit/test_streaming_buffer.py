import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.streaming.audio_buffer import AudioBuffer


@given(st.lists(st.integers(0, 3000), max_size=30), st.data())
def test_what_is_kept_reads_back_wherever_it_was_cut(sizes: list[int], data: st.DataObject) -> None:
    buffer, whole = AudioBuffer(), np.arange(sum(sizes), dtype=np.float32)
    for size in sizes:
        start = buffer.end
        buffer.append(whole[start : start + size], now=float(start))
        position = data.draw(st.integers(0, buffer.end))
        buffer.forget_before(position)
        assert buffer.start <= max(position, buffer.start)
        assert position - buffer.start < max([1024, *sizes])
        first = data.draw(st.integers(buffer.start, buffer.end))
        last = data.draw(st.integers(first, buffer.end))
        assert np.array_equal(buffer.read(first, last), whole[first:last])


def test_what_is_not_kept_cannot_be_read() -> None:
    buffer = AudioBuffer()
    buffer.append(np.zeros(2000, np.float32), 0)
    buffer.append(np.zeros(2000, np.float32), 0)
    buffer.forget_before(2000)
    for start, end in ((0, 10), (3000, 5000), (3000, 2500)):
        with pytest.raises(ValueError, match="not kept"):
            buffer.read(start, end)


def test_it_knows_when_a_sample_came() -> None:
    buffer = AudioBuffer()
    for second in range(5):
        buffer.append(np.zeros(16_000, np.float32), now=10.0 + second)
    assert buffer.arrived_at(1) == 10.0
    assert buffer.arrived_at(16_000) == 10.0
    assert buffer.arrived_at(16_001) == 11.0
    buffer.forget_before(64_000)
    assert buffer.arrived_at(16_001) >= 11.0
    assert buffer.arrived_at(90_000) == 14.0


def test_a_sample_a_frame_costs_no_more_than_large_frames() -> None:
    buffer, sample = AudioBuffer(), np.zeros(1, np.float32)
    for index in range(50_000):
        buffer.append(sample, now=index / 16_000)
    assert len(buffer._chunks) < 60
    assert len(buffer._arrivals) < 700
    assert sys.getsizeof(buffer._chunks) < 10_000
