"""schemathesis over the OpenAPI document of the running service: every phase, every check.

The service is a process of its own, as production is: nobody gets in without a key. It is asked
with a key of the largest tier for sale, and with an administrator's.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.schema_service import WIDE
from tests.support.server import ROOT, Server, start_server

ROUND_S = 240
"""Longest time for one round."""

ROUNDS = 60
CLOSES = "DELETE /auth/token"
OPERATIONS = 25
"""About how many there are: the fuzzing phase takes its share of the cases for each."""

CONFIG = """
seed = {seed}
color = false
hooks = "tests.support.schema_hooks"
continue-on-failure = true
warnings = false

[cache]
enabled = false

[reports.ndjson]
path = "{events}"

[generation]
database = "none"
with-security-parameters = {invented}
max-examples = {examples}

[checks.not_a_server_error]  # `no_server_error` of our hooks is stricter where it matters
enabled = false

# What is sent as text, as a language or as a recording may be refused for what it is.
[[operations]]
include-path-regex = "^/(translate|transcribe)/"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "413", "415", "422", "504"]

[operations.parameters]
"header.X-Request-Timeout" = {{ dictionary = "timeouts", probability = 0.7 }}
"body.source_language" = {{ dictionary = "languages", probability = 0.7 }}
"body.target_language" = {{ dictionary = "languages", probability = 0.7 }}
"body.text" = {{ dictionary = "texts", probability = 0.4 }}

# LibreTranslate's statuses are 400 for all that must change; its key may be in the body.
[[operations]]
include-path-regex = "^/(translate|detect)$"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "413", "429", "504"]

[operations.parameters]
"body.q" = {{ dictionary = "texts", probability = 0.5 }}
"body.source" = {{ dictionary = "languages", probability = 0.7 }}
"body.target" = {{ dictionary = "languages", probability = 0.7 }}

# OpenAI's statuses are 400 for all that must change, a language that cannot be reached among it.
[[operations]]
include-path-regex = "^/v1/"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "413", "415", "429"]

[operations.parameters]
"body.session.audio.output.language" = {{ dictionary = "languages", probability = 0.7 }}

# Nothing in a schema says that one day must not come after another.
[[operations]]
include-path = "/admin/usage"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "422"]

[dictionaries.timeouts]
values = [20, 60]

[dictionaries.languages]
values = ["en", "pt", "eng_Latn", "pt-BR"]

[dictionaries.texts]
values = ["Hello there", "Good morning, my friend.", "<b>Hello</b> {{7*7}}", "' OR 1=1 --"]
"""


@dataclass
class SchemaReport:
    """What came out. ``failures`` must stay empty; ``unanswered`` never gave a 2xx."""

    cases: int = 0
    rounds: int = 0
    seconds: float = 0.0
    operations: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)


def fuzz(count: int, *, seed: int = 1) -> SchemaReport:
    """At least ``count`` cases, in rounds with each credential; further seeds until there are.

    Raises:
        RuntimeError: schemathesis did not run to its end.
        TimeoutError: the rounds were not enough.
    """
    report = SchemaReport()
    begin = time.perf_counter()
    answered: set[str] = set()
    with tempfile.TemporaryDirectory() as name, _service(Path(name)) as (server, credentials, kept):
        with server.client() as client:
            document = client.get("/openapi.json").json()
        labels = {
            f"{method.upper()} {path}"
            for path, operations in document["paths"].items()
            for method in operations
        }
        report.operations = len(labels)
        while report.cases < count or report.rounds < len(credentials):
            if report.rounds == ROUNDS:
                raise TimeoutError(f"{report.cases} cases after {ROUNDS} rounds")
            credential = credentials[report.rounds % len(credentials)]
            config = CONFIG.format(
                seed=seed + report.rounds // len(credentials),
                events=Path(name) / "events",
                examples=max(5, count // len(credentials) // OPERATIONS),
                # Beside a token, an invented key would be the one that counts.
                invented=str(credential.name != "Authorization").lower(),
            )
            (Path(name) / "config.toml").write_text(config)
            _round(server, credential, Path(name), kept)
            _count(report, answered, Path(name) / "events")
            report.rounds += 1
    report.unanswered = sorted(labels - answered)
    report.seconds = round(time.perf_counter() - begin, 1)
    return report


@dataclass(frozen=True)
class _Credential:
    """A header, and the scopes that it opens."""

    name: str
    value: str
    scopes: str


@contextmanager
def _service(folder: Path) -> Iterator[tuple[Server, tuple[_Credential, ...], str]]:
    """The service as in production, its credentials, and the ids that must outlive the run."""
    limits = "requests_per_minute requests_per_day characters_per_minute characters_per_month"
    tiers = "\n".join(f"{name} = {WIDE}" for name in (*limits.split(), "audio_minutes_per_month"))
    (folder / "tiers.toml").write_text(f"[enterprise]\n{tiers}\n")
    environment = {
        "ENVIRONMENT": "production",
        "SECRET_PEPPER": secrets.token_hex(32),
        "DATA_DIR": str(folder / "data"),
        "TIERS_FILE": str(folder / "tiers.toml"),
    }
    command = [sys.executable, "-m", "speech_translator.cli", "keys", "create", "root"]
    made = subprocess.run(
        [*command, "--tier", "admin", "--scope", "admin"],
        env={**os.environ, **environment},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    service = ("-m", "tests.support.schema_service")
    with start_server(environment, keyed=False, arguments=service) as server:
        server.headers = {"X-API-Key": made.stdout.strip()}
        with server.client() as client:
            asked = {"user_id": "customer", "tier": "enterprise"}
            answer = client.post("/auth/api-key", json=asked)
            key = answer.json()["api_key"]
            listed = client.get("/auth/api-keys").json()["keys"]
            asked = {"scopes": ["translate"]}
            token = client.post("/auth/token", json=asked, headers={"X-API-Key": key}).json()
        credentials = (
            _Credential("X-API-Key", key, "translate transcribe speech stream"),
            _Credential("X-API-Key", made.stdout.strip(), "admin"),
            _Credential("Authorization", f"Bearer {token['access_token']}", "translate"),
        )
        yield server, credentials, " ".join(["root", "customer", *(k["key_id"] for k in listed)])


def _round(server: Server, credential: _Credential, folder: Path, kept: str) -> None:
    """One run of its command; its events are left in the folder."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "config.toml", "run"]
    header = f"{credential.name}: {credential.value}"
    known = {"KEPT_IDS": kept, "HELD_SCOPES": credential.scopes}
    # A token that closed itself would leave nothing to ask with.
    left_out = [f"--exclude-name={CLOSES}"] if credential.name == "Authorization" else []
    done = subprocess.run(
        [*command, f"{server.url}/openapi.json", f"--header={header}", *left_out],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "*", **known},
        check=False,
        capture_output=True,
        text=True,
        timeout=ROUND_S,
    )
    if done.returncode not in {0, 1}:  # 1: a check failed, which the events tell
        raise RuntimeError(f"schemathesis ended with {done.returncode}: {done.stdout[-4000:]}")


def _count(report: SchemaReport, answered: set[str], events: Path) -> None:
    """Add one round's events.

    Raises:
        RuntimeError: it did not come to its end, or something other than a check failed.
    """
    stopped = "nothing"
    for line in events.read_text(encoding="utf-8").splitlines():
        ((kind, event),) = json.loads(line).items()
        if kind == "EngineFinished":
            stopped = event["stop_reason"]
        elif kind in {"NonFatalError", "FatalError"}:
            raise RuntimeError(f"schemathesis failed: {line[:4000]}")
        elif kind == "ScenarioFinished":
            _scenario(report, answered, event)
    if stopped != "completed":
        raise RuntimeError(f"schemathesis did not come to its end: {stopped}")


def _scenario(report: SchemaReport, answered: set[str], event: dict[str, Any]) -> None:
    recorder = event["recorder"]
    cases = recorder.get("cases", {})
    report.cases += len(cases)
    _add(report.phases, event["phase"], len(cases))
    for name, interaction in recorder.get("interactions", {}).items():
        response = interaction.get("response")
        status = str(response["status_code"]) if response else "none"
        _add(report.statuses, status)
        if status.startswith("2"):
            value = cases[name]["value"]
            answered.add(f"{value['method']} {value['path']}")
    for name, checks in recorder.get("checks", {}).items():
        for check in checks:
            _add(report.checks, check["name"])
            if check["status"] == "failure":
                report.failures.append(_told(check, cases[name]["value"], recorder, name))


def _add(counts: dict[str, int], name: str, count: int = 1) -> None:
    counts[name] = counts.get(name, 0) + count


def _told(check: dict[str, Any], case: dict[str, Any], recorder: dict[str, Any], name: str) -> str:
    """A failure in a line: the check, what was sent, and what came."""
    failure = check.get("failure_info", {}).get("failure", {})
    response = recorder["interactions"][name].get("response") or {}
    body = b64decode(response.get("content", {}).get("$base64", "")).decode(errors="replace")
    sent = {key: case.get(key) for key in ("path_parameters", "query", "headers", "body")}
    return (
        f"{check['name']}: {case['method']} {case['path']} {json.dumps(sent)[:600]} -> "
        f"{response.get('status_code')} {body[:300]} ({failure.get('message', '')[:300]})"
    )
