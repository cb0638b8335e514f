# Everything a newcomer and CI need. `make` lists the targets; each does its own set-up.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8080
DATA ?= .data
ARGS ?=

BIN := .venv/bin
SERVE := .venv/.ready-to-serve
TEST := .venv/.ready-to-test

.PHONY: help serve test test-fast check format docs bench guest lock migration packages clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(SERVE) ## run the server with demo data (PORT=8080 DATA=.data)
	@exec $(BIN)/identity serve --demo --port $(PORT) --data $(DATA) $(ARGS)

test: $(TEST) packages ## run all tests on SQLite and PostgreSQL, with a directory and a browser, in two processes (ARGS for pytest)
	$(BIN)/python tools/test_in_halves.py $(ARGS)

test-fast: $(TEST) ## run the quick tests that need nothing but Python, on SQLite, in two processes
	$(BIN)/python tools/test_in_halves.py --fast $(ARGS)

check: $(TEST) ## lint, types, import layers, sizes, spelling, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tools migrations/env.py
	$(BIN)/lint-imports
	$(BIN)/python tools/check_sizes.py
	$(BIN)/codespell
	$(BIN)/python tools/generated_docs.py --check

format: $(TEST) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(TEST) ## write the generated pages: configuration, events, specifications
	$(BIN)/python tools/generated_docs.py

bench: $(TEST) packages ## measure CPU, latency and memory on both databases (ARGS)
	$(BIN)/python -m tests.bench $(ARGS)

guest: $(TEST) ## build the engine of the sign-in scripts from its pinned sources
	tools/build_guest

lock: $(TEST) ## refresh the lock files (ARGS=--upgrade for newer releases)
	tools/lock $(ARGS)

migration: $(TEST) ## write the next schema step (MESSAGE="add …")
	$(BIN)/python tools/new_migration.py "$(MESSAGE)"

clean: ## remove the environment and what tools left; DATA stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@tools/install_packages

$(SERVE): requirements.lock pyproject.toml tools/setup
	@tools/setup requirements.lock
	@touch $@

$(TEST): requirements-dev.lock pyproject.toml tools/setup
	@tools/setup requirements-dev.lock
	@touch $(SERVE) $@
