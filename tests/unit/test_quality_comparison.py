"""A fall of more than a point is found, whichever way up a figure is."""

from benchmarks.quality import compared


def figures(chrf: float, rate: float) -> dict[str, object]:
    return {
        "translation": {"en-pt by a": {"chrf2": chrf, "bleu": 40.0}},
        "speech": {"en": {"word_error_rate_percent": rate, "utterances": 24}},
    }


def test_what_is_a_point_worse_is_named_and_what_is_better_is_not() -> None:
    before = figures(60.0, 5.0)
    assert compared(before, figures(59.0, 6.0)) == ([], [])
    assert compared(before, figures(70.0, 1.0)) == ([], [])
    worse, missing = compared(before, figures(58.9, 6.1))
    assert len(worse) == 2
    assert missing == []


def test_what_is_not_here_any_more_is_missing() -> None:
    nothing: dict[str, object] = {"translation": {}, "speech": {}}
    assert compared(figures(60.0, 5.0), nothing) == ([], ["en-pt by a", "en"])
    assert compared({}, figures(60.0, 5.0)) == ([], [])
