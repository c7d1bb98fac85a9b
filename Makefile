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
PEERS := tests/proof/node_modules/.package-lock.json
EXPORTER := $(VENV)/peers/exporter
PINNED := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
LOCK := pyproject.toml requirements/build.in $(PINNED)
# program:Debian package, each for make proof
DEBIAN := openssl:openssl node:nodejs npm:npm /usr/sbin/smtp-sink:postfix

ifdef PORT
export STATUSPAGE_PORT := $(PORT)
endif
ifdef DATA_DIR
export STATUSPAGE_DATA_DIR := $(DATA_DIR)
endif

.PHONY: help run demo test proof lint bench migrate lock chromium debian

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(RUN) ## the whole system with the sample operator, on http://localhost:8080 (PORT=…, DATA_DIR=…)
	$(BIN)/statuspage sample
	exec $(BIN)/statuspage serve

demo: $(RUN) ## the whole story end to end against 10,000 generated people; ends by itself
	exec $(BIN)/statuspage demo

migrate: $(RUN) ## bring the database to this version
	exec $(BIN)/statuspage db upgrade

test: lint ## lint, types, floors, and every test but those of make proof
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/e2e --ignore=tests/proof

lint: $(TEST) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache

proof: $(TEST) chromium debian $(PEERS) $(EXPORTER)/.installed ## in a real browser, against what others wrote (installs it when root), and a small demo
	$(BIN)/python -m pytest tests/e2e
	$(BIN)/python -m pytest tests/proof
	$(BIN)/statuspage demo --subscribers 1000

bench: $(TEST) ## every benchmark, each printing a ratio against its limit
	@set -e; for file in bench/*.py; do echo "== $$file"; $(BIN)/python -m bench.$$(basename $$file .py); done

lock: $(TEST) ## write requirements/*.txt anew from pyproject.toml; delete them first to move to the newest versions
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet $(LOCK) --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet $(LOCK) --all-extras --output-file requirements/test.txt
	$(BIN)/uv pip compile --quiet requirements/proof-exporter.in $(PINNED) --output-file requirements/proof-exporter.txt
	cd tests/proof && npm install --package-lock-only

chromium:
	@command -v chromium >/dev/null || { \
	  [ "$$(id -u)" = 0 ] || { echo "Chromium is not installed; run: sudo apt-get install chromium" >&2; exit 1; }; \
	  apt-get update --quiet --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet chromium; }

# Postfix brings smtp-sink; without a configuration it never starts.
debian:
	@missing=(); for pair in $(DEBIAN); do command -v "$${pair%%:*}" >/dev/null || missing+=("$${pair##*:}"); done; \
	[ "$${#missing[@]}" = 0 ] || { \
	  [ "$$(id -u)" = 0 ] || { echo "Not all is installed; run: sudo apt-get install $${missing[*]}" >&2; exit 1; }; \
	  apt-get update --quiet --quiet && \
	  { echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections; } && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends "$${missing[@]}"; }

$(PEERS): tests/proof/package-lock.json | debian
	cd tests/proof && npm ci --no-progress
	@touch $@

# It pins libraries of ours at versions of its own.
$(EXPORTER)/.installed: requirements/proof-exporter.txt | $(BIN)/python
	$(PYTHON) -m venv $(EXPORTER)
	$(EXPORTER)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@

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
