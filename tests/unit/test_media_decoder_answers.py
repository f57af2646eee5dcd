"""A decoder has read an upload, so nothing that it says is believed further than its type."""

import json

import pytest

from speech_translator.errors import AudioTooLong, DamagedAudio, Overloaded
from speech_translator.media.decoder_jobs import error_of, name, number, parse
from speech_translator.media.decoder_link import ProcessLostError


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 3000, b"9" * 4000])
def test_what_is_no_answer_counts_as_a_lost_decoder(body):
    with pytest.raises(ProcessLostError):
        parse(body)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1e300", '"7"', "[7]", "null", "{}"])
def test_what_is_no_number_counts_as_a_lost_decoder(value):
    with pytest.raises(ProcessLostError):
        number(parse(f'{{"n": {value}}}'.encode()), "n")


@pytest.mark.parametrize("value", [None, 7, "", "a" * 65, "<script>", "../etc", "a b", ["pcm"]])
def test_what_is_no_name_counts_as_a_lost_decoder(value):
    with pytest.raises(ProcessLostError):
        name(parse(json.dumps({"codec": value}).encode()), "codec")


def test_real_answers_pass():
    fields = parse(b'{"samples": 16000, "codec": "pcm_s16le", "seconds": 1.5}')
    assert (number(fields, "samples"), name(fields, "codec")) == (16_000, "pcm_s16le")
    assert (number(fields, "seconds"), number(fields, "missing")) == (1.5, 0)


def test_codes_become_our_own_words():
    assert isinstance(error_of("audio_too_long", 60.0), AudioTooLong)
    assert isinstance(error_of("no_space", 60.0), Overloaded)
    unknown = error_of("<b>whatever the upload wants</b>", 60.0)
    assert isinstance(unknown, DamagedAudio)
    assert "upload wants" not in str(unknown)
