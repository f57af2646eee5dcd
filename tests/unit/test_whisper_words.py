from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.values import Word
from speech_translator.engines.whisper_words import timed_words

VOCABULARY = [" He", " was", " not", " ill", "-", "dis", "posed", ".", ",", " “", "”", " —", " 3"]


class Codec:
    """A vocabulary of a few pieces; a word starts with a space."""

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(VOCABULARY[token] for token in tokens)

    def words(self, tokens: Sequence[int], language: str) -> list[list[int]]:
        words: list[list[int]] = []
        for token in tokens:
            if not words or VOCABULARY[token].startswith(" "):
                words.append([])
            words[-1].append(token)
        return words


def timed(
    text: list[str], steps: list[int], bounds: tuple[float, float] = (0.0, 10.0)
) -> list[Word]:
    """Words of tokens that begin at these encoder steps; the last step is the end."""
    tokens = [VOCABULARY.index(piece) for piece in text]
    alignment = list(enumerate(steps))
    return timed_words(tokens, alignment, [0.9] * len(tokens), Codec(), "en", bounds)


def test_a_word_runs_from_its_first_token_to_the_next_word() -> None:
    words = timed([" He", " was", " not"], [0, 20, 35, 50])
    assert [(w.text, w.start, w.end) for w in words] == [
        ("He", 0.0, 0.4),
        ("was", 0.4, 0.7),
        ("not", 0.7, 1.0),
    ]
    assert words[0].probability == 0.9


def test_pieces_of_one_word_are_one_word() -> None:
    words = timed([" ill", "-", "dis", "posed"], [10, 15, 20, 30, 40])
    assert [(w.text, w.start, w.end) for w in words] == [("ill-disposed", 0.2, 0.8)]


def test_nothing_is_said_in_closing_marks() -> None:
    (word,) = timed([" not", ","], [0, 20, 60])
    assert (word.text, word.end) == ("not,", 0.4)


def test_an_opening_mark_goes_to_the_word_behind_it() -> None:
    words = timed([" He", " “", " not", "”", "."], [0, 10, 12, 30, 40, 50])
    assert [word.text for word in words] == ["He", "“not”."]


def test_a_word_does_not_stretch_over_a_pause() -> None:
    words = timed([" He", " was", " not"], [200, 215, 230, 480])
    assert words[-1].end < 6.0
    first, *_ = timed([" He", " was", " not"], [0, 215, 230, 245])
    assert first.start > 3.0, "the first word does not swallow the silence before it"


def test_no_alignment_gives_no_words() -> None:
    assert timed_words([0, 1], [], [], Codec(), "en", (0.0, 1.0)) == []
    assert timed_words([], [(0, 0)], [], Codec(), "en", (0.0, 1.0)) == []


@given(
    st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=20),
    st.lists(st.integers(0, 1500), min_size=1, max_size=40),
    st.floats(0.0, 3.0),
    st.floats(0.0, 30.0),
)
def test_times_are_monotone_and_bounded_for_any_alignment(text, steps, earliest, length) -> None:
    tokens = [VOCABULARY.index(piece) for piece in text]
    alignment = [(index % (len(tokens) + 1), step) for index, step in enumerate(steps)]
    latest = earliest + length
    words = timed_words(tokens, alignment, [0.5] * len(tokens), Codec(), "en", (earliest, latest))
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(earliest - 1e-3 <= edge <= latest + 1e-3 for edge in edges)
    said = "".join(text).replace(" ", "")
    assert set("".join(word.text for word in words).replace(" ", "")) <= set(said)
