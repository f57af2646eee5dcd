"""The command line as people use it: real engines, real pipes, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import psutil
import pytest

COMMAND = (sys.executable, "-m", "speech_translator.cli")
RECORDINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
TIMEOUT_S = 120


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=False,
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Exit status and what a person sees: standard error is a terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = bytearray()
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:  # Linux's way to say that the other side is closed
            os.close(ours)
        return process.wait(TIMEOUT_S), shown.decode(errors="replace")


def words(text: str) -> str:
    return "".join(c if c.isalnum() else " " for c in text.lower())


def test_lines_through_a_pipe_in_both_directions():
    done = run("translate", "--from", "en", "--to", "pt", stdin=b"Good morning.\n\nThank you.\n")
    assert done.returncode == 0, done.stderr
    first, empty, second = done.stdout.decode().splitlines()
    assert first.lower().startswith("bom dia")
    assert empty == ""
    assert second.lower().startswith("obrigad")
    assert done.stderr == b""


def test_lines_come_back_while_more_are_typed():
    process = subprocess.Popen(
        [*COMMAND, "translate", "--from", "pt", "--to", "en"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        process.stdin.write(b"Bom dia.\n")
        process.stdin.flush()
        assert b"morning" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_recordings_of_a_folder_become_portuguese_files(tmp_path):
    if not RECORDINGS.is_dir():
        pytest.fail("apt-get install pocketsphinx-testdata")
    folder = tmp_path / "in"
    folder.mkdir()
    names = sorted(RECORDINGS.glob("*.wav"))[:2]
    for path in names:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "broken.wav").write_bytes(names[0].read_bytes()[:44] + b"\xff" * 3)
    (folder / "notes.txt").write_text("not audio")
    out = tmp_path / "out"
    status, shown = on_a_terminal(
        "transcribe", folder, "--to", "pt", "--format", "json,srt", "-o", out
    )
    assert status == 1, shown
    assert "broken.wav: " in shown
    assert "2 of 3 recordings done, 1 failed." in shown
    for path in names:
        found = json.loads((out / f"{path.stem}.pt.json").read_text())
        assert found["language"] == "en"
        assert found["translation"]["language"] == "pt"
        assert found["translation"]["text"] != found["text"]
        assert " --> " in (out / f"{path.stem}.pt.srt").read_text()
    assert "Loading the models" in shown
    assert "%" in shown
    assert " left" in shown
    assert "Traceback" not in shown


def test_speech_through_a_chain_of_pipes():
    said = b"The weather is very nice today and we are going to the beach."
    voice = "hibari:heart"  # it starts its own engine only
    spoken = run("speak", "-", "-l", "en", "--codec", "flac", "--voice", voice, stdin=said)
    assert spoken.returncode == 0, spoken.stderr
    heard = run("transcribe", "-", "--to", "pt", stdin=spoken.stdout)
    assert heard.returncode == 0, heard.stderr
    assert "praia" in words(heard.stdout.decode())


def test_captions_and_their_translation_while_somebody_speaks(tmp_path):
    recording = RECORDINGS / "sense_and_sensibility_01_austen_64kb-0880.wav"
    done = run(
        *("listen", "-", "--source", "en", "--to", "pt", "--save", tmp_path / "talk.srt"),
        stdin=recording.read_bytes(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    said, translated = done.stdout.decode().splitlines()
    assert said.startswith("en: ")
    assert "young man" in words(said)
    assert translated.startswith("pt: ")
    assert "jovem" in words(translated)
    assert " --> " in (tmp_path / "talk.srt").read_text()
    assert "jovem" in words((tmp_path / "talk.pt.srt").read_text())


def test_on_a_terminal_the_running_utterance_is_grey_and_finals_stay():
    recording = RECORDINGS / "sense_and_sensibility_01_austen_64kb-0880.wav"
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [*COMMAND, "listen", "--source", "en", "--file", str(recording)]
    shown = bytearray()
    terminal = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=terminal
    ) as process:
        os.close(theirs)
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:  # Linux's way to say that the other side is closed
            os.close(ours)
        assert process.wait(TIMEOUT_S) == 0
    drawn = shown.decode()
    assert "\x1b[90m" in drawn
    last = drawn.rstrip().splitlines()[-1]
    assert "young man" in words(drawn)
    assert "Traceback" not in last


def test_a_reader_that_goes_away_ends_it_quietly():
    lines = "".join(f"This is line number {number}.\n" for number in range(500))
    process = subprocess.Popen(
        [*COMMAND, "translate", "--from", "en", "--to", "pt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    try:
        process.stdin.write(lines.encode())
        process.stdin.close()
    except BrokenPipeError:
        pass
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(TIMEOUT_S) == 141
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_engines_too(sent, code):
    process = subprocess.Popen(
        [*COMMAND, "translate", "--from", "en", "--to", "pt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(b"Good morning.\n")
    process.stdin.flush()
    assert process.stdout.readline()  # it works, so its engine runs
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.kill(process.pid, sent)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == code
    assert b"Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_doctor_finds_this_installation_complete():
    done = run("doctor", "--json")
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, found
    assert found["packages"]["verdict"] == "ok"
    assert found["embedded models"]["verdict"] == "ok"
