"""Apertium with its real server and the pairs that are installed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from speech_translator.engines.apertium import Apertium, load
from speech_translator.engines.apertium_sidecar import Sidecar, SidecarConfig
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import (
    ConfigurationError,
    EngineFailed,
    EngineUnavailable,
    ModelMissing,
)
from speech_translator.languages import Language
from tests.support.plans import run_plan
from tests.support.server import ROOT, Server, start_server
from tests.support.text_cases import cases, missing

SIX = ("en", "es", "ca", "fr", "pt", "it")


@pytest.fixture(scope="module")
def engine() -> Iterator[Apertium]:
    loaded = load({"threads": 2})
    yield loaded
    loaded.close()


def through(engine: Apertium, *languages: str) -> Callable[[str], str]:
    """Translation from each language into the next."""

    def translate(text: str) -> str:
        for source, target in itertools.pairwise(languages):
            text = engine.translate([TranslateCall(text, source, target)])[0]
        return text

    return translate


def pid_of(engine: Apertium) -> int:
    server = engine._server
    assert isinstance(server, Sidecar)
    assert server.pid is not None
    return server.pid


def living(group: int) -> list[psutil.Process]:
    """Processes of a group that still run; zombies do not."""
    found = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and os.getpgid(process.pid) == group:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


def running(group: int) -> str:
    """The command lines of a group."""
    lines = []
    for process in living(group):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            lines += process.cmdline()
    return " ".join(lines)


def wait_until_gone(group: int, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while living(group):
        assert time.monotonic() < until, living(group)
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("route", "text", "wanted"),
    [
        (("en", "es"), "The house is very big.", "La casa es muy grande."),
        (("en", "ca", "fr"), "Hello", "Salut"),
        (("en", "ca", "fr"), "Good morning.", "Bonjour."),
        (("en", "es", "fr"), "Good morning.", "Bonjour."),
        (("en", "ca", "fr"), "Thank you very much.", "Merci beaucoup."),
        (("es", "pt"), "Tengo un perro.", "Tenho um cão."),
        (("it", "ca", "fr"), "La porta è aperta.", "La porte est ouverte."),
        (("en", "es"), "HELLO WORLD", "HOLA MUNDO"),
        (("en", "es"), "*Hello* @anna, #tag!", "*Hola* @anna, #etiqueta!"),
    ],
)
def test_it_translates(engine: Apertium, route: tuple[str, ...], text: str, wanted: str) -> None:
    assert through(engine, *route)(text) == wanted


def test_its_pairs_join_six_languages_and_it_says_that_it_goes_by_rules(engine: Apertium) -> None:
    info = engine.describe()
    assert info.rule_based
    assert {("en", "es"), ("en", "ca"), ("ca", "fr"), ("es", "fr"), ("es", "pt"), ("es", "it")} <= (
        set(info.pairs)
    )


@pytest.mark.parametrize("route", [("en", "es"), ("en", "ca", "fr"), ("pt", "ca", "fr")])
def test_300_generated_cases_keep_all_that_is_protected(
    engine: Apertium, route: tuple[str, ...]
) -> None:
    translate = through(engine, *route)
    source = Language.parse(route[0])
    for case in cases(300, seed=2026):
        if case.source == route[0]:
            translation, asked = run_plan(
                case.text, translate, case.text_format, case.glossary, source
            )
            assert missing(case, translation) == [], (case.text, translation)
            assert len(asked) == 1, case.text  # no marker was lost on the way


def test_a_sidecar_that_was_killed_is_started_again(engine: Apertium) -> None:
    before = pid_of(engine)
    os.kill(before, signal.SIGKILL)
    assert through(engine, "en", "es")("Hello") == "Hola"
    assert pid_of(engine) != before
    wait_until_gone(before)


def test_nothing_is_left_when_the_engine_s_process_is_killed() -> None:
    program = (
        "from speech_translator.engines.apertium import load\n"
        "from speech_translator.engines.values import TranslateCall\n"
        "engine = load({'threads': 1})\n"
        "engine.translate([TranslateCall('Hello', 'en', 'es')])\n"
        "print(engine._server.pid, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        pipelines = living(group)
        assert len(pipelines) > 2
        pipelines[-1].suspend()  # it does not see that its input ends
        process.kill()
    wait_until_gone(group)


def test_the_sidecar_listens_on_loopback_only_and_sees_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MASTER_KEY", "a secret")
    sidecar = Sidecar(SidecarConfig())
    try:
        sidecar.client()
        assert sidecar.pid is not None
        process = psutil.Process(sidecar.pid)
        listening = [one.laddr.ip for one in process.net_connections("inet")]
        assert listening
        assert set(listening) == {"127.0.0.1"}
        assert "MASTER_KEY" not in process.environ()
    finally:
        sidecar.close()


def test_pipelines_beyond_the_budget_end() -> None:
    engine = load({"threads": 1, "memory_mb": 1})
    try:
        for target in ("es", "ca", "es", "ca"):
            assert through(engine, "en", target)("Hello") == "Hola"
        until = time.monotonic() + 20
        while "eng-spa.automorf" in (programs := running(pid_of(engine))):
            assert time.monotonic() < until, "the pipeline that was used before still runs"
            time.sleep(0.02)
        assert "eng-cat.automorf" in programs
    finally:
        engine.close()


def test_a_pair_whose_data_is_not_there_is_not_offered(tmp_path: Path) -> None:
    modes = tmp_path / "modes"
    modes.mkdir()
    (modes / "eng-spa.mode").write_text(Path("/usr/share/apertium/modes/eng-spa.mode").read_text())
    (modes / "eng-fra.mode").write_text("lt-proc '/nowhere/eng-fra.bin'")
    (modes / "eng-ita.mode").write_text("no-such-program")
    engine = load({"threads": 1, "modes": str(modes)})
    try:
        assert engine.describe().pairs == (("en", "es"),)
    finally:
        engine.close()
    with pytest.raises(ModelMissing, match="make apertium"):
        load({"modes": str(tmp_path / "none")})


def test_a_pipeline_that_hangs_is_given_up_and_the_next_one_answers(tmp_path: Path) -> None:
    modes, program = tmp_path / "modes", tmp_path / "slow"
    modes.mkdir()
    program.write_text(f"#!/bin/sh\ntest -e {tmp_path}/cured || exec sleep 600\nexec cat\n")
    program.chmod(0o755)
    (modes / "eng-spa.mode").write_text(str(program))
    engine = load({"threads": 1, "modes": str(modes), "call_timeout_s": 2})
    try:
        with pytest.raises(EngineFailed):
            through(engine, "en", "es")("Hello")
        (tmp_path / "cured").touch()
        assert through(engine, "en", "es")("Hello") == "Hello"
        assert not [one for one in living(pid_of(engine)) if one.name() == "sleep"]
    finally:
        engine.close()


def test_a_server_elsewhere_is_used(engine: Apertium) -> None:
    client = engine._server.client()
    elsewhere = load({"threads": 1, "url": f"http://127.0.0.1:{client._port}"})
    assert elsewhere.describe() == load({"url": f"http://127.0.0.1:{client._port}/"}).describe()
    assert through(elsewhere, "en", "es")("Hello") == "Hola"
    elsewhere.close()
    assert through(elsewhere, "en", "es")("Hello") == "Hola"


def test_a_server_elsewhere_that_does_not_answer_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(EngineUnavailable):
        load({"url": f"http://127.0.0.1:{port}"})
    for wrong in ("ftp://127.0.0.1", "127.0.0.1:2737", "http://[", "http://host:port"):
        with pytest.raises(ConfigurationError, match="APERTIUM_URL"):
            load({"url": wrong})


def test_a_server_elsewhere_that_talks_nonsense_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EngineUnavailable):
            load({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        thread.join(10)


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    """Text only: the embedded translator and Apertium."""
    environment = {
        "TRANSLATORS": '["bergamot", "apertium"]',
        "TRANSCRIBERS": "[]",
        "SYNTHESIZERS": "[]",
        "LIVE_SYNTHESIZERS": "[]",
    }
    with start_server(environment) as started:
        yield started


@pytest.mark.timeout(900)
def test_every_direction_that_languages_names_is_translated(service: Server) -> None:
    with service.client() as client:
        entries = [entry for entry in client.get("/languages").json() if entry["targets"]]
        directions = {
            (entry["code"], target): entry["routes"][target]
            for entry in entries
            for target in entry["targets"]
        }
        assert {(a, b) for a in SIX for b in SIX if a != b} <= set(directions)
        assert directions["en", "fr"] == ["apertium:en-ca", "apertium:ca-fr"]
        by_rules = {(e["code"], target) for e in entries for target in e["rule_based"]}
        assert set(directions) - by_rules == {("en", "pt"), ("pt", "en")}
        # Those that share a pipeline stand together: a pipeline's start takes up to 4 s.
        for (source, target), route in sorted(directions.items(), key=lambda found: found[1]):
            body = {"text": "Internet 2024", "source_language": source, "target_language": target}
            answer = client.post("/translate/text", json=body)
            assert answer.status_code == 200, (source, target, answer.text)
            assert answer.json()["route"] == route
            assert "2024" in answer.json()["translation"]


def test_hello_in_the_codes_of_flores(service: Server) -> None:
    with service.client() as client:
        body = {"text": "Hello", "source_language": "en", "target_language": "fra_Latn"}
        assert client.post("/translate/text", json=body).json()["translation"] == "Salut"
