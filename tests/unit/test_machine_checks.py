"""Memory, disks, processors and the clock, over files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from speech_translator.reliability.machine_checks import (
    ClockCheck,
    Memory,
    disk_finding,
    memory_finding,
    processor_finding,
    read_cores,
    read_memory,
)

MIB = 1024 * 1024
MEMINFO = "MemTotal:        8192000 kB\nMemFree:          100 kB\nMemAvailable:    4096000 kB\n"
V2 = "0::/kubepods/pod1\n"
V1 = "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n"


@pytest.fixture
def machine(tmp_path):
    def write(files):
        for name, text in {"proc/meminfo": MEMINFO, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "proc", tmp_path / "cgroup"

    return write


def v2(limit, used, idle=0, folder="kubepods/pod1"):
    return {
        f"cgroup/{folder}/memory.max": f"{limit}\n",
        f"cgroup/{folder}/memory.current": f"{used}\n",
        f"cgroup/{folder}/memory.stat": f"anon 1\ninactive_file {idle}\nslab 2\n",
    }


def test_the_machines_memory_where_nothing_limits_it(machine):
    assert read_memory(*machine({})) == Memory(8192000 * 1024, 4096000 * 1024)
    unlimited = {"proc/self/cgroup": V2, **v2("max", 5)}
    assert read_memory(*machine(unlimited)) == Memory(8192000 * 1024, 4096000 * 1024)


def test_a_groups_limit_and_pages_that_can_be_dropped(machine):
    files = {"proc/self/cgroup": V2, **v2(1000 * MIB, 900 * MIB, 300 * MIB)}
    assert read_memory(*machine(files)) == Memory(1000 * MIB, 400 * MIB)


def test_a_limit_of_a_group_around_ours_holds(machine):
    outer = v2(500 * MIB, 450 * MIB, folder="kubepods")
    files = {"proc/self/cgroup": V2, **v2(1000 * MIB, 100 * MIB), **outer}
    assert read_memory(*machine(files)) == Memory(500 * MIB, 50 * MIB)


def test_inside_of_a_container_its_group_is_the_root(machine):
    files = {"proc/self/cgroup": "0::/../elsewhere\n", **v2(64 * MIB, 60 * MIB, folder=".")}
    assert read_memory(*machine(files)) == Memory(64 * MIB, 4 * MIB)


def test_version_one(machine):
    files = {
        "proc/self/cgroup": V1,
        "cgroup/memory/memory.limit_in_bytes": f"{200 * MIB}\n",
        "cgroup/memory/memory.usage_in_bytes": f"{150 * MIB}\n",
        "cgroup/memory/memory.stat": f"total_inactive_file {10 * MIB}\n",
        "cgroup/memory/docker/1/memory.limit_in_bytes": "9223372036854771712\n",
        "cgroup/memory/docker/1/memory.usage_in_bytes": "1\n",
        "cgroup/memory/docker/1/memory.stat": "cache 0\n",
    }
    assert read_memory(*machine(files)) == Memory(200 * MIB, 60 * MIB)


def test_what_nobody_says_is_not_known(tmp_path):
    assert read_memory(tmp_path, tmp_path) is None
    assert memory_finding(None).level == "unknown"


@pytest.mark.parametrize(("left", "level"), [(11, "ok"), (9, "warning"), (2, "failed")])
def test_memory_by_the_share_that_is_left(left, level):
    found = memory_finding(Memory(100 * MIB, left * MIB))
    assert (found.level, found.detail) == (level, f"{left} of 100 MiB available")


def test_a_folder_is_written_to_and_left_as_it_was(tmp_path):
    found = disk_finding(tmp_path / "not" / "there", warning=0, failed=0)
    assert found.level == "ok"
    assert [*tmp_path.iterdir()] == []
    assert disk_finding(tmp_path, warning=1 << 62, failed=0).level == "warning"
    assert disk_finding(tmp_path, warning=1 << 62, failed=1 << 62).level == "failed"


def test_a_folder_that_cannot_be_written_has_failed():
    found = disk_finding(Path("/proc/self"), warning=0, failed=0)
    assert found.level == "failed"
    assert "/proc" not in found.detail


def test_processors_that_a_group_allows(machine):
    assert read_cores(*machine({})) >= 1
    files = {"proc/self/cgroup": V2, "cgroup/kubepods/pod1/cpu.max": "50000 100000\n"}
    assert read_cores(*machine(files)) == 0.5
    none = {"proc/self/cgroup": V2, "cgroup/kubepods/pod1/cpu.max": "max 100000\n"}
    assert read_cores(*machine(none)) >= 1


def test_processors_that_a_group_of_version_one_allows(machine):
    files = {
        "proc/self/cgroup": V1,
        "cgroup/cpu/docker/1/cpu.cfs_quota_us": "25000\n",
        "cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n",
        "cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    }
    assert read_cores(*machine(files)) == 0.25


def test_the_load_is_judged_by_the_processors():
    assert processor_finding(7.9, 2).level == "ok"
    assert processor_finding(8.1, 2).level == "warning"


async def test_a_clock_that_jumps_warns_once():
    now = {"wall": 5000.0, "monotonic": 10.0}
    check = ClockCheck(monotonic=lambda: now["monotonic"], wall=lambda: now["wall"])
    assert (await check()).level == "ok"
    now = {"wall": 5015.5, "monotonic": 25.0}
    assert (await check()).level == "ok"
    now = {"wall": 1412.5, "monotonic": 40.0}
    found = await check()
    assert (found.level, found.detail[:29]) == ("warning", "the clock jumped by -3618.0 s")
    assert (await check()).level == "ok"
