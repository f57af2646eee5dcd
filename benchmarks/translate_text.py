"""`POST /translate/text` against its engine's own maximum, on distinct sentences.

The limit is what the engine does in one process with as many threads as there are cores, no
cache, no server. Both are measured in turn in the same run; the ratio is the claim. Server and
load generator share the cores with the engine, so the generator's own CPU is reported apart.

On a machine that does other work at the same time, the rates of two runs say little. The CPU time
of a sentence hardly depends on it, so the ratio of CPU times (the bare engine's to that of server,
engine and generator together) is reported beside the ratio of rates.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import subprocess
import sys

from benchmarks import corpus, load, report, service

_ENGINE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from benchmarks import corpus
from speech_translator.engines.bergamot import load
from speech_translator.engines.values import TranslateCall
threads, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
engine = load({"threads": threads})
calls = [TranslateCall(text, "en", "pt") for text in corpus.sentences(20_000, seed=seed)]
done = [0] * threads
until = time.monotonic() + seconds
def work(index):
    for call in calls[index::threads]:
        if time.monotonic() >= until:
            break
        engine.translate([call])
        done[index] += 1
started, cpu = time.monotonic(), time.process_time()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, range(threads)))
print(sum(done) / (time.monotonic() - started), (time.process_time() - cpu) / sum(done))
"""


def bare_engine(seconds: float, seed: int) -> tuple[float, float]:
    """Sentences a second, and CPU seconds a sentence, of the engine in a process of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", _ENGINE, str(os.cpu_count()), str(seconds), str(seed)],
        capture_output=True,
        text=True,
        check=True,
        cwd=service.ROOT,
    )
    rate, cpu_s = answer.stdout.split()
    return float(rate), float(cpu_s)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    texts = corpus.stream(seed=99)
    ratios, cpu_ratios, engine, served, generator, server_cpu = [], [], [], [], [], []
    latencies = []
    languages = {"source_language": "en", "target_language": "pt"}
    settings = {"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]", "TRANSCRIBERS": "[]"}
    with service.running(settings) as running:
        for number in itertools.count():
            payloads = ({"text": text, **languages} for text in texts)
            before = running.cpu_s()
            outcome = asyncio.run(
                load.closed_loop(
                    running.port,
                    "/translate/text",
                    payloads,
                    key=running.key,
                    clients=options.clients,
                    seconds=options.seconds if number else 3,
                )
            )
            if outcome.statuses.keys() != {200}:
                raise SystemExit(f"Not all answers were 200: {outcome.statuses}")
            if not number:
                continue  # warm-up
            requests = len(outcome.latencies)
            after = running.cpu_s()
            server_cpu.append((after["server"] - before["server"]) / requests * 1000)
            spent_s = outcome.generator_cpu_s + sum(after.values()) - sum(before.values())
            rate, cpu_s = bare_engine(options.seconds, number)
            engine.append(rate)
            served.append(outcome.rate)
            ratios.append(outcome.rate / rate)
            cpu_ratios.append(cpu_s * requests / spent_s)
            generator.append(outcome.generator_cpu_s / requests * 1000)
            latencies.append(outcome.percentile(0.95) * 1000)
            if number == options.rounds:
                break
    report.write(
        "translate_text",
        {
            "ratio_to_engine": round(statistics.median(ratios), 3),
            "bar": 0.90,
            "ratios": [round(ratio, 3) for ratio in ratios],
            "cpu_ratio_to_engine": round(statistics.median(cpu_ratios), 3),
            "cpu_ratios": [round(ratio, 3) for ratio in cpu_ratios],
            "engine_sentences_per_s": round(statistics.median(engine), 1),
            "served_sentences_per_s": round(statistics.median(served), 1),
            "p95_ms": round(statistics.median(latencies), 1),
            "api_cpu_ms_per_request": round(statistics.median(server_cpu), 3),
            "generator_cpu_ms_per_request": round(statistics.median(generator), 3),
            "clients": options.clients,
        },
    )


if __name__ == "__main__":
    main()
