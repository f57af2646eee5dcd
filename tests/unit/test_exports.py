import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.values import Word
from speech_translator.exports import Cue, cues, to_docx, to_json, to_srt, to_text, to_vtt
from speech_translator.exports.docx import _NO_XML
from speech_translator.exports.wrapping import MAX_LINE, atoms, columns
from speech_translator.languages import Language
from speech_translator.scalability.results import TranscribedSegment, Transcription, Translation
from tests.support.documents import read_docx


def segment(
    start: float,
    end: float,
    text: str,
    *,
    words: tuple[Word, ...] = (),
    translation: str | None = None,
) -> TranscribedSegment:
    return TranscribedSegment(0, start, end, text, 0.9, words, translation)


def spoken(start: float, text: str, *, word_s: float = 0.4, gap_s: float = 0.0) -> list[Word]:
    return [
        Word(start + i * (word_s + gap_s), start + i * (word_s + gap_s) + word_s, f" {word}", 0.9)
        for i, word in enumerate(text.split())
    ]


# Readers of the two formats, written from their descriptions and used only here.


@dataclass
class Read:
    start_ms: int
    end_ms: int
    lines: list[str]


TIMES = re.compile(r"(\d{2,}):(\d\d):(\d\d)[,.](\d{3}) --> (\d{2,}):(\d\d):(\d\d)[,.](\d{3})")


def _times(line: str) -> tuple[int, int]:
    found = TIMES.fullmatch(line)
    assert found, line
    h1, m1, s1, t1, h2, m2, s2, t2 = map(int, found.groups())
    return ((h1 * 60 + m1) * 60 + s1) * 1000 + t1, ((h2 * 60 + m2) * 60 + s2) * 1000 + t2


def read_srt(text: str) -> list[Read]:
    found = []
    for number, block in enumerate(filter(None, text.split("\n\n")), start=1):
        counter, times, *lines = block.rstrip("\n").split("\n")
        assert counter == str(number)
        found.append(Read(*_times(times), [line.replace("\u2060", "") for line in lines]))
    return found


def read_vtt(text: str) -> list[Read]:
    header, *blocks = text.split("\n\n")
    assert header.rstrip("\n") == "WEBVTT"
    found = []
    for block in filter(None, blocks):
        times, *lines = block.rstrip("\n").split("\n")
        for line in lines:
            assert not set(line) & set("<>")
            assert "-->" not in line
        plain = [
            line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for line in lines
        ]
        found.append(Read(*_times(times), plain))
    return found


def squeezed(text: str) -> str:
    kept = (c for c in text if unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"})
    return "".join("".join(kept).split()).replace("\u2060", "")


def test_srt_and_vtt_look_as_their_formats_say() -> None:
    segments = [
        segment(0.0, 1.5, "Good morning."),
        segment(3661.25, 3663.0, "Again.", translation="Outra vez."),
    ]
    assert to_srt(segments) == (
        "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n"
        "\n2\n01:01:01,250 --> 01:01:03,000\nAgain.\n"
    )
    assert to_vtt(segments[1:], translated=True) == (
        "WEBVTT\n\n01:01:01.250 --> 01:01:03.000\nOutra vez.\n"
    )
    assert to_text(segments) == "Good morning.\nAgain.\n"


def test_nothing_said_gives_valid_empty_files() -> None:
    assert to_srt([]) == ""
    assert to_vtt([segment(0, 1, "  ")]) == "WEBVTT\n"
    assert to_text([]) == ""
    assert json.loads(to_json([])) == {"segments": []}


def test_more_than_99_hours_keep_their_hours() -> None:
    assert "100:00:00,000 --> 100:00:02,000" in to_srt([segment(360_000, 360_002, "Late.")])


def test_markup_of_the_format_in_the_text_stays_text() -> None:
    hostile = "1 --> 2 <i>x</i> & {\\an8} a < b <script>"
    vtt = to_vtt([segment(0, 3, hostile)])
    assert "1 --&gt; 2 &lt;i&gt;x&lt;/i&gt; &amp; {\\an8} a &lt; b" in vtt.replace("\n", " ")
    srt = to_srt([segment(0, 3, hostile)])
    body = srt.split("\n", 2)[2]
    assert "-->" not in body
    assert "<i>" not in body
    assert "{\\" not in body
    assert " ".join(read_srt(srt)[0].lines) == hostile


def test_a_line_feed_in_the_text_cannot_start_a_cue() -> None:
    text = "one\n\n2\r\n00:00:00,000 --> 00:00:09,000\u2028fake\x00"
    for found in (
        read_srt(to_srt([segment(0, 3, text)])),
        read_vtt(to_vtt([segment(0, 3, text)])),
    ):
        assert squeezed("".join(line for cue in found for line in cue.lines)) == squeezed(text)


def test_two_lines_of_at_most_42_columns() -> None:
    text = "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun."
    (cue,) = cues([segment(0, 5, text)])
    assert cue.lines == (
        "The quick brown fox jumps over the lazy",
        "dog, and then it sleeps in the sun.",
    )
    assert all(columns(line) <= MAX_LINE for line in cue.lines)
    assert " ".join(cue.lines) == text


def test_a_long_segment_is_cut_at_its_sentences_and_timed_by_its_words() -> None:
    first = "It was the best of times, it was the worst of times, it was the age of wisdom."
    second = "It was the age of foolishness, and everybody knew it very well indeed."
    words = spoken(10.0, first, word_s=0.3) + spoken(30.0, second, word_s=0.3)
    found = cues([segment(10.0, 36.0, f"{first} {second}", words=tuple(words))])
    assert [" ".join(cue.lines) for cue in found] == [first, second]
    assert found[0].start_ms == 10_000
    assert found[1].start_ms == 30_000
    assert found[0].end_ms < 16_000  # nothing is said until 30 s, and nothing is shown


def test_without_words_time_is_shared_by_characters() -> None:
    found = cues([segment(0.0, 20.0, "a" * 40 + ". " + "b" * 40 + ".")])
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(0, 10_000), (10_000, 20_000)]


def test_words_that_do_not_spell_the_text_are_not_trusted() -> None:
    words = (Word(0.0, 0.1, " other", 0.9),)
    (cue,) = cues([segment(1.0, 3.0, "Something else.", words=words)])
    assert (cue.start_ms, cue.end_ms) == (1000, 3000)


def test_translations_are_not_timed_by_the_words_of_the_original() -> None:
    words = tuple(spoken(0.0, "um dois"))
    (cue,) = cues([segment(0, 4, "um dois", words=words, translation="um dois")], translated=True)
    assert cue.end_ms == 4000


def test_chinese_is_cut_between_characters_but_not_before_a_full_stop() -> None:
    text = (
        "这是一个很长的句子它没有空格所以必须在字符之间断开这样才能放进两行里面并且不会太宽太长。"
        * 2
    )
    found = cues([segment(0, 12, text)])
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == text
    assert all(columns(line) <= MAX_LINE for line in lines)
    assert [piece.text for piece in atoms("他说「是。」好")] == ["他", "说", "「是。」", "好"]


def test_korean_words_and_no_break_spaces_stay_whole() -> None:
    text = "안녕하세요 여러분 오늘은 날씨가 정말 좋습니다 그래서 우리는 공원에 갑니다"
    (cue,) = cues([segment(0, 4, text)])
    assert " ".join(cue.lines) == text
    french = "Vous venez avec nous ce soir, n’est-ce pas\u00a0? Oui, bien sûr, à ce soir\u00a0!"
    (cue,) = cues([segment(0, 4, french)])
    assert " ".join(cue.lines) == french


def test_a_short_cue_stays_while_there_is_room() -> None:
    found = cues([segment(0.0, 0.1, "Yes."), segment(0.5, 0.6, "No."), segment(9.0, 9.1, "So.")])
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(0, 500), (500, 1300), (9000, 9800)]


def test_asking_for_a_translation_that_is_not_there_is_an_error() -> None:
    for write in (to_text, to_srt, to_vtt, to_json):
        with pytest.raises(ValueError, match="not translated"):
            write([segment(0, 1, "Hello.")], translated=True)


def test_json_of_a_transcription_names_what_the_api_names() -> None:
    english, portuguese = Language.parse("en"), Language.parse("pt-BR")
    said = segment(
        0.0, 1.0004, "Hello.", words=(Word(0.0, 1.0, " Hello.", 0.98765),), translation="Olá."
    )
    translation = Translation("Olá.", english, portuguese, "bergamot", ("bergamot:en-pt",))
    whole = Transcription("Hello.", english, 1.0, 2.0, (said,), "whisper", translation)
    body = json.loads(to_json(whole, translated=True))
    assert body["language"] == "en"
    assert body["translation"] == {
        "text": "Olá.",
        "language": "pt-BR",
        "route": ["bergamot:en-pt"],
        "degraded": False,
        "rule_based": False,
    }
    assert body["segments"] == [
        {
            "id": 0,
            "start": 0.0,
            "end": 1.0,
            "text": "Hello.",
            "confidence": 0.9,
            "translation": "Olá.",
            "words": [{"start": 0.0, "end": 1.0, "text": "Hello.", "probability": 0.9877}],
        }
    ]
    assert "translation" not in json.loads(to_json(whole))


def test_a_document_has_each_text_in_its_language_and_direction() -> None:
    whole = Transcription(
        "Hello. Bye.",
        Language.parse("en"),
        0.9,
        4000.0,
        (
            segment(5.9, 7.0, "Hello & <b>you</b>.", translation="\u200fשלם."),
            segment(60.0, 61.0, " ", translation=""),
            segment(3671.0, 3672.0, "Bye.\ufffe\x00", translation="ביי."),
        ),
        "whisper",
        Translation("", Language.parse("en"), Language.parse("he"), "scripted", ()),
    )
    read = read_docx(to_docx(whole, translated=True))
    assert read.rows == [
        ["", "English", "Hebrew"],
        ["0:05", "Hello & <b>you</b>.", "\u200fשלם."],
        ["1:01:11", "Bye.", "ביי."],
    ]
    assert read.languages == ["en", "he"] * 2
    assert read.right_to_left == ["\u200fשלם.", "ביי."]
    assert read.paragraphs == []

    alone = read_docx(to_docx(whole))
    assert alone.paragraphs == ["0:05  Hello & <b>you</b>.", "1:01:11  Bye."]
    assert alone.rows == []
    assert to_docx(whole) == to_docx(whole)
    plain = read_docx(to_docx([segment(0, 1, "A.", translation="B.")], translated=True))
    assert plain.rows == [["", "Text", "Translation"], ["0:00", "A.", "B."]]
    assert plain.languages == []
    assert read_docx(to_docx([])).paragraphs == []


times = st.floats(0, 20_000, allow_nan=False)
texts = st.text(
    st.one_of(st.characters(), st.sampled_from(list(" \n\r.,!?-><&{}\\漢。a\u00a0"))), max_size=300
)
segments_ = st.lists(
    st.builds(
        lambda start, length, text: segment(start, start + length, text, translation=text[::-1]),
        times,
        st.floats(0, 40),
        texts,
    ),
    max_size=8,
)


@given(segments_, st.booleans())
def test_files_read_back_as_what_was_said_in_order_of_time(
    segments: list[TranscribedSegment],
    translated: bool,
) -> None:
    in_order = sorted(segments, key=lambda found: found.start)
    said = "".join((found.translation or "") if translated else found.text for found in in_order)
    for found in (
        read_srt(to_srt(in_order, translated=translated)),
        read_vtt(to_vtt(in_order, translated=translated)),
    ):
        assert squeezed("".join(line for cue in found for line in cue.lines)) == squeezed(said)
    rows = read_docx(to_docx(in_order, translated=True)).rows[1:]
    said = "".join(row[2] if translated else row[1] for row in rows)
    expected = "".join((f.translation or "") if translated else f.text for f in in_order)
    assert squeezed(said) == squeezed(_NO_XML.sub("", expected))
    for found in (cues(segments, translated=translated),):
        assert all(cue.start_ms < cue.end_ms for cue in found)
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(found))
        assert all(
            len(cue.lines) <= 2 and columns(line) <= MAX_LINE for cue in found for line in cue.lines
        )


@given(texts, st.floats(0, 100), st.lists(st.floats(0, 1), min_size=60, max_size=60))
def test_cues_of_a_segment_keep_within_its_words(
    text: str, start: float, lengths: list[float]
) -> None:
    clock, words = start, []
    for part, length in zip(text.split(), lengths, strict=False):
        words.append(Word(clock, clock + length, f" {part}", 0.5))
        clock += length
    whole = segment(start, clock, " ".join(word.text.strip() for word in words), words=tuple(words))
    found: list[Cue] = cues([whole])
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(found))
    for cue in found[:-1]:
        assert cue.end_ms <= round(clock * 1000) + 1000
