"""``translate``: arguments, pipes, lines that fail, exit codes."""

import json
from dataclasses import replace

import pytest

from speech_translator.errors import EngineFailed
from tests.support.cli import CommandLine
from tests.support.scripted_broker import translator


@pytest.fixture
def cli():
    return CommandLine()


def test_texts_are_translated_a_line_each(cli):
    done = cli("translate", "--from", "en", "--to", "pt", "Good morning.", "Good night.")
    assert done.exit_code == 0
    assert done.stdout == "pt:Good morning.\npt:Good night.\n"
    assert done.stderr == ""


def test_only_the_engines_for_text_are_started(cli):
    cli("translate", "--to", "pt", "--from", "en", "Hello.")
    assert cli.opened == [(["translation"], False)]


@pytest.mark.parametrize("named", [[], ["-"]])
def test_a_pipe_keeps_its_lines_and_their_ends(cli, named):
    done = cli("translate", "-f", "en", "-t", "pt", *named, stdin=b"One.\r\n\n   \nTwo.")
    assert done.stdout_bytes == b"pt:One.\r\n\n   \npt:Two."
    assert done.exit_code == 0


def test_html_is_one_document(cli):
    page = b"<p>One.</p>\n<p>Two.</p>\n"
    done = cli("translate", "-f", "en", "-t", "pt", "--format", "html", stdin=page)
    assert done.stdout == "<p>pt:One.</p>\n<p>pt:Two.</p>\n"


def test_the_language_is_detected_line_by_line(cli):
    text = b"The weather in the mountains is very nice today.\nOk\n"
    done = cli("translate", "--to", "pt", stdin=text)
    assert done.stdout.splitlines() == [
        "pt:The weather in the mountains is very nice today.",
        "pt:Ok",  # too short to tell: as the line before
    ]
    assert done.exit_code == 0


def test_json_says_how_each_line_was_translated(cli):
    done = cli("translate", "-f", "eng_Latn", "-t", "pt-BR", "--json", "Hello.", "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["translation"] == "pt:Hello."
    assert (first["source_language"], first["target_language"]) == ("en", "pt-BR")
    assert first["route"] == ["bergamot:en-pt"]
    assert second == {"translation": ""}


def test_a_line_that_fails_stays_in_its_place(cli):
    done = cli("translate", "-f", "en", "-t", "pt", stdin=b"One.\nTw\xffo.\nThree.\n")
    assert done.stdout_bytes == b"pt:One.\nTw\xffo.\npt:Three.\n"
    assert "Line 2: The text is not UTF-8." in done.stderr
    assert done.exit_code == 1


def test_a_line_that_fails_is_an_error_in_json(cli):
    done = cli("translate", "-f", "en", "-t", "pt", "--json", stdin=b"\xff\nOne.\n")
    assert json.loads(done.stdout.splitlines()[0]) == {"error": {"code": "invalid_text"}}


def test_when_all_fail_the_code_says_why(cli):
    assert cli("translate", "-f", "en", "-t", "pt", stdin=b"\xff\n\xfe\n").exit_code == 3
    cli.engines = [translator("bergamot", "en-pt")]

    def fail(call):
        raise EngineFailed("It did not work.")

    cli.engines[0].answer = fail
    done = cli("translate", "-f", "en", "-t", "pt", "Hello.")
    assert done.exit_code == 4
    assert "It did not work." in done.stderr


def test_a_line_that_is_too_long_is_passed_on_whole_and_told_once(cli):
    cli.settings["max_text_chars"] = 100
    text = b"x" * 1_000_000 + b"\nShort.\n"
    done = cli("translate", "-f", "en", "-t", "pt", stdin=text)
    assert done.stdout == "x" * 1_000_000 + "\npt:Short.\n"
    assert done.stderr.count("longer than 100 characters") == 1
    done = cli("translate", "-f", "en", "-t", "pt", "--json", stdin=text)
    assert [json.loads(line).get("error") for line in done.stdout.splitlines()] == [
        {"code": "text_too_long"},
        None,
    ]


def test_a_page_that_is_too_long_is_refused_whole(cli):
    cli.settings["max_text_chars"] = 100
    page = b"<p>" + b"x" * 1000
    done = cli("translate", "-f", "en", "-t", "pt", "--format", "html", stdin=page)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "longer than 100 characters" in done.stderr


def test_a_lone_surrogate_is_refused(cli):
    done = cli("translate", "-f", "en", "-t", "pt", "a\udcffb")
    assert done.exit_code == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--to", "klingon", "x"], 3, "--to"),
        (["--to", "pt", "--from", "englsh", "x"], 3, "--from"),
        (["--from", "en", "--to", "fr", "x"], 3, "fr"),
        (["x"], 2, "--to"),
        (["--to", "pt", "--format", "odt", "x"], 2, "--format"),
        (["--to", "pt", "--glossary", "/no/such/file", "x"], 2, "glossary"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(cli, options, code, words):
    done = cli("translate", *options)
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout in {"", "x\n"}


def test_a_glossary_is_kept(cli, tmp_path):
    terms = tmp_path / "terms.json"
    terms.write_text('{"Hello": "Oi"}')
    done = cli("translate", "-f", "en", "-t", "pt", "--glossary", terms, "Hello world.")
    assert "Oi" in done.stdout


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', "{", "\udcff"])
def test_a_glossary_that_is_none_is_refused(cli, tmp_path, content):
    terms = tmp_path / "terms.json"
    terms.write_text(content, errors="surrogateescape")
    done = cli("translate", "-f", "en", "-t", "pt", "--glossary", terms, "Hello.")
    assert done.exit_code == 3
    assert "JSON object" in done.stderr


@pytest.mark.parametrize("content", ['{"": "x"}', "{" + " " * 1024 * 1024 + "}"])
def test_a_glossary_over_its_limits_is_refused(cli, tmp_path, content):
    terms = tmp_path / "terms.json"
    terms.write_text(content)
    done = cli("translate", "-f", "en", "-t", "pt", "--glossary", terms, "Hello.")
    assert done.exit_code == 3


@pytest.mark.parametrize(("state", "code"), [("missing", 5), ("failed", 4)])
def test_an_engine_that_is_not_there_is_told_before_the_work(cli, state, code):
    cli.engines = [translator("bergamot", "en-pt")]
    cli.engines[0].state = state
    done = cli("translate", "-f", "en", "-t", "pt", "Hello.")
    assert done.exit_code == code
    assert "No engine for translation could start." in done.stderr
    assert cli.engines[0].calls == []


def test_a_setting_that_is_wrong_names_its_variable(cli):
    cli.settings["port"] = "many"
    done = cli("translate", "-f", "en", "-t", "pt", "Hello.")
    assert done.exit_code == 5
    assert "PORT" in done.stderr
    assert "many" not in done.stderr


def test_thousands_of_lines_never_flood_an_engine(cli):
    waiting = most = 0
    engine = translator("bergamot", "en-pt")
    answer = engine.answer

    def count(call):
        nonlocal waiting, most
        waiting += 1
        most = max(most, len(engine.calls) - waiting + 1)
        return answer(call)

    cli.engines = [replace(engine, answer=count)]
    cli.engines[0].calls = engine.calls
    lines = "".join(f"Line {number}.\n" for number in range(3000))
    done = cli("translate", "-f", "en", "-t", "pt", stdin=lines.encode())
    assert done.stdout == "".join(f"pt:Line {number}.\n" for number in range(3000))
    assert most <= 64
