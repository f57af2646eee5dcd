import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.media.speech_regions import (
    WINDOW_S,
    ClipConfig,
    Region,
    RegionConfig,
    plan_clips,
    speech_regions,
)


def windows(*stretches: tuple[float, float]) -> np.ndarray:
    """Probabilities from (seconds, probability) pairs."""
    return np.concatenate([np.full(round(s / WINDOW_S), p, np.float32) for s, p in stretches])


def regions_of(*stretches: tuple[float, float], **config: float) -> list[Region]:
    likely = windows(*stretches)
    return speech_regions(likely, len(likely) * WINDOW_S, RegionConfig(**config))


STRETCHES = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 1.0])), max_size=20
)
CONFIGS = st.builds(
    RegionConfig,
    on=st.sampled_from([0.5, 0.6]),
    off=st.sampled_from([0.2, 0.35, 0.5]),
    min_speech=st.sampled_from([0.0, 0.064, 0.5]),
    min_silence=st.sampled_from([0.0, 0.16, 1.0]),
    padding=st.sampled_from([0.0, 0.1, 0.3]),
    max_length=st.sampled_from([2.0, 5.0, 28.0]),
)


def check_order(regions: list[Region], duration: float) -> None:
    edges = [edge for region in regions for edge in (region.start, region.end)]
    assert edges == sorted(edges)
    assert all(region.duration > 0 for region in regions)
    assert all(0 <= edge <= duration for edge in edges)


def probabilities(stretches: list[tuple[int, float]]) -> np.ndarray:
    return np.concatenate([np.full(n, p, np.float32) for n, p in stretches] or [np.zeros(0)])


@given(STRETCHES, CONFIGS, st.floats(0.0, 1.0))
def test_regions_are_ordered_bounded_and_lose_no_speech(stretches, config, missing) -> None:
    likely = probabilities(stretches)
    # The recording may end inside of the last window.
    duration = max(0.0, (len(likely) - missing) * WINDOW_S)
    regions = speech_regions(likely, duration, config)
    check_order(regions, duration)
    assert all(region.duration <= config.max_length + 1e-9 for region in regions)
    # Speech that lasts long enough for sure is inside of a region, window by window.
    start = 0
    for length, value in stretches:
        if value >= config.on and length * WINDOW_S >= config.min_speech:
            for index in range(start, start + length):
                middle = (index + 0.5) * WINDOW_S
                assert middle > duration or any(r.start <= middle <= r.end for r in regions)
        start += length


@given(STRETCHES, CONFIGS, st.sampled_from([4.0, 12.0, 40.0]))
def test_clips_hold_every_region_whole_and_are_bounded(stretches, config, target) -> None:
    likely = probabilities(stretches)
    duration = len(likely) * WINDOW_S
    regions = speech_regions(likely, duration, config)
    clips = plan_clips(likely, duration, regions=config, clips=ClipConfig(target=target))
    check_order(clips, duration)
    assert all(clip.duration <= config.max_length + 1e-9 for clip in clips)
    for region in regions:
        middle = (region.start + region.end) / 2
        assert any(clip.start <= middle <= clip.end for clip in clips)


def test_nothing_is_found_in_silence_or_in_nothing() -> None:
    assert regions_of((10, 0.1)) == []
    assert speech_regions([], 0.0) == []
    assert plan_clips([], 0.0) == []


def test_hysteresis_keeps_a_word_together_that_dips() -> None:
    (region,) = regions_of((1, 0.0), (1, 0.9), (0.5, 0.4), (1, 0.9), (1, 0.0), padding=0.0)
    assert region.duration == pytest.approx(2.5, abs=0.1)
    assert len(regions_of((1, 0.0), (1, 0.9), (0.5, 0.3), (1, 0.9), (1, 0.0))) == 2


def test_a_click_is_not_speech_and_a_stop_consonant_is_no_pause() -> None:
    assert regions_of((1, 0.0), (0.032, 0.9), (1, 0.0)) == []
    assert len(regions_of((1, 0.9), (0.096, 0.0), (1, 0.9))) == 1


def test_padding_reaches_into_the_silence_but_never_into_a_neighbour() -> None:
    first, second = regions_of((2, 0.0), (1, 0.9), (0.32, 0.0), (1, 0.9), (2, 0.0))
    assert first.start == pytest.approx(1.7, abs=0.05)
    assert first.end == pytest.approx(second.start)
    assert second.end == pytest.approx(4.6, abs=0.07)


def test_long_speech_is_cut_where_it_is_least_likely() -> None:
    likely = windows((16, 0.95), (0.096, 0.55), (20, 0.95))
    cut = speech_regions(likely, len(likely) * WINDOW_S)
    assert len(cut) == 2
    assert cut[0].end == cut[1].start == pytest.approx(16.05, abs=0.05)


def test_clips_end_at_the_longest_pauses() -> None:
    sentence = [(3.5, 0.9), (0.2, 0.0), (3.5, 0.9)]
    likely = windows(*sentence, (0.8, 0.0), *sentence, (0.8, 0.0), *sentence)
    clips = plan_clips(likely, len(likely) * WINDOW_S)
    assert [round(clip.start) for clip in clips] == [0, 8, 16]


def test_short_utterances_share_a_clip_and_a_long_silence_parts_them() -> None:
    together = windows(*[(1.5, 0.9), (0.5, 0.0)] * 4)
    assert len(plan_clips(together, len(together) * WINDOW_S)) == 1
    apart = windows((1.5, 0.9), (4, 0.0), (1.5, 0.9))
    assert len(plan_clips(apart, len(apart) * WINDOW_S)) == 2


def test_speech_without_a_pause_makes_clips_that_do_not_hold_the_engine() -> None:
    likely = windows((70, 0.95))
    clips = plan_clips(likely, len(likely) * WINDOW_S)
    assert all(clip.duration <= ClipConfig().longest for clip in clips)
    assert sum(clip.duration for clip in clips) == pytest.approx(70, abs=0.1)


@pytest.mark.parametrize(
    "wrong", [{"on": 0.3, "off": 0.5}, {"off": 0.0}, {"padding": -1.0}, {"max_length": 0.5}]
)
def test_a_configuration_that_cannot_work_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="must"):
        RegionConfig(**wrong)
