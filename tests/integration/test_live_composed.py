"""Two minutes as life has them, through the real server and engines; ``make prove`` has ten."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.live_composed import SETTINGS, doubtful, measured
from tests.support.server import start_server

SECONDS, CUTS = 100, 3


@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_said_over_music_in_two_languages_and_broken_lines(
    tmp_path: Path,
) -> None:
    with start_server({**SETTINGS, "DATA_DIR": str(tmp_path)}) as server:
        scene, client, verdict = await measured(server, SECONDS, CUTS)
        assert "Traceback" not in server.log()
    assert verdict.connections == CUTS + 1
    assert doubtful(scene, client) == []
    assert verdict.sentences_lost == verdict.told_twice == verdict.overlapping == 0
    assert verdict.without_translation == 0
    # A word or two more may be misheard here than where each sentence is heard alone.
    assert verdict.word_error_rate_percent <= verdict.alone_percent + 4
    assert {final["language"] for final in client.told("final")} == {"en", "pt"}
