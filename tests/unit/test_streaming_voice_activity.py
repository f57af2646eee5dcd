from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from speech_translator.streaming.voice_activity import (
    Boundary,
    Closed,
    EndpointConfig,
    Endpointer,
    Opened,
)

# In windows of 32 ms.
SILENCE_ENDS = 19  # 0.6 s
PRE_ROLL = 9  # 0.3 s
POST_ROLL = 6  # 0.2 s
LONGEST = 625  # 20 s


def heard(probabilities: list[float], levels: list[float] | None = None) -> list[Boundary]:
    endpointer = Endpointer()
    found = endpointer.feed(probabilities, levels or [0.1] * len(probabilities))
    return found + endpointer.finish()


def test_speech_between_silences_is_one_utterance_with_its_margins() -> None:
    found = heard([0.0] * 50 + [0.9] * 30 + [0.0] * 50)
    assert found == [
        Opened(50 - PRE_ROLL, 50),
        Closed(50 - PRE_ROLL, 80 + POST_ROLL, 50, 80),
    ]


def test_it_ends_after_the_silence_and_not_before() -> None:
    endpointer = Endpointer()
    endpointer.feed([0.9] * 30, [0.1] * 30)
    assert endpointer.feed([0.0] * (SILENCE_ENDS - 1), [0.0] * (SILENCE_ENDS - 1)) == []
    assert [type(found) for found in endpointer.feed([0.0], [0.0])] == [Closed]


def test_a_pause_for_breath_does_not_end_it() -> None:
    found = heard(([0.9] * 30 + [0.0] * (SILENCE_ENDS - 1)) * 3)
    assert [type(each) for each in found] == [Opened, Closed]


def test_a_click_is_no_speech() -> None:
    assert heard([0.0] * 20 + [0.9] * 2 + [0.0] * 50) == []


def test_doubt_does_not_begin_an_utterance_but_keeps_one_going() -> None:
    assert heard([0.4] * 100) == []
    found = heard([0.9] * 5 + [0.4] * 40 + [0.0] * 30)
    assert found[-1] == Closed(0, 45 + POST_ROLL, 0, 45)


def test_doubt_after_a_gap_is_no_speech() -> None:
    (_, closed) = heard([0.9] * 5 + [0.0] + [0.4] * 40)
    assert isinstance(closed, Closed)
    assert closed.speech_end == 5


def test_margins_of_two_utterances_do_not_overlap() -> None:
    config = EndpointConfig(end_silence_s=0.2, pre_roll_s=0.3, post_roll_s=0.2)
    endpointer = Endpointer(config)
    probabilities = [0.9] * 10 + [0.0] * 7 + [0.9] * 10 + [0.0] * 20
    first, second = [
        found
        for found in endpointer.feed(probabilities, [0.0] * len(probabilities))
        if isinstance(found, Closed)
    ]
    assert first.end <= second.start


def test_endless_speech_is_cut_where_it_is_quietest() -> None:
    levels = [0.3] * 800
    levels[500:505] = [0.01] * 5
    found = heard([0.9] * 800, levels)
    assert [type(each) for each in found] == [Opened, Closed, Opened, Closed]
    first, opened, second = found[1:]
    assert isinstance(first, Closed)
    assert isinstance(opened, Opened)
    assert isinstance(second, Closed)
    assert first.capped
    assert 500 <= first.end <= 505
    assert opened.start == second.start == first.end
    assert not second.capped
    assert second.end == 800


def test_a_hesitation_beats_a_quiet_word_as_the_place_to_cut() -> None:
    probabilities = [0.95] * 800
    probabilities[450:455] = [0.4] * 5
    levels = [0.1] * 800
    levels[550:555] = [0.05] * 5
    first = heard(probabilities, levels)[1]
    assert isinstance(first, Closed)
    assert 450 <= first.end <= 455


def test_what_is_left_after_a_cut_may_hold_no_speech() -> None:
    probabilities = [0.9] * 610 + [0.0] * 60
    found = heard(probabilities, [0.3] * 610 + [0.0] * 60)
    closed = [each for each in found if isinstance(each, Closed)]
    assert [(each.capped, each.spoken) for each in closed] == [(True, True), (False, False)]
    assert closed[0].speech_end <= closed[0].end


def test_settled_never_passes_what_an_utterance_will_need() -> None:
    endpointer = Endpointer()
    settled = []
    for probability in [0.0] * 40 + [0.9] * 2:
        endpointer.feed([probability], [0.1])
        settled.append(endpointer.settled)
    (opened,) = endpointer.feed([0.9], [0.1])
    assert isinstance(opened, Opened)
    assert max(settled) <= opened.start
    assert settled[-1] > 0


runs = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), st.integers(1, 300)), max_size=20
)


@given(runs, st.lists(st.integers(1, 100), min_size=1, max_size=10))
def test_utterances_tile_the_speech_however_it_is_fed(
    script: list[tuple[float, int]], sizes: list[int]
) -> None:
    probabilities = [probability for probability, length in script for _ in range(length)]
    whole = heard(probabilities)
    endpointer, pieces, position, turn = Endpointer(), [], 0, 0
    settled = 0
    while position < len(probabilities):
        size = sizes[turn % len(sizes)]
        piece = probabilities[position : position + size]
        found = endpointer.feed(piece, [0.1] * len(piece))
        assert endpointer.settled >= settled
        assert all(each.start >= settled for each in found)
        settled = endpointer.settled
        pieces += found
        position, turn = position + size, turn + 1
    assert pieces + endpointer.finish() == whole

    assert [type(each) for each in whole] == [Opened, Closed] * (len(whole) // 2)
    closed = [each for each in whole if isinstance(each, Closed)]
    for opened, each in zip(whole[::2], closed, strict=True):
        assert each.start == opened.start
        assert each.start <= each.speech_start <= each.speech_end <= each.end <= len(probabilities)
        assert each.end - each.start <= LONGEST
    assert all(before.end <= after.start for before, after in pairwise(closed))
    # Every long enough stretch of sure speech is inside utterances.
    covered = {window for each in closed for window in range(each.start, each.end)}
    position = 0
    for probability, length in script:
        if probability > 0.9 and length >= 3:
            assert covered.issuperset(range(position, position + length))
        position += length
