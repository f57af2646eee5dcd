"""The door for what strangers send: bounds before parsing, and text that stays text."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import (
    EmptyAudio,
    EmptyText,
    InvalidMarkup,
    InvalidText,
    MalformedBody,
    PayloadTooLarge,
    TextTooLong,
)
from speech_translator.security import input_validator
from speech_translator.security.input_validator import (
    MAX_SANITISED_TAGS,
    AudioBounds,
    check_html,
    check_json,
    check_text,
    composed,
    pieces,
    sanitise_html,
    validate_audio_upload,
)

NESTED = '{"a":' * 20 + "[" * 13 + "]" * 13 + "}" * 20  # 33 deep


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "${jndi:ldap://x}",
     "%00", "cafe\u0301", "caf\u00e9", " ", "\U0001f468\u200d\U0001f469", "\ufeff\u202e"],
)  # fmt: skip
def test_text_is_taken_as_it_is(text):
    assert check_text(text, max_chars=100, max_bytes=400) is text


def test_text_is_bounded_in_characters_and_in_bytes():
    with pytest.raises(TextTooLong):
        check_text("x" * 11, max_chars=10)
    assert check_text("é" * 10, max_chars=10, max_bytes=20)
    with pytest.raises(TextTooLong) as caught:
        check_text("é" * 10, max_chars=10, max_bytes=19)
    assert caught.value.details == {"max_bytes": 19}
    with pytest.raises(EmptyText):
        check_text("", max_chars=10)


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\ud800", "a\x7f"])
def test_nul_control_characters_and_halves_of_pairs_are_refused(text):
    with pytest.raises(InvalidText):
        check_text(text, max_chars=10, max_bytes=10)


@given(st.text())
def test_the_composed_form_is_for_looking_up(text):
    assert composed(text) == unicodedata.normalize("NFC", text)


def test_json_is_bounded_in_bytes_and_in_depth():
    check_json(
        NESTED.replace("[" * 13, "[" * 12).replace("]" * 13, "]" * 12).encode(), max_bytes=200
    )
    with pytest.raises(MalformedBody):
        check_json(NESTED.encode(), max_bytes=200)
    with pytest.raises(PayloadTooLarge):
        check_json(b'"' + b"x" * 200 + b'"', max_bytes=200)


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b'{"a":' * 50_000, b'"\\"' + b"[" * 33 + b'"', b'"\\\\",' + b"[" * 33],
)
def test_depth_is_found_in_documents_that_are_none(data):
    wanted = data.startswith(b'"\\"')  # these brackets lie within a string
    try:
        check_json(data, max_bytes=1 << 20)
    except MalformedBody:
        wanted = not wanted
    assert wanted


def test_brackets_in_texts_and_side_by_side_are_no_depth():
    check_json(b'{"text": "' + b"[{" * 5000 + b'"}', max_bytes=1 << 20)
    check_json(b"[" + b"[]," * 5000 + b"[]]", max_bytes=1 << 20)


json_values = st.recursive(
    st.text(max_size=8) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
)


@given(json_values, st.integers(1, 6))
def test_the_depth_is_that_of_the_parsed_document(value, most):
    import msgspec

    def depth(found):
        if isinstance(found, dict):
            return 1 + max(map(depth, found.values()), default=0)
        if isinstance(found, list):
            return 1 + max(map(depth, found), default=0)
        return 0

    data = msgspec.json.encode(value)
    if depth(value) > most:
        with pytest.raises(MalformedBody):
            check_json(data, max_bytes=len(data), max_depth=most)
    else:
        check_json(data, max_bytes=len(data), max_depth=most)


def test_html_is_bounded_in_depth_whatever_it_is_for():
    check_html("<div>" * 256 + "</div>" * 256)
    with pytest.raises(InvalidMarkup):
        check_html("<div>" * 257)


async def test_sanitising_leaves_text_and_takes_what_acts():
    document = (
        '<p onclick="x()">One <b>two</b> <a href="javascript:x()">three</a>'
        '<script>alert("four")</script><iframe src="//evil.example"></iframe>'
        '<span translate="no">&lt;five&gt;</span></p>'
    )
    assert await sanitise_html(document) == (
        '<p>One <b>two</b> <a rel="noopener noreferrer">three</a>'
        '<span translate="no">&lt;five&gt;</span></p>'
    )


@pytest.mark.parametrize(
    "document",
    [
        "<div>" * 300,
        "<br>" * (MAX_SANITISED_TAGS + 1),
        "<!-- --!>" + "<div>" * (MAX_SANITISED_TAGS + 1),
        "".join(f"<p><b title={n}></p>" for n in range(400)),
    ],
)
async def test_what_parsers_choke_on_is_refused_before_or_after_but_not_given(document):
    with pytest.raises(InvalidMarkup):
        await sanitise_html(document)


async def test_depth_and_tags_are_looked_at_before_the_parser_is_asked(monkeypatch):
    def parse():
        raise AssertionError("the document was parsed")

    monkeypatch.setattr(input_validator, "_cleaner", parse)
    for document in ("<div>" * 100_000, "<div/>" * 100_000):
        with pytest.raises(InvalidMarkup):
            await sanitise_html(document)


class Decoders:
    """Notes what it is given."""

    def __init__(self):
        self.seen = []

    async def decode(self, source, *, max_seconds, deadline):
        self.seen.append((source.read(), max_seconds, deadline))
        return "sound"


class File:
    """An upload of a framework, with a name that nobody asks for."""

    filename = "../../etc/cron.d/x"

    def __init__(self, data):
        self._data = io.BytesIO(data)

    async def read(self, size=-1):
        return self._data.read(size)


async def test_an_upload_is_decoded_by_what_it_holds(tmp_path):
    decoders = Decoders()
    found = await validate_audio_upload(
        pieces(File(b"RIFF")),
        decoders,
        deadline=5,
        bounds=AudioBounds(max_bytes=4, max_seconds=7),
        directory=tmp_path,
    )
    assert found == "sound"
    assert decoders.seen == [(b"RIFF", 7, 5)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("data", "error"), [(b"", EmptyAudio), (b"12345", PayloadTooLarge)])
async def test_nothing_is_decoded_of_what_is_empty_or_too_large(data, error):
    decoders = Decoders()
    with pytest.raises(error):
        await validate_audio_upload(
            pieces(File(data)), decoders, deadline=5, bounds=AudioBounds(max_bytes=4)
        )
    assert decoders.seen == []
