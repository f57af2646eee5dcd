"""The command line as a whole: help, codes, speak, voices, serve, doctor."""

import json
import subprocess
import sys
import wave

import pytest

from speech_translator import errors
from speech_translator.cli import checks, doctor
from speech_translator.cli.exit_codes import MEANINGS, ExitCode, exit_code_of, exit_code_of_run
from speech_translator.cli.lines import Line, LineSplitter
from speech_translator.reliability.machine_checks import Memory
from speech_translator.settings import Settings
from tests.support.cli import CommandLine


@pytest.fixture
def cli():
    return CommandLine()


def every_error():
    found, waiting = [], [errors.SpeechTranslatorError]
    while waiting:
        cls = waiting.pop()
        found.append(cls)
        waiting += cls.__subclasses__()
    return found


@pytest.mark.parametrize("cls", every_error())
def test_every_error_has_an_exit_code(cls):
    expected = ExitCode.FAILED
    if issubclass(cls, errors.ConfigurationError):
        expected = ExitCode.CONFIGURATION
    elif issubclass(cls, errors.InvalidRequest):
        expected = ExitCode.INVALID_INPUT
    elif issubclass(cls, errors.Unavailable):
        expected = ExitCode.UNAVAILABLE
    assert exit_code_of(cls("It did not work.")) is expected


def test_the_code_of_a_run_of_several_inputs():
    bad = errors.EmptyAudio("Nothing.")
    assert exit_code_of_run(2, []) is ExitCode.OK
    assert exit_code_of_run(2, [bad]) is ExitCode.FAILED
    assert exit_code_of_run(2, [bad, bad]) is ExitCode.INVALID_INPUT


def test_the_help_documents_every_code(cli):
    shown = cli("--help").stdout
    for code in ExitCode:
        assert f"{code.value}: {MEANINGS[code]}." in " ".join(shown.split())


@pytest.mark.parametrize(
    "command", ["serve", "translate", "transcribe", "speak", "models", "doctor"]
)
def test_every_command_explains_itself(cli, command):
    assert command in cli("--help").stdout
    done = cli(command, "--help")
    assert done.exit_code == 0
    assert cli.opened == []


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys; from speech_translator.cli.app import app\n"
        "print([m for m in ('numpy', 'fastapi', 'pydantic', 'av', 'onnxruntime', 'ctranslate2',"
        " 'speech_translator.api', 'speech_translator.services') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_interrupt_has_its_own_code(cli, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    cli._open = interrupt
    done = cli("translate", "-f", "en", "-t", "pt", "x")
    assert done.exit_code == 130
    assert done.output == ""


def test_a_full_disk_is_told_in_a_sentence(cli):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    cli._open = fail
    done = cli("translate", "-f", "en", "-t", "pt", "x")
    assert done.exit_code == 1
    assert done.stderr == "Error: No space left on device.\n"


def test_serve_takes_host_and_port(cli):
    assert cli("serve", "--host", "0.0.0.0", "--port", "9000").exit_code == 0
    settings = cli.served[0]
    assert (settings.host, settings.port) == ("0.0.0.0", 9000)


def test_serve_refuses_a_port_that_is_none(cli):
    assert cli("serve", "--port", "70000").exit_code == 2
    assert cli.served == []


# speak


def test_text_is_spoken_into_a_file(cli, tmp_path):
    out = tmp_path / "out.wav"
    done = cli("speak", "Bom dia.", "--language", "pt", "-o", out)
    assert done.exit_code == 0
    assert done.stdout == done.stderr == ""
    with wave.open(str(out)) as sound:
        assert sound.getnframes() == len("Bom dia.") * 2400
    assert cli.opened == [(["synthesis"], False)]


def test_text_is_translated_first_when_asked_to(cli, tmp_path):
    out = tmp_path / "out.wav"
    cli("speak", "Good day.", "--from", "en", "--to", "pt", "-o", out)
    with wave.open(str(out)) as sound:
        assert sound.getnframes() == len("pt:Good day.") * 2400


@pytest.mark.parametrize(
    ("codec", "begins"), [("wav", b"RIFF"), ("flac", b"fLaC"), ("opus", b"OggS")]
)
def test_text_through_a_pipe_is_sound_through_a_pipe(cli, codec, begins):
    done = cli("speak", "-", "-l", "en", "--codec", codec, stdin=b"Good day.\n")
    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(begins)


def test_a_voice_starts_its_own_engine_only(cli, tmp_path):
    done = cli("speak", "Bom dia.", "-l", "pt", "--voice", "espeak:pt", "-o", tmp_path / "o.wav")
    assert done.exit_code == 0
    assert cli.started == [["espeak"]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["x", "-l", "pt", "-o", "out.doc"], 3, ".wav"),
        (["x", "-l", "pt", "--codec", "doc"], 3, "--codec"),
        (["x", "-l", "de", "-o", "out.wav"], 3, "de"),
        (["x", "-l", "pt", "--voice", "nobody", "-o", "out.wav"], 3, "voice"),
        (["x", "-l", "pt", "--speed", "9", "-o", "out.wav"], 2, "speed"),
        (["", "-l", "pt", "-o", "out.wav"], 3, "empty"),
        (["x", "-o", "out.wav"], 2, "--language"),
    ],
)
def test_what_cannot_be_spoken_is_refused(cli, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    done = cli("speak", *arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_long_text_through_a_pipe_is_refused(cli, tmp_path):
    cli.settings["max_text_chars"] = 10
    for text in (b"x" * 100_000, b"x" * 11, "😀".encode() * 11):
        done = cli("speak", "-", "-l", "pt", "-o", tmp_path / "out.wav", stdin=text)
        assert done.exit_code == 3
        assert "10" in done.stderr


# models


def test_voices_are_listed(cli):
    done = cli("models", "voices", "--language", "pt")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["kokoro:pt", "espeak:pt"]
    found = json.loads(cli("models", "voices", "--json").stdout)
    assert {"id": "espeak:fr", "language": "fr"}.items() <= found[-1].items()


def test_the_catalog_says_what_is_here(cli, tmp_path):
    cli.settings["cache_dir"] = tmp_path
    done = cli("models", "list")
    rows = {line.split()[1]: line for line in done.stdout.splitlines()[1:]}
    assert rows["whisper-base"].startswith("+")
    assert "MIT" in rows["whisper-base"]
    assert rows["kokoro-voices"].startswith("-")
    assert "kokoro-voices is not installed. Run: " in done.stderr
    found = {model["id"]: model for model in json.loads(cli("models", "list", "--json").stdout)}
    assert found["whisper-base"]["installed"]
    assert not found["kokoro-voices"]["installed"]
    assert len(found["whisper-base"]["sha256"]) == 64


def test_damage_of_a_model_is_found(cli, tmp_path):
    cli.settings["cache_dir"] = tmp_path
    joined = tmp_path / "models" / "whisper-base" / "config.json"
    joined.parent.mkdir(parents=True)
    joined.write_text("{}")
    done = cli("models", "verify", "silero-vad-v6", "whisper-base", "kokoro-voices")
    assert done.stdout == "silero-vad-v6: whole\n"
    assert "whisper-base: " in done.stderr
    assert "kokoro-voices: " in done.stderr
    assert done.exit_code == 5


def test_a_model_that_nobody_knows_is_refused_with_those_that_are(cli):
    done = cli("models", "verify", "nothing")
    assert done.exit_code == 3
    assert "whisper-base" in done.stderr
    done = cli("models", "pull", "wisper-tiny")
    assert done.exit_code == 3
    assert "Did you mean whisper-tiny" in done.stderr


def test_only_what_was_pulled_is_removed_and_only_after_a_yes(cli, tmp_path):
    cli.settings["cache_dir"] = tmp_path
    done = cli("models", "remove", "silero-vad-v6", "--yes")
    assert done.exit_code == 5
    assert "pip install faster-whisper" in done.stderr
    home = tmp_path / "models" / "whisper-tiny"
    home.mkdir(parents=True)
    assert cli("models", "remove", "whisper-tiny", stdin=b"n\n").exit_code == 1
    assert home.exists()
    assert cli("models", "remove", "whisper-tiny", "-y").stdout == "whisper-tiny: removed\n"
    assert not home.exists()
    assert cli("models", "remove", "whisper-tiny", "-y").exit_code == 5


# lines


def test_lines_are_the_same_however_they_are_cut():
    data = b"one\r\n\ntwo\nthree"
    whole = LineSplitter(100)
    expected = [*whole.feed(data), *whole.finish()]
    assert expected == [
        Line(b"one", b"\r\n"),
        Line(b""),
        Line(b"two"),
        Line(b"three", b""),
    ]
    for at in range(len(data)):
        split = LineSplitter(100)
        assert [*split.feed(data[:at]), *split.feed(data[at:]), *split.finish()] == expected


def test_a_line_that_is_too_long_comes_in_parts_and_the_next_is_whole():
    split = LineSplitter(4)
    assert split.feed(b"123456789") == [Line(b"123456789", b"", part=True, last=False)]
    assert split.feed(b"0\r\nab\n") == [Line(b"0", b"\r\n", part=True), Line(b"ab")]
    assert split.feed(b"12345") == [Line(b"12345", b"", part=True, last=False)]
    assert split.finish() == [Line(b"", b"", part=True)]
    assert split.finish() == []


# doctor


@pytest.fixture
def settings(tmp_path):
    return Settings(cache_dir=tmp_path / "cache", port=0)


def test_doctor_reports_and_commands_are_beside_what_is_missing():
    text = doctor.lines(
        [
            checks.Check("python", "ok", "3.11"),
            checks.Check("voices", "warning", "none\x1b[2J", "make voices"),
            checks.Check("cache", "problem", "cannot be written", "set CACHE_DIR"),
        ]
    )
    assert text[0] == "+ python  3.11"
    assert text[1:3] == ["~ voices  none�[2J", "          -> make voices"]
    assert text[-1] == "1 problems, 1 warnings."


def test_packages_that_are_missing_are_named(monkeypatch):
    declared = ["rich>=15", "no-such-package>=1", 'nothing-like-it==1; extra == "models"']
    monkeypatch.setattr(checks.metadata, "requires", lambda name: declared)
    found = {check.name: check for check in checks.package_checks()}
    assert found["packages"].verdict == "problem"
    assert found["packages"].found == "missing: no-such-package"
    assert "pip install" in found["packages"].command
    assert found["embedded models"].verdict == "warning"
    assert found["espeak and phonemes (GPL-3)"].verdict == "ok"


def test_models_that_are_missing_are_named_with_their_command(settings, monkeypatch):
    from speech_translator.engines import catalog

    monkeypatch.setattr(
        catalog, "installed", lambda card, _: card.engine not in {"whisper", "kokoro"}
    )
    found = {check.name: check for check in checks.model_checks(settings)}
    assert found["whisper-base"].verdict == "problem"
    assert found["whisper-base"].command.startswith("pip install")
    assert found[checks.VOICES].verdict == "warning"
    assert found["bergamot-en-pt"].verdict == "ok"
    assert "whisper-large-v3" not in found  # none of those that nobody selected


def test_a_translator_that_is_left_out_is_missing_too(settings, monkeypatch):
    from speech_translator.engines import apertium_modes

    monkeypatch.setattr(apertium_modes, "available", lambda: False)
    found = {check.name: check for check in checks.model_checks(settings)}
    assert (found["apertium"].verdict, found["apertium"].command) == ("warning", "make apertium")
    without = settings.model_copy(update={"translators": ("bergamot",)})
    assert "apertium" not in {check.name for check in checks.model_checks(without)}


def test_npm_matters_only_while_voices_are_missing(monkeypatch):
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    assert checks.npm_check(voices_installed=True).verdict == "ok"
    assert checks.npm_check(voices_installed=False).verdict == "warning"


def test_little_memory_is_a_warning():
    gib = 1024**3
    assert checks.memory_check(Memory(8 * gib, 4 * gib)).verdict == "ok"
    assert checks.memory_check(Memory(8 * gib, gib // 2)).verdict == "warning"
    assert checks.memory_check(None).verdict == "warning"
