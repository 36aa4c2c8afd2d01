# `make run` and `make test` are all a newcomer needs; the rest is for those who stay.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
FT := $(BIN)/python -m api.cli

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-engine bench-export bench-login prove fuzz torture load demo-reset requirements clean

help:  ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: .venv/run  ## Install, migrate, seed, build the demo clinic if there is none, and serve
	@$(FT) migrate
	@$(FT) seed
	@$(FT) demo --if-empty
	@$(FT) serve

test: .venv/dev  ## Install what the tests need and run them on SQLite and PostgreSQL
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/dev  ## Formatter, linter, types, import contract, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: .venv/dev  ## Measure the engine and the worklist
	@$(BIN)/python -m tests.bench.assess
	@$(BIN)/python -m tests.bench.reassess
	@$(BIN)/python -m tests.bench.reports
	@$(BIN)/python -m tests.bench.worklist

bench-export: .venv/dev  ## Export a million entries and say what that takes
	@$(BIN)/python -m tests.bench.export

bench-login: .venv/dev  ## Measure whether the time of a refused login tells that an address has an account
	@$(BIN)/python -m tests.bench.login

prove: .venv/dev  ## Take every guard of the policy and every clinic's filter away in turn, and see a test fail for each
	@$(BIN)/python -m tests.proof.guards

fuzz: .venv/dev  ## Ask everything as everybody, in 10,000 made-up ways on each database; CASES, SECONDS, SEED, DATABASE, OPERATION
	@$(BIN)/python -m tests.fuzz.run $(if $(CASES),--cases "$(CASES)") $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(SEED),--seed "$(SEED)") $(if $(DATABASE),--database "$(DATABASE)") $(if $(OPERATION),--operation "$(OPERATION)")

torture: .venv/dev  ## Kill the server while phones send, a minute on each database, and count what is lost
	@$(BIN)/python -m tests.sync.torture

load: .venv/dev  ## 200 clients at once for a minute on each database, then 1,000; SECONDS=15 for less
	@$(BIN)/python -m tests.bench.load $(if $(SECONDS),--seconds "$(SECONDS)")

bench-engine: .venv/dev  ## Replay patients through the engine and simpler rules; CSV=path of person,date rows, SVG=path of the chart
	@$(BIN)/python -m tests.bench.engine $(if $(CSV),--csv "$(CSV)") $(if $(SVG),--svg "$(SVG)") $(if $(PATIENTS),--patients "$(PATIENTS)") $(if $(SEED),--seed "$(SEED)") $(if $(DAYS_PER_WEEK),--days-per-week "$(DAYS_PER_WEEK)")

demo-reset: .venv/run  ## Throw the default SQLite database away and build the demo clinic anew
	@test -z "$$DATABASE_URL" || { echo "demo-reset only knows the default database; unset DATABASE_URL." >&2; exit 1; }
	@rm -f followthrough.db followthrough.db-wal followthrough.db-shm
	@$(FT) migrate
	@$(FT) seed
	@$(FT) demo

requirements: .venv/dev  ## Pin anew what pyproject.toml allows
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o requirements-dev.txt

clean:  ## Remove the virtual environment and what tools left behind
	@rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info

.venv/run: pyproject.toml requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/dev: pyproject.toml requirements-dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ .venv/run
