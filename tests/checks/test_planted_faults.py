"""Each part of ``make check`` passes on a sound tree and catches a planted fault."""

import itertools
import re
import subprocess
from secrets import token_hex

import pytest

from speech_translator.security.api_keys import generate
from tests.checks.conftest import ROOT


def test_make_check_runs_every_check():
    done = subprocess.run(
        ["make", "-C", ROOT, "-n", "check"], check=True, capture_output=True, text=True
    )
    for command in (
        "ruff check .",
        "ruff format --check .",
        "python -m mypy\n",
        "lint-imports",
        "bandit --quiet --recursive --configfile pyproject.toml speech_translator scripts\n",
        "scripts/locks.py check",
        "scripts/advisories.py check",
        "scripts/check_tree.py",
    ):
        assert command in done.stdout


def test_the_pipeline_runs_the_checks_and_the_tests():
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "set -euo pipefail" in steps
    assert steps[-2:] == ["make check", "make test"]


@pytest.mark.parametrize(
    "check", ["lint", "format-check", "types", "security", "locks", "advisories", "tree"]
)
def test_a_sound_tree_passes(small_tree, check):
    status, output = small_tree.make(check)
    assert status == 0, output


PLANTED = '''"""A module."""
'''


@pytest.mark.parametrize(
    ("check", "code", "word"),
    [
        ("lint", "import os\n", "F401"),
        (
            "lint",
            "def f(x: int) -> None:\n    try:\n        g(x)\n    except Exception:\n        pass\n",
            "BLE001",
        ),
        ("lint", "print('here')\n", "T201"),
        ("lint", "import os\n\nHOME = os.environ['HOME']\n", "TID251"),
        ("format-check", "x = { 'a':1 }\n", "planted.py"),
        ("types", 'LIMIT: int = "ten"\n', "Incompatible types in assignment"),
        ("types", "def f(x):\n    return x\n", "no-untyped-def"),
        (
            "types",
            "import numpy\n\n\ndef f() -> str:\n    return numpy.float32(1)\n",
            "return-value",
        ),
    ],
)
def test_a_fault_in_a_module_is_caught(small_tree, check, code, word):
    small_tree.write("speech_translator/planted.py", PLANTED + code)
    status, output = small_tree.make(check)
    assert status != 0
    assert word in output


SHELL = "import subprocess\n\nsubprocess.run('ls ' + input(), shell=True)\n"
PICKLE = "import pickle\n\npickle.loads(input().encode())\n"


@pytest.mark.parametrize("name", ["speech_translator/planted.py", "scripts/planted.py"])
@pytest.mark.parametrize(
    ("code", "word"),
    [
        (SHELL, "B602"),
        (PICKLE, "B301"),
        ("import hashlib\n\nhashlib.md5(b'x')\n", "B324"),
        ("import yaml\n\nyaml.load(input())\n", "B506"),
        ("KEY_PASSWORD = 'hunter" + "2'\n", "B105"),
        ("x = cursor.execute('SELECT * FROM t WHERE a = ' + input())\n", "B608"),
    ],
)
def test_a_hole_is_caught(small_tree, name, code, word):
    small_tree.write(name, PLANTED + code)
    status, output = small_tree.make("security")
    assert status != 0
    assert word in output
    assert name in output


def test_a_type_error_in_a_script_is_caught(small_tree):
    small_tree.write("scripts/planted.py", PLANTED + 'LIMIT: int = "ten"\n')
    status, output = small_tree.make("types")
    assert status != 0
    assert "scripts/planted.py" in output


def test_the_imports_of_the_product_point_one_way(whole_tree):
    status, output = whole_tree.make("imports")
    assert status == 0, output


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("media/planted.py", "from speech_translator.api import app", "dependencies point one way"),
        (
            "exports/planted.py",
            "from speech_translator.api import app",
            "dependencies point one way",
        ),
        (
            "reliability/planted.py",
            "from speech_translator import settings",
            "reliability imports nothing of ours but errors",
        ),
        ("streaming/planted.py", "import fastapi", "streaming knows no web framework"),
        (
            "security/planted.py",
            "from speech_translator import languages",
            "security knows nothing of engines or of translation",
        ),
        (
            "storage/planted.py",
            "from speech_translator import languages",
            "storage knows what it keeps, and nothing else of ours but errors",
        ),
    ],
)
def test_an_import_that_points_the_wrong_way_is_caught(whole_tree, module, line, contract):
    whole_tree.write(f"speech_translator/{module}", f"{PLANTED}\n{line}\n")
    status, output = whole_tree.make("imports")
    assert status != 0
    assert f"{contract} BROKEN" in output


PRODUCTION = "requirements-production.txt"


@pytest.mark.parametrize(
    ("name", "old", "new", "word"),
    [
        ("pyproject.toml", '"orjson>=3.11"', '"orjson>=3.11.1"', "does not match pyproject.toml"),
        ("pyproject.toml", '    "soxr>=1.1",\n', "", "does not match pyproject.toml"),
        (PRODUCTION, "numpy==2", "numpy==1", "is pinned to 1"),
        (PRODUCTION, "\nrich==", "\nricher==", "rich>=15 is not pinned"),
        (PRODUCTION, "\nrich==", "\n--index-url x\nrich==", "holds an address or a path"),
        (PRODUCTION, "\nrich==", "\n# found at /somewhere\nrich==", "holds an address or a path"),
        (PRODUCTION, "\nrich==", "\n# from https://host/simple\nrich==", "an address or a path"),
        (PRODUCTION, "\nrich==", "\ntorch==2.0 \\\nrich==", "torch is not wanted"),
        (PRODUCTION, "\nrich==", "\nnothing==1.0 \\\nrich==", "nothing has no hash"),
        (PRODUCTION, "\nrich==", "\nrich>=", "neither a pin nor a hash"),
        (
            "requirements-dev.txt",
            "\nrich==15",
            "\nrich==16",
            "of requirements-production.txt is not",
        ),
        ("requirements-bootstrap.txt", "\nuv==", "\nvu==", "uv>=0.13 is not pinned"),
    ],
)
def test_a_lock_that_does_not_fit_is_caught(small_tree, name, old, new, word):
    small_tree.replace(name, old, new)
    status, output = small_tree.make("locks")
    assert status != 0
    assert word in output


def pinned(name):
    """The line of a pin in the lock file, up to its version."""
    lines = (ROOT / PRODUCTION).read_text().splitlines()
    return next(line.removesuffix(" \\") for line in lines if re.match(rf"{name}(\[|==)", line))


@pytest.mark.parametrize(
    ("name", "version", "word"),
    [
        ("pyjwt", "2.3.0", "pyjwt==2.3.0: PYSEC-2022-202 (CVE-2022-29217"),
        ("starlette", "0.13.4", "starlette==0.13.4: PYSEC-2023-48"),
        ("sqlalchemy", "1.2.17", "sqlalchemy==1.2.17: PYSEC-2019-"),
    ],
)
def test_a_package_with_a_known_hole_is_caught(small_tree, name, version, word):
    pin = pinned(name)
    small_tree.replace(PRODUCTION, f"\n{pin}", f"\n{pin.partition('==')[0]}=={version}")
    status, output = small_tree.make("advisories")
    assert status != 0
    assert word in output


def test_a_hole_that_does_no_harm_is_let_through_with_a_reason(small_tree):
    pin = pinned("pyjwt")
    small_tree.replace(PRODUCTION, f"\n{pin}", f"\n{pin.partition('==')[0]}==2.3.0")
    reason = '\n[tool.advisories]\naccepted = { PYSEC-2022-202 = "algorithms are named" }\n'
    small_tree.replace("pyproject.toml", "\n[tool.bandit]\n", f"{reason}\n[tool.bandit]\n")
    status, output = small_tree.make("advisories")
    assert status == 0, output


def test_a_package_that_was_never_looked_up_is_told(small_tree):
    small_tree.replace(PRODUCTION, "\nrich==", "\nricher==")
    status, output = small_tree.make("advisories")
    assert status != 0
    assert "richer was never looked up" in output
    without = '\n[tool.advisories]\nnot-looked-up = ["richer"]\n'
    small_tree.replace("pyproject.toml", "\n[tool.bandit]\n", f"{without}\n[tool.bandit]\n")
    status, output = small_tree.make("advisories")
    assert status == 0, output
    assert "Not looked up at all: richer" in output


def test_a_check_without_its_advisories_does_not_pass(small_tree):
    (small_tree.root / "scripts" / "advisories.json").unlink()
    status, output = small_tree.make("advisories")
    assert status != 0
    assert "nothing was looked up" in output


def test_the_check_says_how_old_its_advisories_are(small_tree):
    _, output = small_tree.make("advisories")
    assert re.search(r"advisories of 20\d\d-\d\d-\d\d, \d+ days ago", output)


HOSTS = ("pypi.org/", "files.python")


@pytest.mark.parametrize(
    ("name", "line", "word"),
    [
        ("README.md", "-----BEGIN " + "PRIVATE KEY-----", "private key"),
        ("notes.txt", "AKIA" + "ABCDEFGHIJKLMNOP", "cloud access key"),
        ("a.py", 'TOKEN = "ghp_' + "a" * 36 + '"', "forge token"),
        ("a.py", 'TOKEN = "npm_' + "a" * 36 + '"', "registry token"),
        ("a.py", 'TOKEN = "hf_' + "a" * 34 + '"', "service token"),
        ("a.py", 'KEY = "' + generate().text + '"', "key of this service"),
        ("a.md", f"curl -H 'X-API-Key: {generate().text}'", "key of this service"),
        ("a.py", 'KEY = "sk_' + "live_" + "a1" * 12 + '"', "payment key"),
        ("a.py", 'KEY = "AIza' + "a" * 35 + '"', "cloud secret"),
        ("a.ini", "aws_secret_" + "access_key = " + "aB3/" * 10, "cloud secret"),
        ("a.txt", "AccountKey=" + "aB3/" * 20 + "==", "cloud secret"),
        ("a.yml", "url: https://hooks.slack" + ".com/services/T0/B0/x", "hook with its secret"),
        ("a.env", "SG." + "a" * 22 + "." + "b" * 43, "service token"),
        ("a.env", "hvs." + "a" * 24, "service token"),
        ("a.py", "BOT = '123456789:AA" + "b" * 33 + "'", "service token"),
        ("a.env", "SECRET_PEPPER=" + token_hex(32), "secret in an assignment"),
        ("a.py", 'password = "' + token_hex(16) + '"', "secret in an assignment"),
        ("a.json", '{"access_token": "' + token_hex(20) + '"}', "secret in an assignment"),
        ("a.md", "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 30, "signed token"),
        ("a.md", "ek_eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 30, "signed token"),
        ("a.yml", "url: redis://user:" + "secret@host", "credentials in an address"),
        ("a.md", "https://" + HOSTS[0] + "simple", "address of a package registry"),
        ("a.md", "https://" + HOSTS[1] + "hosted.org/x", "address of a package registry"),
        (
            "package-lock.json",
            '"https://registry.' + 'npmjs.org/x"',
            "address of a package registry",
        ),
        ("a.toml", "--extra-index" + "-url x", "address of an index"),
        ("a.py", 'HERE = "/home/' + 'somebody/x"', "path of a machine"),
        ("Dockerfile", "RUN pip install host //mirror.corp" + ".internal/x", "private network"),
        ("a.py", "x = 1  # TO" + "DO later", "open end"),
        ("a.js", "// FIX" + "ME", "open end"),
    ],
    ids=map(str, itertools.count()),  # some are made anew each time
)
def test_what_may_not_stand_in_the_tree_is_caught(small_tree, name, line, word):
    small_tree.write(name, f"{line}\n")
    status, output = small_tree.make("tree")
    assert status != 0
    assert f"{name}:1: " in output
    assert word in output


@pytest.mark.parametrize(
    "line",
    [
        "curl -H 'X-API-Key: YOUR_KEY'",
        "api_key: st_live_...",
        "SECRET_PEPPER=$(python -c 'import secrets; print(secrets.token_hex(32))')",
        "password = settings.database_url.get_secret_value_of_2026()",
        "revision: " + "a1" * 20,
    ],
)
def test_what_is_no_secret_is_let_through(small_tree, line):
    small_tree.write("a.md", f"{line}\n")
    status, output = small_tree.make("tree")
    assert status == 0, output


def test_a_line_with_a_reason_is_let_through(small_tree):
    small_tree.write("a.py", "x = 1  # TO" + "DO  tree-ok: an example in a test\n")
    status, output = small_tree.make("tree")
    assert status == 0, output
