# `make help` lists the targets. PORT, DATA_DIR and every STATUSPAGE_ variable reach the program, so that a second copy can
# run beside the first: make run PORT=8081 DATA_DIR=var2
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN := $(VENV)/.run-installed
TEST := $(VENV)/.test-installed
LOCK := pyproject.toml requirements/build.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

ifdef PORT
export STATUSPAGE_PORT := $(PORT)
endif
ifdef DATA_DIR
export STATUSPAGE_DATA_DIR := $(DATA_DIR)
endif

.PHONY: help run demo test proof lint bench migrate lock chromium

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(RUN) ## the whole system with the sample operator, on http://localhost:8080 (PORT=…, DATA_DIR=…)
	$(BIN)/statuspage sample
	exec $(BIN)/statuspage serve

demo: $(RUN) ## the whole story end to end against 10,000 generated people; ends by itself
	exec $(BIN)/statuspage demo

migrate: $(RUN) ## bring the database to this version
	exec $(BIN)/statuspage db upgrade

test: lint ## lint, types, floors, and every test but the browser's
	$(BIN)/python -m pytest --ignore=tests/e2e

lint: $(TEST) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache

proof: $(TEST) chromium ## the story in a real browser (installs Debian's Chromium when root)
	$(BIN)/python -m pytest tests/e2e

bench: $(TEST) ## every benchmark, each printing a ratio against its limit
	@set -e; for file in bench/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

lock: $(TEST) ## write requirements/*.txt anew from pyproject.toml; delete them first to move to the newest versions
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet $(LOCK) --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet $(LOCK) --all-extras --output-file requirements/test.txt

chromium:
	@command -v chromium >/dev/null || { \
	  [ "$$(id -u)" = 0 ] || { echo "Chromium is not installed; run: sudo apt-get install chromium" >&2; exit 1; }; \
	  apt-get update --quiet --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet chromium; }

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# --no-build-isolation: the build tool comes from the same pinned list, not from wherever pip finds one.
$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes --requirement requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TEST): requirements/test.txt $(RUN)
	$(PIP) install --require-hashes --requirement requirements/test.txt
	@touch $@
