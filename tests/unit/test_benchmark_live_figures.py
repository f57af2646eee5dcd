"""What the benchmarks of live sessions make of what they saw."""

from typing import Any

import numpy as np
import pytest

from benchmarks import live_long, live_many, live_peer
from benchmarks.live_audio import Sentence, Talk
from benchmarks.live_captions import Caption, Followed
from benchmarks.live_session import Seen


def talk_of(minutes: int) -> Talk:
    sentences = [
        Sentence("yes", start, start + 2) for start in np.arange(5.0, 60.0 * minutes, 10.0)
    ]
    return Talk(np.zeros(60 * minutes * 16_000, np.float32), tuple(sentences))


def session(minutes: int, lag: float, last_lag: float) -> Seen:
    seen = Seen(talk_of(minutes))
    for number, one in enumerate(seen.talk.sentences):
        late = last_lag if one.end > 60 * (minutes - 1) else lag
        final = {"type": "final", "segment_id": number, "text": "yes"}
        seen.events.append((one.end + late, {**final, "start": one.start, "end": one.end}))
    return seen


def memory(minutes: int, mib_per_hour: float) -> live_long.Memory:
    return [(second, 800 + second * mib_per_hour / 3_600) for second in range(0, minutes * 60, 10)]


def test_the_rest_of_a_session_belongs_to_its_last_whole_minute() -> None:
    lags = [(10.0, 0.5), (20.0, 0.7), (70.0, 1.0), (130.0, 2.0)]
    assert live_long.by_minute(lags, 140.0) == [0.6, 1.5]
    assert live_long.by_minute(lags[:2], 30.0) == [0.6]


def test_memory_is_judged_by_its_slope_once_it_is_settled() -> None:
    start = [(0.0, 100.0), (100.0, 700.0)]
    grown = live_long.growth([*start, *memory(60, 16.0)[31:]])
    assert grown["growth_mib_per_hour"] == 16.0
    assert grown["growth_percent_per_hour"] == pytest.approx(2.0, abs=0.05)
    assert (grown["first_mib"], grown["last_mib"], grown["highest_mib"]) == (801, 816, 816)


def test_a_session_that_falls_behind_or_grows_does_not_hold() -> None:
    assert live_long.judge(session(40, 0.6, 0.6), memory(40, 0.0))["holds"]
    late = live_long.judge(session(40, 0.6, 0.9), memory(40, 0.0))
    assert (late["holds"], late["lag_ratio_last_to_first_minute"]) == (False, 1.5)
    assert not live_long.judge(session(40, 0.6, 0.6), memory(40, 80.0))["holds"]
    assert live_long.judge(session(10, 0.6, 0.6), memory(10, 80.0))["holds"]


def test_a_session_that_lost_a_final_does_not_hold() -> None:
    seen = session(10, 0.6, 0.6)
    del seen.events[30]
    found = live_long.judge(seen, memory(10, 0.0))
    assert (found["holds"], found["without_final"]) == (False, 1)


class Runs:
    """Runs of as many sessions as are asked for; ``holding`` of them hold, some only at times."""

    def __init__(self, holding: int, *, unlucky: frozenset[int] = frozenset()) -> None:
        self.asked: list[int] = []
        self._holding = holding
        self._unlucky = unlucky

    def __call__(self, count: int) -> dict[str, Any]:
        first = count not in self.asked
        self.asked.append(count)
        return {"holds": count <= self._holding and not (first and count in self._unlucky)}


def test_the_number_of_sessions_goes_up_until_one_is_missed_twice() -> None:
    runs = Runs(8, unlucky=frozenset({7}))
    assert live_many.climb(runs, 6, 24) == 8
    assert runs.asked == [6, 7, 7, 8, 9, 9]


def test_it_goes_down_where_the_first_is_too_many_and_ends_at_the_last() -> None:
    assert live_many.climb(Runs(4), 6, 24) == 4
    assert live_many.climb(Runs(0), 2, 24) == 0
    assert live_many.climb(Runs(99), 6, 8) == 8


def test_lag_that_grows_is_seen_after_all_have_begun() -> None:
    lags = [(float(second), 0.2 if second < 4 else 1.0) for second in range(12)]
    assert live_many.growth(lags) == 0
    assert live_many.growth([*lags, (12.0, 4.0), (13.0, 4.0), (14.0, 4.0)]) == 3
    assert live_many.growth(lags[:2]) == 0


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("worst_s", 16.0),
        ("growth_s", 1.5),
        ("without_final", 1),
        ("word_error_rate_percent", 5.0),
    ],
)
def test_too_many_sessions_have_to_stay_bounded_and_complete(figure: str, value: float) -> None:
    alone = {"word_error_rate_percent": 2.0}
    beyond = {**alone, "worst_s": 8.0, "growth_s": 0.2, "without_final": 0}
    assert live_many.bounded(beyond, alone)
    assert not live_many.bounded({**beyond, figure: value}, alone)


def heard(lag: float, *, finished: bool = True) -> list[Followed]:
    speech = Talk(np.zeros(16_000, np.float32), (Sentence("good morning", 0.2, 0.9),))
    captions = [Caption(0.9 + lag, "good morning", "good morning")]
    return [Followed(speech, captions, 1.0 + lag, finished=finished)]


def test_the_peer_is_compared_recording_by_recording() -> None:
    ours = {"10 s": heard(0.5), "44 s": heard(1.0)}
    peer = {"10 s": heard(1.6), "44 s": heard(20.0)}
    found = live_peer.compared({live_peer.OURS: ours, live_peer.PEER: peer})
    assert (found["10 s"]["lag_median_ratio"], found["10 s"]["holds"]) == (0.312, False)
    assert (found["44 s"]["lag_median_ratio"], found["44 s"]["holds"]) == (0.05, True)
    assert found["44 s"]["whisperlivekit"]["finish_median_s"] == 20.1


def test_a_session_of_ours_that_was_not_done_does_not_hold() -> None:
    ours = {"10 s": heard(0.1, finished=False), "44 s": heard(0.1)}
    peer = {"10 s": heard(1.0), "44 s": heard(1.0, finished=False)}
    found = live_peer.compared({live_peer.OURS: ours, live_peer.PEER: peer})
    assert (found["10 s"]["holds"], found["44 s"]["holds"]) == (False, True)
    assert found["44 s"]["whisperlivekit"]["unfinished"] == 1
