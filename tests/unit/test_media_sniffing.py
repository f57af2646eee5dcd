import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.media.sniffing import AudioFormat, sniff, sniff_file
from tests.support.media_samples import every_container

PREFIXES = {
    "wav": "wav", "flac": "flac", "ogg": "ogg", "mp3": "mp3", "m4a": "mp4", "mp4": "mp4",
    "mov": "mp4", "3gp": "mp4", "webm": "matroska", "mkv": "matroska", "aac": "aac", "amr": "amr",
}  # fmt: skip


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("speech.wav", b"RIFF....WAVE")
    return file.getvalue()


NOT_AUDIO = {
    "nothing": b"",
    "text": b"Hello, this is a recording of nothing.",
    "utf-16": "\ufeffHello, this is no recording either.".encode("utf-16-le"),
    "html": b"<!DOCTYPE html><html><body><audio src='a.mp3'></audio></body></html>",
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "zip": archive(),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(64),
    "heic": b"\x00\x00\x00\x18ftypheic" + bytes(32),
    "avi": b"RIFF\x00\x10\x00\x00AVI LIST",
    "ebml that is not matroska": b"\x1a\x45\xdf\xa3\x84\x42\x82\x81x" + bytes(64),
    "program": b"\x7fELF\x02\x01\x01" + bytes(64),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return every_container(0.5)


def test_every_accepted_container_is_told_by_its_content(files):
    found = {name: sniff_file(io.BytesIO(data)) for name, data in files.items()}
    assert found == {name: AudioFormat(PREFIXES[name.split("-")[0]]) for name in files}


@pytest.mark.parametrize("data", NOT_AUDIO.values(), ids=NOT_AUDIO.keys())
def test_what_is_not_audio_is_unknown(data):
    assert sniff(data) is None
    assert sniff_file(io.BytesIO(data)) is None


def test_a_tag_longer_than_the_head_hides_nothing(files):
    size = 200_000
    length = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\x00\x00" + length + bytes(size)
    assert sniff_file(io.BytesIO(tag + files["flac"])) is AudioFormat.FLAC
    assert sniff_file(io.BytesIO(tag + files["aac-adts"])) is AudioFormat.AAC
    assert sniff_file(io.BytesIO(tag + files["mp3-bare"])) is AudioFormat.MP3
    assert sniff_file(io.BytesIO(tag + NOT_AUDIO["ffconcat"])) is None
    assert sniff_file(io.BytesIO(tag * 20)) is None


@pytest.mark.parametrize(("name", "expected"), [("mp3-bare", "mp3"), ("aac-adts", "aac")])
def test_a_stream_cut_in_the_middle_of_a_frame_is_recognised(files, name, expected):
    assert sniff(files[name][37:]) == expected


def test_a_file_is_left_at_its_start(files):
    file = io.BytesIO(files["mp3-id3"])
    sniff_file(file)
    assert file.tell() == 0


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(data):
    assert sniff(data) in {None, *AudioFormat}


@given(st.text(max_size=400))
def test_text_is_never_audio(text):
    assert sniff(b"> " + text.encode("utf-8", "replace")) is None
