"""Time from the start to ready with warm caches, and the memory of all processes at work.

Memory is measured after recognition, translation and synthesis have worked on real input. PSS
counts a page that processes share once; RSS counts it in each, so it is the stricter figure.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import httpx

from benchmarks import report, service

RECORDING = Path(
    "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav"
)
READY_S = 6.0
MEMORY_MIB = 1536.0


def _work(running: service.Service) -> None:
    """Every engine once or more, on real input."""
    recording = RECORDING.read_bytes()
    address, headers = f"http://127.0.0.1:{running.port}", {"X-API-Key": running.key}
    with httpx.Client(base_url=address, headers=headers, timeout=120) as client:
        for source, target in (("en", "pt"), ("pt", "en")):
            texts = [f"Number {number} is here." for number in range(60)]
            languages = {"source_language": source, "target_language": target}
            client.post("/translate/text", json={"text": texts, **languages}).raise_for_status()
        for target in ("pt", "en"):
            for _ in range(2):
                answer = client.post(
                    "/translate/speech",
                    files={"file": recording},
                    data={"target_language": target},
                )
                answer.raise_for_status()


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ready: list[float] = []
    memory: dict[str, float] = {}
    with service.running():
        pass  # warms the caches: files read, models joined
    for number in range(rounds):
        with service.running() as running:
            ready.append(running.ready_after_s)
            if number == rounds - 1:
                _work(running)
                memory = running.memory()
    seconds = statistics.median(ready)
    report.write(
        "startup",
        {
            "ready_ratio_to_bar": round(seconds / READY_S, 3),
            "ready_s": round(seconds, 2),
            "ready_s_each": [round(one, 2) for one in ready],
            "bar_s": READY_S,
            "memory_ratio_to_bar": round(memory["rss_mib"] / MEMORY_MIB, 3),
            "rss_mib": round(memory["rss_mib"]),
            "pss_mib": round(memory["pss_mib"]),
            "bar_mib": MEMORY_MIB,
        },
    )


if __name__ == "__main__":
    main()
