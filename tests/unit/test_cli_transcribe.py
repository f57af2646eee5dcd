"""``transcribe``: files, folders, pipes, formats, places, failures."""

import json
import os
import wave

import pytest

from speech_translator.errors import DamagedAudio
from tests.support.cli import CommandLine
from tests.support.documents import read_docx

SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt "


@pytest.fixture
def cli():
    return CommandLine()


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(SOUND)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two recordings, one of them further down, among other things."""
    root = tmp_path / "calls"
    (root / "may").mkdir(parents=True)
    (root / "one.wav").write_bytes(SOUND + b"1")
    (root / "may" / "two.dat").write_bytes(SOUND + b"2")  # by its content, not by its name
    (root / "notes.wav").write_text("no sound at all")
    (root / ".hidden.wav").write_bytes(SOUND)
    (root / "loop").symlink_to(root)
    return root


def files_below(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_one_recording_goes_to_standard_output(cli, talk):
    done = cli("transcribe", talk)
    assert done.exit_code == 0
    assert done.stdout == "Hello there.\n"
    assert done.stderr == ""
    assert files_below(talk.parent) == ["talk.wav"]


def test_only_the_engines_that_are_needed_are_started(cli, talk, tmp_path):
    cli("transcribe", talk)
    cli("transcribe", talk, "--to", "pt")
    cli("transcribe", talk, "--speak", tmp_path / "out.wav")
    speech = ["recognition", "voice_activity"]
    assert cli.opened == [
        (speech, True),
        ([*speech, "translation"], True),
        ([*speech, "synthesis"], True),
    ]


@pytest.mark.parametrize(
    ("name", "begins"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n"), ("json", "{\n")]
)
def test_formats(cli, talk, name, begins):
    done = cli("transcribe", talk, "--to", "pt", "--format", name)
    assert done.stdout.startswith(begins)
    assert "pt:Hello there." in done.stdout


def test_json_holds_both_texts(cli, talk):
    found = json.loads(cli("transcribe", talk, "--to", "pt", "--format", "json").stdout)
    assert found["text"] == "Hello there."
    assert found["translation"]["text"] == "pt:Hello there."


def test_several_formats_are_written_beside_the_recording(cli, talk):
    done = cli("transcribe", talk, "--format", "txt,SRT, vtt", "--to", "pt-BR")
    assert done.stdout == ""
    assert files_below(talk.parent) == [
        "talk.pt-BR.srt",
        "talk.pt-BR.txt",
        "talk.pt-BR.vtt",
        "talk.wav",
    ]
    assert (talk.parent / "talk.pt-BR.txt").read_text() == "pt:Hello there.\n"


def test_a_document_holds_both_texts_and_is_not_written_to_a_terminal(cli, talk, monkeypatch):
    done = cli("transcribe", talk, "--to", "pt", "--format", "docx")
    assert read_docx(done.stdout_bytes).rows[1] == ["0:00", "Hello there.", "pt:Hello there."]
    cli("transcribe", talk, "--format", "docx,txt")
    assert read_docx((talk.parent / "talk.docx").read_bytes()).paragraphs == ["0:00  Hello there."]
    monkeypatch.setattr("speech_translator.cli.transcribe.output_is_terminal", lambda: True)
    done = cli("transcribe", talk, "--format", "docx")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--output-dir" in done.stderr


def test_a_folder_is_searched_for_audio_by_content(cli, folder, tmp_path):
    done = cli("transcribe", folder, "--output-dir", tmp_path / "out")
    assert done.exit_code == 0
    assert files_below(tmp_path / "out") == ["may/two.txt", "one.txt"]
    assert "2 of 2 recordings done" in done.stderr
    assert cli.decoders.seen == [SOUND + b"1", SOUND + b"2"]


def test_results_of_a_folder_lie_beside_the_recordings(cli, folder):
    cli("transcribe", folder)
    assert (folder / "one.txt").exists()
    assert (folder / "may" / "two.txt").exists()


def test_recordings_of_one_name_do_not_overwrite_each_other(cli, tmp_path):
    for name in ("a/talk.wav", "a/talk.mp3", "b/talk.wav", "b/talk-2.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SOUND)
    out = tmp_path / "out"
    done = cli("transcribe", *sorted(tmp_path.glob("?/*")), "-o", out)
    assert done.exit_code == 0
    assert files_below(out) == ["talk-2.txt", "talk.mp3.txt", "talk.wav-2.txt", "talk.wav.txt"]


def test_a_bad_file_does_not_stop_the_others(cli, folder):
    decode = cli.decoders.decode

    async def decoding(source, **options):
        found = await decode(source, **options)
        if cli.decoders.seen[-1].endswith(b"2"):
            raise DamagedAudio("It is damaged.")
        return found

    cli.decoders.decode = decoding
    done = cli("transcribe", folder)
    assert done.exit_code == 1
    assert "two.dat: It is damaged." in done.stderr
    assert "1 of 2 recordings done, 1 failed." in done.stderr
    assert (folder / "one.txt").exists()


def test_one_bad_file_gives_its_own_code(cli, talk):
    def answer(data):
        raise DamagedAudio("It is damaged.")

    cli.decoders.answer = answer
    done = cli("transcribe", talk)
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_named_and_the_rest_done(cli, talk):
    done = cli("transcribe", talk, "/no/such/file.wav")
    assert done.exit_code == 1
    assert "/no/such/file.wav: It cannot be read: No such file or directory." in done.stderr
    assert (talk.parent / "talk.txt").exists()


def test_no_engine_is_started_for_nothing(cli, tmp_path):
    done = cli("transcribe", "/no/such/file.wav")
    assert done.exit_code == 3
    (tmp_path / "empty").mkdir()
    assert cli("transcribe", tmp_path / "empty").exit_code == 3
    assert cli.opened == []


def test_names_cannot_command_the_terminal(cli, tmp_path):
    bad = tmp_path / "a\x1b[2Jb.wav"
    done = cli("transcribe", bad)
    assert "\x1b" not in done.stderr


def test_a_pipe_is_read_and_written(cli):
    done = cli("transcribe", "-", "--to", "pt", stdin=SOUND * 1000)
    assert done.stdout == "pt:Hello there.\n"
    assert cli.decoders.seen == [SOUND * 1000]


def test_a_pipe_that_never_ends_is_cut_off(cli):
    cli.settings["max_upload_bytes"] = 4096
    done = cli("transcribe", "-", stdin=SOUND * 1000)
    assert done.exit_code == 3
    assert "4096 bytes" in done.stderr


def test_a_named_pipe_is_read_like_a_file(cli, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)  # so that opening it does not wait for a writer
    os.write(descriptor, SOUND)
    opened = []

    async def decode(source, **_):
        opened.append(source)
        raise DamagedAudio("It is damaged.")

    cli.decoders.decode = decode
    cli.settings["max_upload_bytes"] = 1024
    os.write(descriptor, b"x" * 2048)
    assert "1024 bytes" in cli("transcribe", path).stderr
    os.close(descriptor)
    assert opened == []


def test_speech_is_written_as_its_suffix_says(cli, talk, tmp_path):
    done = cli("transcribe", talk, "--to", "pt", "--speak", tmp_path / "out.wav")
    assert done.stdout == "pt:Hello there.\n"
    with wave.open(str(tmp_path / "out.wav")) as sound:
        assert sound.getframerate() == 24_000
        assert sound.getnframes() == len("pt:Hello there.") * 2400
    cli("transcribe", talk, "--to", "pt", "--speak", tmp_path / "out.flac")
    assert (tmp_path / "out.flac").read_bytes().startswith(b"fLaC")


def test_without_a_target_what_was_said_is_spoken(cli, talk, tmp_path):
    cli("transcribe", talk, "--speak", tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav")) as sound:
        assert sound.getnframes() == len("Hello there.") * 2400


def test_sound_through_the_pipe_leaves_the_text_to_people(cli):
    done = cli("transcribe", "-", "--to", "pt", "--speak", "-", stdin=SOUND)
    assert done.stdout_bytes.startswith(b"RIFF")
    assert done.stderr == "pt:Hello there.\n"


def test_speech_of_several_goes_to_a_folder(cli, folder, tmp_path):
    done = cli("transcribe", folder, "--speak", f"{tmp_path}/speech/", "--to", "pt")
    assert done.exit_code == 0
    assert files_below(tmp_path / "speech") == ["may/two.pt.wav", "one.pt.wav"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["talk.wav", "--format", "odt"], 3, "txt, srt, vtt, json, docx"),
        (["talk.wav", "--format", ","], 3, "txt, srt, vtt, json"),
        (["talk.wav", "--speak", "out.doc"], 3, ".wav"),
        (["talk.wav", "--speak", "talk.wav"], 2, "overwrite"),
        (["talk.wav", "talk.wav", "--speak", "out.wav"], 2, "folder"),
        (["-", "-"], 2, "once"),
        (["-", "--format", "txt,srt"], 2, "--output-dir"),
        (["talk.wav", "--to", "klingon"], 3, "--to"),
        ([], 2, "PATH"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(
    cli, talk, monkeypatch, options, code, words
):
    monkeypatch.chdir(talk.parent)
    done = cli("transcribe", *options)
    assert done.exit_code == code
    assert words in done.stderr
    assert cli.opened == []
    assert talk.read_bytes() == SOUND


def test_a_folder_that_cannot_be_written_is_told(cli, talk, tmp_path):
    (tmp_path / "file").write_text("")
    done = cli("transcribe", talk, "--output-dir", tmp_path / "file" / "below")
    assert done.exit_code == 5
    assert "cannot be written" in done.stderr


def test_no_part_of_a_result_is_left_behind(cli, talk, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    done = cli("transcribe", talk, "--format", "txt,srt")
    assert done.exit_code == 5
    assert "No space left on device" in done.stderr
    assert files_below(talk.parent) == ["talk.wav"]


def test_nothing_said_is_no_failure(cli, talk):
    cli.decoders.seconds = 0.0
    done = cli("transcribe", talk)
    assert done.exit_code == 0
    assert done.stdout == ""
