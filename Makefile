# Works with plain python3 (3.11 or newer) on Debian and macOS. `make run` and `make demo` need nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where it is set, hundreds of processes would compile everything, and collecting tests takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-dev setup-litellm run demo test test-fast test-litellm check wheel bench manage clean-venv
.DEFAULT_GOAL := run

# OPA as a library, to run our Rego with the real thing. Asks for a newer Python than it needs, so not in requirements-dev.
OPA_LIBRARY := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
	--only-binary=:all: opa-golib-python-bindings==0.4.4

# Stamps: dependencies are installed again only when the requirements changed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "TokenOps needs Python 3.11 or newer; name one: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.txt sdk/pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(OPA_LIBRARY) || echo "OPA itself is not to be had: our Rego is tested with regopy only."
	touch $@

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

run: setup
	@exec $(BIN)/python manage.py serve

demo: setup
	@exec $(BIN)/python manage.py serve --demo

# A management command on the installation that `make run` made: make manage ARGS="create_api_key NAME --scope ingest"
manage: setup
	@$(BIN)/python manage.py $(ARGS)

# All tests, on each processor. Without DATABASE_URL they start an embedded PostgreSQL of their own; Redis and Chromium
# are used if found. One process, to see what a test prints: make test ARGS="-n 0 -s …"
test: setup-dev
	$(BIN)/python -m pytest -n auto --dist loadscope $(ARGS)

# The rules of the domain, in a minute and a half: no processes, browser, pages, commits, walks through the whole site.
SLOW := server or browser or embedded or site or pages or commits
test-fast: setup-dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not ($(SLOW))" $(ARGS)

# The plugin in a real LiteLLM proxy, which is heavy (700 MB) and has a virtual environment of its own.
LITELLM := .venv-litellm
$(LITELLM)/.installed: sdk/requirements-litellm.txt sdk/pyproject.toml
	$(PYTHON) -m venv $(LITELLM)
	$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check -r sdk/requirements-litellm.txt -e sdk
	touch $@

setup-litellm: setup-dev $(LITELLM)/.installed

test-litellm: setup-litellm
	$(BIN)/python -m pytest sdk/tests_litellm $(ARGS)

# Settings need a key and an address; nothing here connects.
check: export SECRET_KEY = only-for-checks
check: export DATABASE_URL = postgresql://checks@localhost/none
check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

# The SDK as a wheel in dist/, installed into a clean environment and used there.
wheel:
	PYTHON=$(PYTHON) .ci/wheel

# One command each; every one prints ratios against a yardstick measured in the same run.
BENCHMARKS ?= ingest fold evaluate prices decide bundle event_to_bundle event_to_message pages
bench: setup-dev
	@for one in $(BENCHMARKS); do echo "== $$one"; $(BIN)/python -m benchmarks.$$one || exit 1; done

clean-venv:
	rm -rf $(VENV) $(LITELLM)
