"""Bytes that a pull fetches when the connection is cut again and again.

A file of random bytes is pulled from a hub on loopback that ends the connection at random points.
What is counted is what the server sent: every byte that came is to be kept, so the ratio to the
file's size must stay near 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import random
import tempfile
import time
from pathlib import Path

from benchmarks import report
from speech_translator.engines import catalog, hub, pulled
from speech_translator.engines.catalog import HubFile, HubSource
from tests.support.hub_server import hub_server

BAR = 1.1
_BLOCK = 1024 * 1024
_NAME = "model.bin"


def _make(path: Path, size: int) -> str:
    """Write ``size`` random bytes; their SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while size:
            block = os.urandom(min(_BLOCK, size))
            file.write(block)
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=200, help="size of the file, in 10^6 bytes")
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    size = options.mb * 1_000_000
    points = sorted(random.Random(options.seed).sample(range(1, size), options.cuts))
    with tempfile.TemporaryDirectory() as folder, hub_server() as server:
        repository = Path(folder, "repository")
        repository.mkdir()
        sha256 = _make(repository / _NAME, size)
        server.add("owner/name", repository)
        for start, end in zip((0, *points), points, strict=False):
            server.cut(_NAME, after=end - start)
        source = HubSource("owner/name", None, (HubFile(_NAME, size, sha256),))
        card = dataclasses.replace(catalog.card("hibari-heart"), id="pulled", files=(), hub=source)
        models = Path(folder, "models")
        begun = time.monotonic()
        hub.pull(card, models, endpoint=server.url)
        seconds = time.monotonic() - begun
        pulled.verify(card, models)
        right = pulled.digest(models / "pulled" / _NAME) == sha256
        attempts = server.paths("GET").count(f"/content/owner/name/{_NAME}")
        sent = server.sent[_NAME]
    ratio = sent / size
    report.write(
        "models_pull",
        {
            "bytes_fetched_ratio": round(ratio, 4),
            "bar_ratio": BAR,
            "file_bytes": size,
            "bytes_sent": sent,
            "cuts": options.cuts,
            "attempts": attempts,
            "sha256_right": right,
            "seconds": round(seconds, 1),
        },
    )
    if not right or ratio > BAR:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
