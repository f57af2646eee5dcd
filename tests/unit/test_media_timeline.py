"""What is missing between the frames of a live stream."""

import pytest

from speech_translator.media.timeline import Timeline

FRAME = 0.02


def fed(*starts: float | None) -> list[float]:
    timeline = Timeline()
    return [round(timeline.silence_before(start, FRAME), 6) for start in starts]


def test_frames_that_follow_each_other_miss_nothing() -> None:
    assert fed(0.0, 0.02, 0.04, None, 0.08) == [0.0] * 5
    assert fed(1e6, 1e6 + 0.02) == [0.0, 0.0]


def test_a_jump_is_a_pause() -> None:
    assert fed(0.0, 0.42, 0.44) == [0.0, 0.4, 0.0]


def test_jitter_and_drift_are_no_pauses_until_they_add_up() -> None:
    assert fed(0.0, 0.05, 0.03, 0.1) == [0.0] * 4
    slow = [index * (FRAME + 0.001) for index in range(501)]
    filled = fed(*slow)
    assert sum(filled) == pytest.approx(0.5, abs=0.1)
    assert all(pause == 0 or pause > 0.09 for pause in filled)


@pytest.mark.parametrize("jump", [31.0, 1e9, -31.0])
def test_a_clock_that_was_set_is_followed_and_not_filled(jump: float) -> None:
    assert fed(100.0, 100.02 + jump, 100.04 + jump, 100.46 + jump) == [0.0, 0.0, 0.0, 0.4]


def test_a_stream_that_goes_back_a_little_is_played_on() -> None:
    assert fed(10.0, 5.0, 10.04) == [0.0, 0.0, 0.0]
