"""``listen``: where sound comes from, how captions look, and how a lost connection is mended."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.live import Live

from speech_translator.cli.captions import PlainCaptions, SavedCaptions, TerminalCaptions
from speech_translator.cli.live_client import KeptSound, LineLost, LiveClient, error_of
from speech_translator.cli.sound import WavHead, from_microphone, from_pipe, from_samples
from speech_translator.errors import (
    Draining,
    Forbidden,
    InvalidAudio,
    SpeechTranslatorError,
    Unavailable,
    UnsupportedAudio,
)
from speech_translator.languages import Language
from tests.support.cli import CommandLine

SPEECH = np.full(16_000, 8_000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)


def wav(sound: bytes, *, rate: int = 16_000, channels: int = 1, size: int | None = None) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    length = len(sound) if size is None else size
    return (
        b"RIFF\xff\xff\xff\xffWAVE"
        b"LIST\x03\x00\x00\x00abc\x00"
        b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", length) + sound
    )


@pytest.fixture
def cli() -> CommandLine:
    return CommandLine()


# The command


def test_what_comes_through_a_pipe_becomes_a_line_an_utterance(cli: CommandLine) -> None:
    done = cli("listen", "-", "--source", "en", stdin=(SPEECH + PAUSE) * 2)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "Hello there.\nHello there.\n"
    assert cli.opened == [(["recognition", "voice_activity"], False)]


def test_translations_name_their_language_and_are_kept_in_files(
    cli: CommandLine, tmp_path: Path
) -> None:
    place = tmp_path / "talk.srt"
    sound = wav(SPEECH + PAUSE)
    done = cli("listen", "-", "-f", "en", "--to", "pt", "--save", place, stdin=sound)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "en: Hello there.\npt: pt:Hello there.\n"
    assert place.read_text().endswith("\nHello there.\n")
    assert (tmp_path / "talk.pt.srt").read_text().endswith("\npt:Hello there.\n")


def test_the_terms_of_a_glossary_hold(cli: CommandLine, tmp_path: Path) -> None:
    terms = tmp_path / "terms.json"
    terms.write_text('{"Hello": "Viva"}')
    sound = SPEECH + PAUSE
    done = cli("listen", "-", "-f", "en", "--to", "pt", "--glossary", terms, stdin=sound)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "en: Hello there.\npt: pt:Viva there.\n"
    terms.write_text("[]")
    done = cli("listen", "-", "-f", "en", "--to", "pt", "--glossary", terms, stdin=sound)
    assert done.exit_code == 3
    assert "JSON object" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("-", "--file", "a.wav"), 2, "only one of"),
        (("talk.wav",), 2, "--file"),
        (("-", "--url", "ftp://host"), 2, "address of a service"),
        (("-", "--url", "https://" + "name:word@host"), 2, "address of a service"),
        (("-", "--to", "pt", "--to", "por"), 2, "different languages"),
        (("-", "--save", "talk.doc"), 3, ".srt, .vtt, .txt"),
        (("--file", "missing.wav"), 3, "cannot be read"),
        (("-", "--to", "xx-nonsense"), 3, "--to"),
        (("-", "--source", "en", "--to", "ja"), 3, "ja"),
    ],
)
def test_what_cannot_be_is_said(
    cli: CommandLine, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = cli("listen", *arguments, stdin=SPEECH)
    assert done.exit_code == code
    assert says in done.stderr


def test_without_a_recorder_the_packages_are_named(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cli("listen")
    assert done.exit_code == 5
    assert "alsa-utils" in done.stderr
    assert "pulseaudio-utils" in done.stderr


# Sound


async def heard(*pieces: bytes) -> bytes:
    sound = b"".join(pieces)
    return b"".join([piece async for piece in from_pipe(io.BytesIO(sound))])


async def test_raw_sound_and_wav_files_of_any_rate_become_16_khz_mono() -> None:
    assert await heard(SPEECH, b"\x01") == SPEECH
    assert await heard(b"RI") == b"RI"
    assert await heard(wav(SPEECH)) == SPEECH
    assert await heard(wav(SPEECH, size=0xFFFF_FFFF)) == SPEECH
    assert await heard(wav(SPEECH), b"LIST....no sound") == SPEECH
    stereo = np.repeat(np.frombuffer(SPEECH, "<i2"), 2).tobytes()
    both = np.frombuffer(await heard(wav(stereo, channels=2)), "<i2")
    assert len(both) == 16_000
    assert abs(int(both[8_000]) - 8_000) < 5
    slower = await heard(wav(SPEECH, rate=44_100))
    assert len(slower) == pytest.approx(2 * 16_000 * 16_000 / 44_100, abs=4)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_header_may_come_in_pieces(size: int) -> None:
    head, whole = WavHead(), wav(SPEECH)
    parts = [head.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert b"".join(parts) == SPEECH


@pytest.mark.parametrize(
    "sound",
    [
        b"OggS and so on, which is no raw sound",
        wav(b"").replace(struct.pack("<H", 16) + b"data", struct.pack("<H", 24) + b"data"),
        wav(b"", channels=9),
        b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\xff\xff\xff\x7f" + bytes(100_000),
        b"RIFF\xff\xff\xff\xffWAVEfmt \x02\x00\x00\x00\x01\x00",
    ],
)
async def test_what_is_no_sound_through_a_pipe_is_refused(sound: bytes) -> None:
    with pytest.raises(UnsupportedAudio):
        await heard(sound)


async def test_a_recording_is_heard_as_slowly_as_it_was_spoken() -> None:
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    samples = np.full(16_000, 0.5, np.float32)
    at = [
        (round(now[0], 3), len(piece))
        async for piece in from_samples(samples, clock=lambda: now[0], sleep=sleep)
    ]
    assert at == [(round(0.1 * (n + 1), 3), 3_200) for n in range(10)]


async def test_a_recorder_is_heard_and_what_it_says_of_itself_is_passed_on() -> None:
    speaks = "import sys; sys.stdout.buffer.write(bytes(8_000))"
    got = b"".join([data async for data in from_microphone((sys.executable, "-c", speaks))])
    assert got == bytes(8_000)
    fails = "import sys; sys.exit('first\\nno such device: \\x1b[31mhw:9')"
    with pytest.raises(InvalidAudio, match="no such device: �"):
        [data async for data in from_microphone((sys.executable, "-c", fails))]


def test_sound_is_kept_until_it_is_acknowledged() -> None:
    kept = KeptSound()
    kept.append(b"abcdef")
    kept.forget(2)
    kept.forget(1)
    assert (kept.start, kept.end) == (2, 6)
    assert kept.read(3, 2) == b"de"
    assert kept.read(6, 2) == b""
    kept.forget(99)
    assert (kept.start, kept.end) == (6, 6)


# Captions

FINAL = {
    "type": "final",
    "start": 1.0,
    "end": 2.0,
    "text": "[bold]Hello\x1b[2J there.",
    "language": "en",
    "translations": {"pt": "Olá.", "en": "x"},
}


def test_on_a_terminal_words_are_no_commands() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        shown = TerminalCaptions(live)
        shown.partial({**FINAL, "text": "Hel", "translations": {}, "language": None})
        shown.final(FINAL)
        shown.note("falling behind")
    drawn = out.getvalue()
    assert "[bold]Hello�[2J there." in drawn
    assert "\x1b[2J" not in drawn
    assert "Olá." in drawn
    assert "falling behind" in drawn
    assert "\x1b[90mHel" in drawn.replace("\x1b[0m", "")


def test_lines_name_languages_only_where_there_are_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = PlainCaptions()
    shown.partial(FINAL)
    shown.final({**FINAL, "text": "Hi.", "translations": {}})
    shown.final(FINAL)
    assert capsys.readouterr().out == "Hi.\nen: [bold]Hello�[2J there.\npt: Olá.\n"


async def test_a_translation_that_failed_is_left_out_of_its_file(tmp_path: Path) -> None:
    place = tmp_path / "talk.vtt"
    saved = SavedCaptions(place, [Language("pt")])
    await saved.add(FINAL)
    await saved.add({**FINAL, "start": 3.0, "end": 4.0, "text": "Bye.", "translations": {}})
    assert "Bye." in place.read_text()
    assert (tmp_path / "talk.pt.vtt").read_text().count("-->") == 1


# Coming back


class Script:
    """A service of scripted connections; ``first`` holds what each was begun with."""

    def __init__(self, *lines: list[Any]) -> None:
        self.lines = list(lines)
        self.first: list[dict[str, Any]] = []
        self.sent: list[list[str | bytes]] = []
        self.events: list[Any] = []
        self.now = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        if not self.lines:
            raise LineLost("nobody there")
        self.events = list(self.lines.pop(0))
        if isinstance(self.events[0], LineLost | SpeechTranslatorError):
            raise self.events[0]
        self.sent.append([])
        yield self

    async def send(self, message: str | bytes) -> None:
        if not self.sent[-1]:
            self.first.append(json.loads(message))
        self.sent[-1].append(message)

    async def receive(self) -> str:
        for _ in range(20):  # whoever speaks speaks first
            await asyncio.sleep(0)
        event = self.events.pop(0) if self.events else LineLost("cut")
        if isinstance(event, LineLost):
            raise event
        return json.dumps(event)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def said(self, connection: int) -> bytes:
        return b"".join(m for m in self.sent[connection] if isinstance(m, bytes))


async def talk(script: Script, pcm: bytes = SPEECH) -> list[dict[str, Any]]:
    told: list[Any] = []

    async def listener(event: Any) -> None:
        told.append(event)

    async def sound() -> AsyncIterator[bytes]:
        yield pcm

    client = LiveClient(
        script.open,
        {"source_language": "en"},
        listener,
        clock=lambda: script.now,
        sleep=script.sleep,
    )
    async with asyncio.timeout(60):
        await client.run(sound())
    return told


def ready(seq: int, audio_s: float = 0.0, token: str | None = "t1") -> dict[str, Any]:  # noqa: S107
    return {"seq": seq, "type": "ready", "audio_s": audio_s, "resume_token": token}


def final(seq: int, end: float, text: str) -> dict[str, Any]:
    return {**FINAL, "seq": seq, "start": end - 0.1, "end": end, "text": text}


def ack(seq: int, audio_s: float) -> dict[str, Any]:
    return {"seq": seq, "type": "ack", "audio_s": audio_s}


def done(seq: int, reason: str = "end") -> dict[str, Any]:
    return {"seq": seq, "type": "done", "reason": reason, "audio_s": 1, "segments": 1}


def fatal(seq: int, code: str) -> dict[str, Any]:
    return {
        "seq": seq,
        "type": "error",
        "code": code,
        "message": "No.",
        "fatal": True,
        "details": {},
    }


async def test_a_session_goes_on_from_what_was_acknowledged() -> None:
    script = Script(
        [ready(1), final(2, 0.4, "one"), ack(3, 0.5)],
        [LineLost("still away")],
        [ready(9, 0.5, "t2"), final(10, 0.9, "two"), done(11)],
    )
    told = await talk(script)
    assert [e.get("text", e["type"]) for e in told] == ["one", "reconnecting", "two"]
    assert script.first[1] == {"type": "resume", "token": "t1", "last_seq": 3}
    assert script.said(0) == SPEECH
    assert script.said(1) == SPEECH[16_000:]
    assert script.sent[1][-1] == '{"type": "end"}'


async def test_a_session_that_cannot_be_resumed_begins_anew_behind_its_finals() -> None:
    script = Script(
        [ready(1), final(2, 0.4, "one"), ack(3, 0.3)],
        [fatal(1, "resume_refused")],
        [ready(1, 0.0, None), final(2, 0.2, "two"), done(3)],
    )
    told = await talk(script)
    assert script.first[2] == {"source_language": "en"}
    assert script.said(2) == SPEECH[12_800:]
    assert told[-1]["text"] == "two"
    assert told[-1]["end"] == pytest.approx(0.6)


async def test_a_service_that_stops_is_followed_to_its_next_life() -> None:
    script = Script(
        [ready(1), ack(2, 0.5), done(3, "shutting_down"), LineLost("shutting_down", 1012)],
        [ready(4, 0.5), final(5, 0.9, "two"), done(6)],
    )
    assert (await talk(script))[-1]["text"] == "two"
    assert script.first[1]["type"] == "resume"


async def test_a_session_at_its_longest_is_followed_by_another() -> None:
    script = Script(
        [ready(1), final(2, 0.5, "one"), ack(3, 0.5), done(4, "session_too_long")],
        [ready(1), final(2, 0.2, "two"), done(3)],
    )
    assert [e["text"] for e in await talk(script)] == ["one", "two"]
    assert script.first[1] == {"source_language": "en"}


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([[LineLost("refused")]], Unavailable),
        ([[Forbidden("No.")]], Forbidden),
        ([[fatal(1, "forbidden")]], Forbidden),
        ([[fatal(1, "draining")]], Draining),
        ([[ready(1)], *[[LineLost("away")]] * 100], Unavailable),
        ([[ready(1), LineLost("unauthenticated", 1008)]], SpeechTranslatorError),
        ([[ready(1), LineLost("superseded", 4001)]], SpeechTranslatorError),
    ],
)
async def test_what_no_try_mends_ends_it(lines: list[Any], error: type[Exception]) -> None:
    script = Script(*lines)
    with pytest.raises(error):
        await talk(script)
    assert script.now < 130


async def test_a_source_that_fails_is_told_after_what_it_gave() -> None:
    script = Script([ready(1), final(2, 0.4, "one"), done(3)])
    told: list[Any] = []

    async def listener(event: Any) -> None:
        told.append(event["text"])

    async def sound() -> AsyncIterator[bytes]:
        yield SPEECH
        raise UnsupportedAudio("No.")

    with pytest.raises(UnsupportedAudio):
        await LiveClient(script.open, {}, listener).run(sound())
    assert told == ["one"]
    assert script.sent[0][-1] == '{"type": "end"}'


async def test_who_stops_still_hears_what_was_said() -> None:
    script = Script([ready(1), final(2, 0.4, "one"), done(3)])

    async def listener(event: Any) -> None:
        assert event["text"] == "one"

    async def sound() -> AsyncIterator[bytes]:
        yield SPEECH
        client.stop()
        await asyncio.Event().wait()

    client = LiveClient(script.open, {}, listener)
    async with asyncio.timeout(60):
        await client.run(sound())
    assert script.said(0) == SPEECH
    assert script.sent[0][-1] == '{"type": "end"}'


def test_errors_are_known_by_their_code() -> None:
    assert isinstance(error_of("forbidden", "No."), Forbidden)
    assert type(error_of("of a later version", "No.")) is SpeechTranslatorError
