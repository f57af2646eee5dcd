"""espeak-ng's library in a process of its own, as an engine process has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from speech_translator.engines.weights import package_file


def run(code: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_data_is_found_however_long_its_path_is(tmp_path: Path) -> None:
    # The library keeps the path in 160 bytes and would look for its data in a path cut short.
    home = package_file("espeakng_loader", "__init__.py").parent
    deep = tmp_path.joinpath(*["a-directory-with-a-rather-long-name"] * 6)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(home / "espeak-ng-data")
    code = """
import sys
from pathlib import Path
from speech_translator.engines.espeak_library import EspeakLibrary
espeak = EspeakLibrary(Path(sys.argv[1]), Path(sys.argv[2]))
print(len(espeak.speak("Hello", "gmw/en-US", speed=1.0, max_seconds=9.0)))
"""
    library = home / "libespeak-ng.so"
    assert int(run(code, library, deep / "espeak-ng-data")) > 5_000


@pytest.mark.parametrize(("text", "limit"), [("word " * 400, 2.0), ("9" * 400, 0.5)])
def test_speech_stops_at_its_limit_and_the_next_is_whole(text: str, limit: float) -> None:
    code = """
import sys
from speech_translator.engines.espeak_library import library
espeak = library()
def seconds(text, limit):
    spoken = espeak.speak(text, "gmw/en-US", speed=1.0, max_seconds=limit)
    return len(spoken) / espeak.sample_rate
fresh = seconds("Good morning.", 9.0)
print(seconds(sys.argv[1], float(sys.argv[2])), fresh, seconds("Good morning.", 9.0))
"""
    cut, fresh, after = map(float, run(code, text, str(limit)).split())
    assert limit <= cut < limit + 0.5
    assert after == pytest.approx(fresh, rel=0.05)


def test_commands_hidden_in_text_are_not_obeyed() -> None:
    # \x01 introduces a command of espeak's own: this one would halve the pace.
    code = """
from speech_translator.engines.espeak_library import library
espeak = library()
def length(text):
    return len(espeak.speak(text, "gmw/en-US", speed=1.0, max_seconds=60.0))
once = length("Good morning to everybody.")
espeak.speak("\\x0140S hello", "gmw/en-US", speed=1.0, max_seconds=60.0)
print(length("\\x00Good morning to everybody.") / once, length("Good morning to everybody.") / once)
print(length("<break time='30s'/>") / once, length("[[h@l'oU]]") / once)
"""
    ratios = [float(word) for word in run(code).split()]
    assert ratios[0] == pytest.approx(1.0, abs=0.1)
    assert ratios[1] == pytest.approx(1.0, abs=0.1)
    assert ratios[2] < 3.0
    assert ratios[3] > 0.6  # spelled out, not taken as phonemes


def test_many_threads_get_the_phonemes_of_their_own_text() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
from speech_translator.engines.espeak_library import library
espeak = library()
work = [("bom dia", "roa/pt-BR"), ("bonjour", "roa/fr"), ("guten Tag", "gmw/de")] * 60
alone = [espeak.phonemes(*item) for item in work[:3]]
with ThreadPoolExecutor(8) as pool:
    together = list(pool.map(lambda item: espeak.phonemes(*item), work))
print(together == alone * 60)
"""
    assert run(code) == "True"


def test_a_library_that_cannot_be_loaded_is_missing(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from speech_translator.engines.espeak_library import EspeakLibrary
from speech_translator.errors import ModelMissing
try:
    EspeakLibrary(Path(sys.argv[1], "none.so"), Path(sys.argv[1]))
except ModelMissing as error:
    print(error)
"""
    assert 'pip install "speech-translator[gpl]"' in run(code, tmp_path)
