# reviewdesk's commands. All of them make .venv and install into it when needed.

PYTHON ?= python3
PYTEST_WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n $(PYTEST_WORKERS)
TEMPLATES = $(shell find templates -name '*.html')

.PHONY: help run test test-slow test-all lint chromium

help:
	@echo "make run       start the desk at http://127.0.0.1:8000 (REVIEWDESK_PORT, REVIEWDESK_HOME)"
	@echo "make test      the tests that take a few minutes"
	@echo "make test-all  all tests, the slow ones too"
	@echo "make lint      ruff, mypy, import-linter, djade and Django's checks"

run: $(VENV)/installed
	@exec $(BIN)/python manage.py up

test: $(VENV)/installed-dev chromium
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed-dev chromium
	$(PYTEST) -m slow

test-all: test test-slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djade --target-version 5.2 --check $(TEMPLATES)
	$(BIN)/python manage.py check --deploy --fail-level WARNING

# Makes .venv with the first Python that is new enough; one that works already is kept.
$(VENV)/made:
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then touch $@; exit 0; fi; \
	for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11 ""; do \
		if [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "reviewdesk needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11 run" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python cannot make virtual environments: its venv or ensurepip is missing." >&2; \
		echo "On Debian and Ubuntu install it with: apt install python3-venv" >&2; exit 1; \
	fi; \
	echo "Making the virtual environment $(VENV)"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV) && touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	@echo "Installing reviewdesk into $(VENV): once, about a minute"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the tools for tests into $(VENV): once"
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' >$(VENV)/dev.txt
	@$(PIP_INSTALL) --requirement $(VENV)/dev.txt
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["clients"], sep="\n")' >$(VENV)/clients.txt
	@$(PIP_INSTALL) --upgrade --target $(VENV)/clients --requirement $(VENV)/clients.txt
	@touch $@

# Browser tests drive Debian's chromium. Where it cannot be installed they are skipped; CI fails.
chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium for the browser tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null && exit 0; \
	fi; \
	echo "There is no chromium: the browser tests are skipped (apt install chromium)." >&2; \
	[ "$$CI" != true ]
