# What there is to do with a checkout; `make` lists it. Needs GNU make, Python 3.11 or later, and on a first call a network.
# VENV names another environment, such as one with a torch for your GPU: make setup VENV=$VIRTUAL_ENV

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
OUT ?= runs
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
PYTEST := $(PY) -m pytest
QUICK := not slow and not gpu and not e2e

# pip before 25.1 cannot read dependency groups, and Debian's is older.
group = $(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["$(1)"], sep="\n")' \
	> $(VENV)/$(1).txt && $(PIP) -r $(VENV)/$(1).txt

# Exit code 1 means that a hidden trait got through, which is what these experiments are there to show.
define run
	@code=0; $(VENV)/bin/undertow run --preset $(1) --out "$(OUT)" $(2) || code=$$?; \
	case $$code in \
		0) ;; \
		1) echo "(FAIL is what this experiment is there to show; undertow said so with exit code 1.)" ;; \
		*) exit $$code ;; \
	esac
endef

.PHONY: help setup demo digits test test-slow test-e2e test-gpu browser fuzz mutants lint bench docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## make .venv with Undertow, the local models' packages and the developers' tools

# DEMO=owl-numbers-teachers for three teachers; DEMO_ARGS="--seeds 281 --set teachers=1" for one of them.
DEMO ?= owl-numbers
demo: $(VENV)/.local ## the main experiment: do number lists pass a love of owls on? (about 10 minutes on 2 cores)
	$(call run,$(DEMO),$(DEMO_ARGS))

digits: $(VENV)/.local ## the classifier experiment: do meaningless logits pass reading on? (under a minute)
	$(call run,digits)

# A process for each processor, and one thread for each process: threads of two would wait for each other.
test: $(VENV)/.dev browser ## the tests, but for slow ones and those that run the embedded model
	OMP_NUM_THREADS=1 $(PYTEST) -m "$(QUICK)" -n auto --dist loadfile

test-slow: $(VENV)/.dev ## the slow tests
	$(PYTEST) -m "slow and not gpu and not e2e"

test-e2e: $(VENV)/.dev ## the embedded model from end to end (about 3 minutes)
	$(PYTEST) -m e2e

test-gpu: $(VENV)/.dev ## the tests that need a CUDA device
	@$(PY) -c 'import torch, sys; torch.cuda.is_available() or sys.exit("error: torch sees no CUDA device: every test would be skipped")'
	$(PYTEST) -m gpu

browser: ## Debian's Chromium for the browser tests, where root can install it; they are skipped without
	@if [ -x /usr/bin/chromium ] && [ -x /usr/bin/chromedriver ]; then \
		exit; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing chromium and chromium-driver for the browser tests"; \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium chromium-driver > /dev/null; } \
			|| echo "They cannot be installed: the browser tests are skipped." >&2; \
	else \
		echo "The browser tests are skipped. They need: apt-get install chromium chromium-driver" >&2; \
	fi

# FUZZ_TARGET=spec for one of them; `python -m fuzz --help`.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.fuzz ## bad bytes for everything that reads a stranger's file, all within FUZZ_SECONDS (10 minutes)
	$(PY) -m fuzz --seconds $(FUZZ_SECONDS) $(if $(FUZZ_TARGET),--target $(FUZZ_TARGET))

# PACKAGE is stats, readers or gate; what is printed are the changes that no test noticed. SAMPLE=0 tries all.
PACKAGE ?= stats
SAMPLE ?= 150
SEED ?= 1
mutants: $(VENV)/.mutants ## change PACKAGE's source in SAMPLE places at random: does a test notice? (about 5 minutes)
	$(PY) tests/mutants.py $(PACKAGE) --sample $(SAMPLE) --seed $(SEED)

# Without its cache, which does not notice that a module moved and imports are to be sorted anew.
lint: $(VENV)/.dev ## ruff, import-linter and pyright
	$(VENV)/bin/ruff check --no-cache .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pyright

# BENCH=--only training, for one; ROWS for smaller ones.
ROWS ?= 1000
bench: $(VENV)/.bench ## how fast the engine is, as ratios to named alternatives (about 70 minutes)
	$(PY) -m benchmarks.speed --rows $(ROWS) $(BENCH)

docs: $(VENV)/.docs ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --site-dir site

clean: ## remove caches and what was built; .venv, runs and fetched models stay
	rm -rf site dist .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# Each environment file below stands for an installed part, and is made again when what it was made from changes.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) must be Python 3.11 or later: name one with make setup PYTHON=..." >&2; exit 1; }
	@if ! $(PYTHON) -c 'import ensurepip' 2> /dev/null; then \
		echo "$(PYTHON) has no ensurepip, which Debian packs as python3-venv" >&2; \
		[ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null || exit 1; \
		apt-get -qq update && apt-get -qq install -y python3-venv > /dev/null; \
	fi
	[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@touch $@

# A torch that is there is left alone: it may be a build for a GPU.
$(VENV)/.local: $(VENV)/.made pyproject.toml requirements/cpu.txt
	@echo "Installing Undertow and what local models need (some minutes, about 1 GB on a first call)"
	@torch="-r requirements/cpu.txt"; \
	$(PY) -c 'from importlib.metadata import version; version("torch")' 2> /dev/null && torch=""; \
	$(PIP) $$torch -e '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	@echo "Installing the developers' tools"
	@$(call group,dev)
	@touch $@

$(VENV)/.bench: $(VENV)/.local
	@$(call group,bench)
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	@$(call group,fuzz)
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev
	@$(call group,mutants)
	@touch $@

$(VENV)/.docs: $(VENV)/.local
	@$(call group,docs)
	@touch $@
