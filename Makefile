# What `make demo` and `make test` need they set up themselves, in .venv; again when a pin changes.
PYTHON ?= python3
BIN := .venv/bin
PINS := requirements.txt tests/requirements.txt

.PHONY: demo test faults check clean

demo: .venv/ready ## play two kicks against stand-ins, then serve the page to try it
	@$(BIN)/python -m tests.sandbox

test: .venv/ready ## all tests, with branch coverage
	@$(BIN)/python -m coverage run -m pytest
	@$(BIN)/python -m coverage report

faults: .venv/ready ## crashes, races, storms and outages, and one table of what they found
	@$(BIN)/python -m tests.faults $(FAULTS)

check: .venv/ready ## format, lint, types, layering
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

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
