"""Pulling models from a hub whose network misbehaves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

from speech_translator.engines import catalog, hub, pulled
from speech_translator.engines.catalog import HubFile, HubSource, ModelCard
from speech_translator.engines.hub_transfer import RETRIES
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing
from tests.support.hub_server import Hub, hub_server

WEIGHTS = bytes(range(256)) * 2_000
CONFIG = b'{"layers": 2}'
NAMES = ("config.json", "model.bin", "tokens/source.spm")
CONTENT = {"config.json": CONFIG, "model.bin": WEIGHTS, "tokens/source.spm": WEIGHTS[:5_000]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    home = tmp_path / "repository"
    (home / "tokens").mkdir(parents=True)
    for name, content in CONTENT.items():
        (home / name).write_bytes(content)
    return home


@pytest.fixture
def server(repository: Path) -> Iterator[Hub]:
    with hub_server() as running:
        running.add("owner/name", repository)
        yield running


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def card(*files: HubFile, repository: str = "owner/name", revision: str | None = None) -> ModelCard:
    found = files or tuple(HubFile(name) for name in NAMES)
    return replace(
        catalog.card("hibari-heart"),
        id="test-model",
        name="Test model",
        files=(),
        hub=HubSource(repository, revision, found),
    )


class Pauses(list[float]):
    """Stands in for ``time.sleep`` and notes what it was asked for."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def pull(server: Hub, models: Path, wanted: ModelCard | None = None) -> Pauses:
    pauses = Pauses()
    hub.pull(wanted or card(), models, endpoint=server.url, sleep=pauses)
    return pauses


def content(models: Path) -> dict[str, bytes]:
    home = models / "test-model"
    return {name: (home / name).read_bytes() for name in NAMES}


def test_files_keep_their_names_and_the_record_says_what_came(server: Hub, models: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = hub.pull(
        card(), models, progress=lambda *figures: seen.append(figures), endpoint=server.url
    )
    assert content(models) == CONTENT
    commit = server.repositories["owner/name"].commit
    assert json.loads((models / "test-model" / "pulled.json").read_bytes()) == {
        "id": "test-model",
        "repository": "owner/name",
        "commit": commit,
        "files": [
            {
                "name": name,
                "size": len(CONTENT[name]),
                "sha256": hashlib.sha256(CONTENT[name]).hexdigest(),
            }
            for name in NAMES
        ],
    }
    assert pulled.record(card(), models) == found
    assert catalog.installed(card(), models)
    catalog.verify(card(), models)
    total = sum(map(len, CONTENT.values()))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    # One commit for all: the first answer names it, the others are asked for by it.
    assert server.paths("GET")[0] == f"/owner/name/resolve/{commit}/config.json"
    assert server.paths("HEAD")[1] == f"/owner/name/resolve/{commit}/model.bin"
    assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
    for _, _, headers in server.requests:  # nothing is said of this machine's other packages
        parts = {part.partition("/")[0] for part in headers["user-agent"].split("; ")}
        assert parts == {"speech-translator", "hf_hub", "python"}
    server.requests.clear()
    assert hub.pull(card(), models, endpoint=server.url) == found
    assert server.requests == []  # nothing is asked for what is whole


@pytest.mark.parametrize("reset", [False, True])
def test_a_pull_goes_on_after_each_of_many_cuts(server: Hub, models: Path, *, reset: bool) -> None:
    for _ in range(RETRIES + 3):
        server.cut("model.bin", after=50_000, reset=reset)
    pauses = pull(server, models)
    assert content(models) == CONTENT
    assert len(pauses) >= RETRIES + 3
    if not reset:  # what a reset throws away in flight is sent again
        assert server.sent["model.bin"] == len(WEIGHTS)
        assert set(pauses) == {0.5}  # each time bytes came, the patience starts anew


def test_what_came_is_kept_for_the_next_pull(server: Hub, models: Path) -> None:
    server.cut("model.bin", after=100_000)
    for _ in range(RETRIES + 1):
        server.cut("model.bin", after=0)
    with pytest.raises(ModelMissing, match="speech-translator models pull test-model"):
        pull(server, models)
    assert server.sent["model.bin"] == 100_000
    assert not catalog.installed(card(), models)
    assert not (models / "test-model").exists()
    pull(server, models)
    assert content(models) == CONTENT
    assert server.sent["model.bin"] == len(WEIGHTS)


def test_what_came_of_another_file_is_not_gone_on_with(
    server: Hub, models: Path, repository: Path
) -> None:
    server.cut("model.bin", after=100_000)
    server.fail("model.bin", 404, skip=2)  # described, begun, then gone
    with pytest.raises(ModelMissing):
        pull(server, models)
    (repository / "model.bin").write_bytes(WEIGHTS[::-1])
    server.add("owner/name", repository)
    pull(server, models)
    assert content(models) == {**CONTENT, "model.bin": WEIGHTS[::-1]}
    assert {path.name for path in (models / "test-model").rglob("*") if path.is_file()} == {
        *("config.json", "model.bin", "source.spm", "pulled.json")
    }


def test_a_file_that_the_catalog_names_since_then_is_added(server: Hub, models: Path) -> None:
    pull(server, models, card(HubFile("config.json"), HubFile("model.bin")))
    assert not catalog.installed(card(), models)
    pull(server, models)
    assert content(models) == CONTENT
    assert server.sent["model.bin"] == len(WEIGHTS)


def test_patience_grows_and_ends(server: Hub, models: Path) -> None:
    server.fail("config.json", 503, times=99)
    pauses = Pauses()
    with pytest.raises(ModelMissing, match="503"):
        hub.pull(card(), models, endpoint=server.url, sleep=pauses)
    assert pauses == [1, 2, 4, 8, 16]


def test_a_busy_hub_is_asked_again_when_it_says(server: Hub, models: Path) -> None:
    server.fail("config.json", 429, Retry_After="7")
    server.fail("config.json", 500)
    server.fail("model.bin", 429, Retry_After="86400")
    assert pull(server, models) == [7, 2, 30]  # a day is more than anyone waits
    assert content(models) == CONTENT


def test_a_server_that_sends_no_parts_starts_over(server: Hub, models: Path) -> None:
    server.ranges = False
    server.cut("model.bin", after=50_000)
    assert pull(server, models) == [0.5]
    assert content(models) == CONTENT
    assert server.sent["model.bin"] == 50_000 + len(WEIGHTS)


def test_an_end_that_looks_like_the_file_s_is_told_by_the_length(server: Hub, models: Path) -> None:
    server.lengths = False
    server.cut("model.bin", after=50_000)
    assert pull(server, models) == [0.5]
    assert content(models) == CONTENT
    assert server.sent["model.bin"] == len(WEIGHTS)


@pytest.mark.parametrize("name", NAMES)
def test_other_bytes_are_thrown_away(server: Hub, models: Path, name: str) -> None:
    server.damaged.add(name)
    with pytest.raises(ModelDamaged, match=r"thrown away.*models pull test-model"):
        pull(server, models)
    assert not catalog.installed(card(), models)
    server.damaged.clear()
    pull(server, models)
    assert content(models) == CONTENT
    assert server.sent[name] == 2 * len(CONTENT[name])


def test_a_file_that_is_not_the_catalog_s_is_not_even_fetched(server: Hub, models: Path) -> None:
    for pinned in (HubFile("model.bin", sha256="0" * 64), HubFile("model.bin", size=7)):
        with pytest.raises(ModelDamaged, match="catalog"):
            pull(server, models, card(pinned))
    assert server.sent["model.bin"] == 0


def test_a_small_file_is_compared_with_the_catalog_once_it_came(server: Hub, models: Path) -> None:
    with pytest.raises(ModelDamaged, match="catalog names"):
        pull(server, models, card(HubFile("config.json", sha256="0" * 64)))
    right = HubFile("config.json", len(CONFIG), hashlib.sha256(CONFIG).hexdigest())
    pull(server, models, card(right))
    assert catalog.installed(card(right), models)


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (card(repository="owner/absent"), "no owner/absent"),
        (card(HubFile("absent.bin")), "catalog names any more"),
        (card(revision="0" * 40), "catalog names any more"),
    ],
)
def test_what_the_hub_does_not_have_is_told_at_once(
    server: Hub, models: Path, wanted: ModelCard, complaint: str
) -> None:
    with pytest.raises(ModelMissing, match=complaint):
        pull(server, models, wanted)
    assert len(server.requests) == 1


def test_a_token_is_shown_to_the_hub_alone(
    server: Hub, models: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("owner/name", repository, token="hf_secret")
    with pytest.raises(ModelMissing, match="HF_TOKEN"):
        pull(server, models)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(server, models)
    assert content(models) == CONTENT
    elsewhere = [headers for _, path, headers in server.requests if path.startswith("/content/")]
    assert elsewhere
    assert not any("authorization" in headers for headers in elsewhere)


def test_what_is_no_hub_is_told_plainly(server: Hub, models: Path) -> None:
    server.names_commits = False
    with pytest.raises(ConfigurationError, match="HF_ENDPOINT"):
        pull(server, models)
    with pytest.raises(ConfigurationError, match="HF_ENDPOINT"):
        hub.pull(card(), models, endpoint="huggingface.example")


def test_a_second_pull_of_the_same_model_is_refused_and_harms_nothing(
    server: Hub, models: Path
) -> None:
    server.gate = threading.Event()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(pull, server, models)
        while not server.paths("GET"):
            time.sleep(0.01)
        with pytest.raises(ConfigurationError, match="Another process"):
            pull(server, models)
        with pytest.raises(ModelMissing):
            hub.remove(replace(card(), id="other"), models)
        server.gate.set()
        first.result(30)
    assert content(models) == CONTENT


def test_a_full_disk_is_told_before_anything_is_fetched(
    server: Hub, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(models.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=3 * 1024 * 1024))
    with pytest.raises(ConfigurationError, match=r"needs 65 MiB more.*3 MiB are free.*CACHE_DIR"):
        pull(server, models)
    assert not server.sent


def test_a_directory_that_cannot_be_written_is_told_plainly(server: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="CACHE_DIR"):
        pull(server, tmp_path / "file" / "models")


def test_damage_on_disk_is_found_and_only_that_file_is_fetched_again(
    server: Hub, models: Path
) -> None:
    pull(server, models)
    tokens = models / "test-model" / "tokens" / "source.spm"
    tokens.write_bytes(bytes(len(CONTENT["tokens/source.spm"])))
    assert catalog.installed(card(), models)  # cheap: by size
    with pytest.raises(ModelDamaged, match=r"source.spm .*models pull test-model"):
        catalog.verify(card(), models)
    pull(server, models)
    assert content(models) == CONTENT
    assert server.sent["model.bin"] == len(WEIGHTS)
    tokens.write_bytes(b"cut")
    assert not catalog.installed(card(), models)
    with pytest.raises(ModelMissing):
        catalog.verify(card(), models)


def test_another_commit_of_the_catalog_takes_the_place_of_the_old_one(
    server: Hub, models: Path, repository: Path
) -> None:
    pull(server, models)
    (repository / "model.bin").write_bytes(WEIGHTS[::-1])
    commit = server.add("owner/name", repository)
    pull(server, models, card(revision=commit))
    found = pulled.record(card(), models)
    assert found is not None
    assert found.commit == commit
    assert content(models) == {**CONTENT, "model.bin": WEIGHTS[::-1]}
    assert server.sent["tokens/source.spm"] == len(CONTENT["tokens/source.spm"])
    assert [path.name for path in models.iterdir() if path.is_dir()] == ["test-model"]


def test_a_pulled_model_is_removed_and_an_embedded_one_is_not(server: Hub, models: Path) -> None:
    pull(server, models)
    hub.remove(card(), models)
    assert not catalog.installed(card(), models)
    assert [path for path in models.iterdir() if path.is_dir()] == []
    with pytest.raises(ModelMissing):
        hub.remove(card(), models)
    with pytest.raises(ConfigurationError, match="pip install"):
        hub.remove(catalog.card("hibari-heart"), models)


PULL = """
import sys
from pathlib import Path
from tests.integration.test_hub import card
from speech_translator.engines import hub
from speech_translator.errors import ConfigurationError
try:
    hub.pull(card(), Path(sys.argv[1]))
except ConfigurationError as error:
    sys.exit(error.message)
"""


def process(models: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PULL, models],
        env={**os.environ, **environment},
        cwd=Path(__file__).parent.parent.parent,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_environment_names_the_hub_and_may_forbid_it(server: Hub, models: Path) -> None:
    with process(models, HF_ENDPOINT=server.url, HF_HUB_OFFLINE="1") as offline:
        _, said = offline.communicate(timeout=60)
    assert offline.returncode == 1
    assert "HF_HUB_OFFLINE" in said
    assert server.requests == []
    with process(models, HF_ENDPOINT=server.url) as online:
        assert online.wait(60) == 0
    assert content(models) == CONTENT


def test_a_killed_pull_leaves_no_model_and_no_lock(server: Hub, models: Path) -> None:
    server.gate = threading.Event()
    with process(models, HF_ENDPOINT=server.url) as killed:
        while not server.paths("GET"):
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
    server.gate.set()
    assert not catalog.installed(card(), models)
    pull(server, models)
    assert content(models) == CONTENT


def command(models: Path, server: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``speech-translator models``, with ``models`` as its directory."""
    return subprocess.run(
        [sys.executable, "-m", "speech_translator.cli", "models", *arguments],
        env={**os.environ, "HF_ENDPOINT": server.url, "CACHE_DIR": str(models.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_commands_pull_list_verify_and_remove(
    server: Hub, models: Path, tmp_path: Path
) -> None:
    found = catalog.card("opus-mt-de-en")
    assert found.hub is not None
    repository = tmp_path / "opus"
    repository.mkdir()
    for file in found.hub.files:
        (repository / file.name).write_bytes(file.name.encode() * 200)
    commit = server.add(found.hub.repository, repository)
    server.cut("model.bin", after=700)

    pulled_now = command(models, server, "pull", found.id)
    assert pulled_now.stdout == f"opus-mt-de-en: whole, commit {commit}\n"
    assert (pulled_now.returncode, pulled_now.stderr) == (0, "")

    listed = {
        card["id"]: card for card in json.loads(command(models, server, "list", "--json").stdout)
    }
    assert listed[found.id]["installed"]
    assert listed[found.id]["revision"] == commit
    assert listed[found.id]["sha256"] == hashlib.sha256(b"model.bin" * 200).hexdigest()
    assert listed[found.id]["size_bytes"] == sum(200 * len(file.name) for file in found.hub.files)
    assert not listed["opus-mt-en-de"]["installed"]

    assert command(models, server, "verify", found.id).stdout == "opus-mt-de-en: whole\n"
    (models / found.id / "model.bin").write_bytes(b"model.bax" * 200)
    damaged = command(models, server, "verify", found.id)
    assert damaged.returncode == 5
    assert "models pull opus-mt-de-en" in damaged.stderr
    both = command(models, server, "pull", found.id, "whisper-tiny")
    assert both.returncode == 1  # one of two failed
    assert both.stdout.startswith("opus-mt-de-en: whole")
    assert "whisper-tiny: The hub has no Systran/faster-whisper-tiny" in both.stderr
    assert command(models, server, "verify", found.id).returncode == 0
    assert command(models, server, "remove", found.id, "--yes").returncode == 0
    assert not catalog.installed(found, models)


def test_an_interrupted_pull_is_gone_on_with(server: Hub, models: Path) -> None:
    server.gate = threading.Event()
    with process(models, HF_ENDPOINT=server.url) as interrupted:
        while not server.paths("GET"):
            time.sleep(0.05)
        interrupted.send_signal(signal.SIGINT)
    server.gate.set()
    assert not (models / "test-model").exists()
    pull(server, models)
    assert content(models) == CONTENT
