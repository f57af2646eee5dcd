"""Recognise audio containers by their first bytes; names and declared types count for nothing.

What is not listed here never reaches a demuxer. The signatures are those of the formats' own
specifications: RIFF/RF64 (EBU Tech 3306), FLAC (RFC 9639), Ogg (RFC 3533), MPEG audio
(ISO 11172-3), ADTS (ISO 13818-7), ISO base media (ISO 14496-12), EBML (RFC 8794), AMR (RFC 4867),
ID3v2.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

SNIFF_BYTES = 16_384
"""How much of a file ``sniff`` wants to see."""

_ID3_HEADER = 10
_MPEG_HEADER = 4
_ADTS_HEADER = 7
_FRAMES_IN_A_ROW = 3
_MAX_ID3_TAGS = 4

_FrameParser = Callable[[bytes, int], tuple[object, int] | None]


class AudioFormat(StrEnum):
    """A container that is accepted. The value is its usual short name."""

    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"
    MP4 = "mp4"
    MATROSKA = "matroska"
    AAC = "aac"
    AMR = "amr"


_MAGIC = (
    (b"fLaC", AudioFormat.FLAC),
    (b"OggS", AudioFormat.OGG),
    (b"#!AMR\n", AudioFormat.AMR),
    (b"#!AMR-WB\n", AudioFormat.AMR),
)


def sniff(head: bytes) -> AudioFormat | None:
    """The format of a file that begins with ``head``, or None for anything that is not audio.

    An ID3v2 tag at the start is stepped over; where it is longer than ``head`` the answer is MP3,
    which ``sniff_file`` makes sure of.
    """
    id3 = _id3_length(head)
    if id3:
        return sniff(head[id3:]) if id3 + _MPEG_HEADER <= len(head) else AudioFormat.MP3
    return _by_magic(head) or _by_frames(head)


def sniff_file(file: BinaryIO) -> AudioFormat | None:
    """The format of a seekable file; the position is back at the start afterwards."""
    offset = 0
    found: AudioFormat | None = None
    for _ in range(_MAX_ID3_TAGS):
        file.seek(offset)
        head = file.read(SNIFF_BYTES)
        id3 = _id3_length(head)
        if not id3:
            found = sniff(head)
            break
        offset += id3
    file.seek(0)
    return found


def _id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 tag at the start, 0 where there is none. Sizes are four times 7 bits."""
    if len(head) < _ID3_HEADER or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:  # noqa: PLR2004
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = _ID3_HEADER if head[5] & 0x10 else 0
    return _ID3_HEADER + size + footer


def _by_magic(head: bytes) -> AudioFormat | None:
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE":
        return AudioFormat.WAV
    if head[:4] == b"\x1a\x45\xdf\xa3" and _is_matroska(head):
        return AudioFormat.MATROSKA
    return AudioFormat.MP4 if _is_mp4(head) else None


def _is_matroska(head: bytes) -> bool:
    """EBML is a container of containers; its DocType (element 0x4282) says which."""
    at = head.find(b"\x42\x82", 4, 128)
    return at > 0 and head[at + 3 : at + 11].startswith((b"webm", b"matroska"))


def _is_mp4(head: bytes) -> bool:
    """ISO base media: a box of a plausible size whose type may come first."""
    box, size = head[4:8], int.from_bytes(head[:4], "big")
    if box == b"ftyp":
        still_images = {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"jxl "}
        return size >= 12 and head[8:12] not in still_images  # noqa: PLR2004 - box header, brand
    if box in {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}:
        return size in {0, 1} or size >= 8  # noqa: PLR2004 - to the end, 64-bit, or a box header
    return False


def _by_frames(head: bytes) -> AudioFormat | None:
    """MPEG audio and ADTS have no magic, only frames whose headers agree with each other.

    Recorders cut such streams anywhere, so the first frame is searched for; three in a row (or two
    that end the data) are asked for, since eleven set bits alone occur in any binary file.
    """
    at = head.find(b"\xff")
    while 0 <= at < len(head) - _MPEG_HEADER:
        if head[at + 1] & 0xE0 == 0xE0:  # noqa: PLR2004 - the rest of the eleven sync bits
            if _agree(head, at, _adts_frame):
                return AudioFormat.AAC
            if _agree(head, at, _mpeg_frame):
                return AudioFormat.MP3
        at = head.find(b"\xff", at + 1)
    return None


def _agree(head: bytes, at: int, frame: _FrameParser) -> bool:
    first = frame(head, at)
    if first is None:
        return False
    kind, length = first
    for _ in range(_FRAMES_IN_A_ROW - 1):
        at += length
        if at == len(head):
            return True
        following = frame(head, at)
        if following is None or following[0] != kind:
            return False
        length = following[1]
    return True


def _adts_frame(head: bytes, at: int) -> tuple[object, int] | None:
    """What stays equal over an ADTS stream, and this frame's length in bytes."""
    h = head[at : at + _ADTS_HEADER]
    if len(h) < _ADTS_HEADER or h[0] != 0xFF or h[1] & 0xF6 != 0xF0:  # noqa: PLR2004 - sync, layer 0
        return None
    rate = h[2] >> 2 & 0x0F
    length = (h[3] & 3) << 11 | h[4] << 3 | h[5] >> 5
    if rate > 12 or length < _ADTS_HEADER:  # noqa: PLR2004 - 13 rates are defined
        return None
    return (h[1] & 0xF9, h[2] & 0xFD, h[3] & 0xC0), length


# kbit/s by [version 1?][layer], ISO 11172-3 table 3-B.2 and its lower-rate extension.
_KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_RATE_SHIFT = {3: 0, 2: 1, 0: 2}  # MPEG 1, 2 and 2.5 halve the rate each time


def _mpeg_frame(head: bytes, at: int) -> tuple[object, int] | None:
    """What stays equal over an MPEG audio stream, and this frame's length in bytes."""
    h = head[at : at + _MPEG_HEADER]
    if len(h) < _MPEG_HEADER or h[0] != 0xFF or h[1] & 0xE0 != 0xE0:  # noqa: PLR2004 - sync bits
        return None
    version, layer = h[1] >> 3 & 3, 4 - (h[1] >> 1 & 3)
    bitrate, rate = h[2] >> 4, h[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in {0, 15} or rate == 3:  # noqa: PLR2004 - reserved
        return None
    first = version == 3  # noqa: PLR2004 - the code of MPEG 1
    hertz = _RATES[rate] >> _RATE_SHIFT[version]
    bits = _KBITS[first, layer][bitrate - 1] * 1000
    padding = h[2] >> 1 & 1
    if layer == 1:
        length = (12 * bits // hertz + padding) * 4
    else:
        slots = 144 if first or layer == 2 else 72  # noqa: PLR2004 - layer II
        length = slots * bits // hertz + padding
    return (version, layer, rate), length
