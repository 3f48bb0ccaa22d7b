# Two commands matter: `make run` and `make test`. Both set up what they need.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test test-py test-js test-agents test-deps lint format bench lock clean

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Settings that make passes on to the server, with their defaults: 127.0.0.1, 8000, ./data.
export HOST PORT DATA_DIR

# $(call install,LOCK): pip runs only when LOCK differs from the copy of what is installed.
# --no-deps: a lock is complete, and says in pyproject.toml which dependencies it leaves out.
define install
	@cmp -s $(1) $(VENV)/installed-$(1) || { \
	  set -e; \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
	  echo "Installing $(1) …"; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(1); \
	  cp $(1) $(VENV)/installed-$(1); \
	}
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Install, migrate and serve on HOST:PORT (127.0.0.1:8000); prints the link to log in
	$(call install,requirements.lock)
	@$(PY) manage.py migrate --verbosity 0
	@exec $(PY) manage.py serve

test: test-deps test-py test-js ## Run every test: Python, browser, JavaScript

test-deps: ## Install what the tests need: packages, Chromium, PostgreSQL, Redis
	$(call install,requirements-test.lock)
	@$(PY) -m tests.support.install

test-py: test-deps
	@$(PY) -m pytest -n auto -m "not agents" $(ARGS)

test-js:
	@command -v node >/dev/null || { echo "make test-js: install Node.js 20 or newer"; exit 1; }
	node --test tests/js/*.test.js

lint: ## Check style, types, imports and the migrations
	$(call install,requirements-test.lock)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run

format: ## Put every file into the form that `make lint` wants
	$(call install,requirements-test.lock)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean: ## Remove the virtual environment and every cache; keeps ./data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
