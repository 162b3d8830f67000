# `make help` lists the targets. Each target sets up .venv if needed, also after a pin has changed.
PYTHON ?= python3
BIN := .venv/bin
PINS := requirements.txt tests/requirements.txt
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup

.NOTPARALLEL: # `demo` first says what it does, then installs
.PHONY: demo about-demo test unit faults bench check clean help

demo: about-demo .venv/ready ## play two kicks against stand-ins, then serve a page to try the bot
	@$(BIN)/python -m tests.sandbox

about-demo:
	@echo "This plays two kicks with stand-ins for Slack and RealtimeKit on this machine, needs"
	@echo "no account anywhere, and then serves a page on which you can try the bot yourself."

test: .venv/ready ## run all tests, with branch coverage
	@$(PYTEST) --cov

unit: .venv/ready ## run the tests that need no PostgreSQL, browser or socket
	@$(PYTEST) -m "not services"

faults: .venv/ready ## test the bot under crashes, races and outages, and print a table
	@$(BIN)/python -m tests.faults $(FAULTS)

bench: .venv/ready ## measure the bot beside bare libraries, and print a table
	@$(BIN)/python -m tests.bench $(BENCH)

check: .venv/ready ## check format, lint, types and layering
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## remove .venv and the caches of the tools
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.* ## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/ready: $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Kickbot needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Making a virtual environment in .venv …"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "This Python has no venv. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing what requirements.txt and tests/requirements.txt pin (a minute or so) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.txt -r tests/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
