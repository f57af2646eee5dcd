"""300 damaged files through the real decoders; ``benchmarks/fuzz_media.py`` runs more elsewhere."""

from benchmarks.fuzz_media import fuzz

COUNT = 300
SEED = 20_261_123
MEMORY_KB = 300 * 1024


async def test_damaged_files_harm_nothing_but_themselves(tmp_path):
    report = await fuzz(COUNT, SEED, keep=tmp_path)
    assert report.failures == []
    outcomes = report.outcomes
    assert outcomes["intact"] >= COUNT // 30, "the next file is served all along"
    assert sum(outcomes.values()) - outcomes["intact"] == COUNT
    assert outcomes["decoded"] + outcomes["truncated"] > COUNT // 10, "faults are not all fatal"
    assert outcomes["damaged_audio"] > COUNT // 10, "and not all harmless"
    assert report.peak_memory_kb < MEMORY_KB
    assert report.decoders_lost <= COUNT // 20
