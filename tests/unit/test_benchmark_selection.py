"""Which benchmarks a command runs."""

from pathlib import Path

import pytest

from scripts.benchmarks import find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("live_long", "live_many", "quality", "guards", "fuzz_api"):
        (tmp_path / f"{name}.py").write_text('if __name__ == "__main__": pass')
    (tmp_path / "live_audio.py").write_text("")
    return tmp_path


def test_all_are_run_but_proofs_and_what_is_no_program(folder: Path) -> None:
    found = [path.stem for path in find([], folder=folder)]
    assert found == ["live_long", "live_many", "quality"]


def test_names_and_patterns_pick_some_in_their_order(folder: Path) -> None:
    found = [path.stem for path in find(["quality", "live_*", "live_many"], folder=folder)]
    assert found == ["quality", "live_long", "live_many"]


def test_some_can_be_left_out(folder: Path) -> None:
    found = [path.stem for path in find([], ["live_*"], folder=folder)]
    assert found == ["quality"]
    assert find(["live_*"], ["live_*"], folder=folder) == []


@pytest.mark.parametrize(("names", "without"), [(["live_audio"], []), ([], ["quailty"])])
def test_a_name_that_there_is_not_is_refused(
    folder: Path, names: list[str], without: list[str]
) -> None:
    with pytest.raises(LookupError, match="No such benchmark"):
        find(names, without, folder=folder)
