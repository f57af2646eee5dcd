from hypothesis import given
from hypothesis import strategies as st

from speech_translator.text.distribution import distribute, sentence_runs


def test_a_sentence_over_two_captions_is_one_run() -> None:
    captions = ["He began a confused", "complaint against the wizard.", "Then he left."]
    assert sentence_runs(captions) == [range(2), range(2, 3)]


def test_speech_without_punctuation_is_cut_after_some_captions() -> None:
    assert [len(run) for run in sentence_runs(["word"] * 14, longest=6)] == [6, 6, 2]


@given(st.lists(st.text(), max_size=20))
def test_runs_cover_every_caption_once(captions: list[str]) -> None:
    assert [i for run in sentence_runs(captions) for i in run] == list(range(len(captions)))


def test_a_translation_is_shared_out_by_length() -> None:
    parts = distribute("um dois três quatro cinco seis", ["one two", "three four five six"])
    assert parts == ["um dois", "três quatro cinco seis"]


@given(st.text(), st.lists(st.text(), min_size=1, max_size=6))
def test_nothing_is_lost_in_distribution(translation: str, originals: list[str]) -> None:
    parts = distribute(translation, originals)
    assert len(parts) == len(originals)
    assert "".join("".join(parts).split()) == "".join(translation.split())
