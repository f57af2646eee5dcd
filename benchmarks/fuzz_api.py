"""schemathesis over the OpenAPI document of the running service; nothing may break a promise.

Run:  python -m benchmarks.fuzz_api --count 5000 [--seed 1]

The service runs as in production, over scripted engines; a customer and an administrator ask. Every
phase (examples, coverage, fuzzing, stateful) and every check: no 5xx, no answer that the document
does not promise, no way in without a key. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from benchmarks import report
from tests.support.schema_run import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=5000, help="cases, at least")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = fuzz(arguments.count, seed=arguments.seed)
    report.write("fuzz_api", {**asdict(result), "seed": arguments.seed})
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
