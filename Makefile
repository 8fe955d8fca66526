# `make demo` and `make test` do all their set-up by themselves: the machine needs git, make and Python 3.11 or later.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# Processes of pytest-xdist; servers are started once, whatever their number.
WORKERS ?= 2
# More words for pytest: make test ARGS="tests/domain -k proration"
ARGS ?=
# Examples per property in `make soak`; `make test` takes about a hundred.
EXAMPLES ?= 3000
# Modules of domain/ that `make mutate` mutates: make mutate MODULES="money periods"
MODULES ?=

TO_RUN := $(VENV)/.ready-to-run
TO_TEST := $(VENV)/.ready-to-test

# Ends `make live` by itself after so many seconds of load: make live SECONDS=20
SECONDS ?=

.PHONY: help setup demo live test soak mutate lint docs lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(TO_TEST) ## the virtual environment from the lock files, and the programs that tests need
	@.ci/programs

demo: $(TO_RUN) ## a provider's first quarter on a ledger of its own, in seconds
	@$(BIN)/subledger demo

live: $(TO_RUN) ## a whole live ledger on this machine with a sample load, until Ctrl-C; no containers
	@.ci/programs
	@exec $(BIN)/python -m infra.live.local $(if $(SECONDS),--seconds $(SECONDS))

test: setup ## everything: rules, properties, contracts with real servers, style, scenarios
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

soak: setup ## properties and simulations with many more examples, every scenario on Kafka, faults on three brokers
	@$(BIN)/python -m pytest -n $(WORKERS) --examples $(EXAMPLES) tests/properties tests/model tests/simulation \
		tests/scenarios/test_live_scenarios.py tests/faults $(ARGS)

mutate: $(TO_TEST) ## mutation testing of domain/; survivors are listed
	@.ci/mutate $(MODULES)

lint: $(TO_TEST) ## lint, formatting, types, direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: $(TO_TEST) ## writes docs/clauses.md, docs/schemas and docs/asyncapi.json anew
	@$(BIN)/python docs/make_clauses.py
	@$(BIN)/python docs/make_contracts.py

lock: ## writes the lock files anew from pyproject.toml
	@.ci/lock

clean: ## removes what was made here; ledgers other than the demo's stay
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mutants demo-ledger
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@.ci/venv $(VENV)

$(TO_RUN): $(VENV)/pyvenv.cfg pyproject.toml requirements.lock
	@.ci/install requirements.lock
	@touch $@

$(TO_TEST): $(TO_RUN) requirements-dev.lock
	@.ci/install requirements-dev.lock
	@touch $@
