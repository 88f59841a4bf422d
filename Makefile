# `make help` lists everything. Only Python 3.11 or newer, make and git are needed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
SQL := sql policies migrations benchmarks procrastinate_app/local/shim.sql

# Two processes suit a small machine; tests wait for Postgres more than for Python.
WORKERS ?= 2
ARGS ?=
export PG HOSTED

VENV_READY := .venv/.ready
NODE_READY := node_modules/.ready

.PHONY: help install demo test up build check lint fmt types verify bench rules lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo VOTES=votes.csv TRUTH=truth.csv   play real votes"
	@echo "  make test PG=15 ARGS='tests/ledger -k hold' another Postgres (15 to 18), some tests"
	@echo "  make test HOSTED=1                          on a look-alike of hosted Supabase"

install: $(VENV_READY) $(NODE_READY) ## set up .venv and node_modules (the others do it by themselves)

demo: install ## play the whole path once and show what happened
	@$(BIN)/hub demo $(if $(VOTES),--votes '$(VOTES)') $(if $(TRUTH),--truth '$(TRUTH)') $(ARGS)

test: install ## run all tests on an own, throw-away Postgres
	@$(BIN)/pytest -n $(WORKERS) $(ARGS)

up: install ## run the system until Ctrl-C; prints URLs and keys
	@exec $(BIN)/hub up

build: install ## make the wheel, with its SQL, and what goes with it to a machine, in dist/
	@rm -rf dist
	@$(BIN)/python -m uv build --quiet --no-build-isolation --python $(BIN)/python
	@cp requirements/runtime.lock deploy/worker.env deploy/systemd/*.service dist
	@ls dist

check: ## what CI runs: tests, lint, verify
	@.ci/run

lint: install ## look for mistakes and departures from the style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar $(SQL)
	$(BIN)/squawk migrations/*.sql
	$(BIN)/python -m procrastinate_app.deploy.plpgsql
	$(BIN)/python -m procrastinate_app.deploy.advisors

fmt: install ## format Python and SQL
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --processes 2 --disable-progress-bar $(SQL)

types: install ## write the types that clients import: TypeScript and Python
	@$(BIN)/hub types write

verify: install ## regenerate every generated file and compare
	$(BIN)/hub schema verify
	$(BIN)/hub reference verify
	$(BIN)/hub types verify
	$(BIN)/python -m procrastinate_app.deploy.replay
	$(BIN)/python -m procrastinate_app.local.locks verify

bench: install ## measure, side by side with pgbench, and write the table
	@$(BIN)/hub bench --all $(ARGS)

rules: install ## every rule of the system and the tests that hold it
	@$(BIN)/hub rules

lock: $(VENV_READY) ## bring the lock files up to date with pyproject.toml and package.json
	$(BIN)/python -m procrastinate_app.local.locks write

clean: ## stop the local stack; remove its data, .venv, node_modules and caches
	@$(PYTHON) -m procrastinate_app.local.clean

# Setting up. `.busy` stands while an installation runs: where one was interrupted, it is done again
# from the start. `.ready` names the place, for a checkout that was moved has to be set up anew.

ifneq ($(shell cat $(VENV_READY) 2>/dev/null),$(CURDIR))
$(shell rm -f $(VENV_READY))
endif

$(VENV_READY): requirements/dev.lock pyproject.toml
	@.ci/venv '$(PYTHON)' '$(CURDIR)'

$(NODE_READY): package-lock.json $(VENV_READY)
	@echo 'installing JavaScript packages'
	@$(BIN)/python -m procrastinate_app.local.node
	@touch $@
