PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?=
DATA   ?=
KEEP   ?=

MUTANT ?=
# What may least be wrong: each of these has 95 % of its lines and branches run by the suite.
COVERED := provision/onboarding/* provision/layout/* \
  bootstrap_core/delivery.py,bootstrap_core/keys.py,bootstrap_core/sealing.py,bootstrap_core/secret.py,bootstrap_core/throttle.py

.PHONY: run test test-long test-live coverage mutants demo bench bench-growth check docs lock clean

run: $(VENV)/runtime
	@$(BIN)/provision serve $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA))

demo: $(VENV)/runtime
	@$(BIN)/python -m provision.demo

test: $(VENV)/development
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-long: $(VENV)/development
	$(BIN)/python -m pytest -n 2 -m slow
	$(BIN)/python -m tests.onboarding.simulation --schedules 20000

test-live: $(VENV)/development
	$(BIN)/python -m pytest tests/live/live_magistrala.py

coverage: $(VENV)/development
	$(BIN)/python -m pytest -n 2 -m "not slow" --cov --cov-report=
	@set -e; for part in $(foreach each,$(COVERED),'$(each)'); do \
	  $(BIN)/coverage report --show-missing --skip-covered --fail-under=95 --include="$$part"; \
	done

mutants: $(VENV)/mutants
	nice $(BIN)/mutmut run --max-children 2 $(if $(MUTANT),'$(MUTANT)')
	$(BIN)/mutmut results | grep -v 'not checked'

bench: $(VENV)/development
	$(BIN)/python -m bench $(if $(KEEP),--keep)

bench-growth: $(VENV)/development
	$(BIN)/python -m bench.growth $(if $(KEEP),--keep)

check: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/development
	$(BIN)/python -m tests.documents

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	  --custom-compile-command "make lock" --extra dev --extra postgresql -c requirements/runtime.txt \
	  pyproject.toml -o requirements/development.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	  --custom-compile-command "make lock" --extra mutants -c requirements/development.txt \
	  pyproject.toml -o requirements/mutants.txt

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing packages (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/development: requirements/development.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing packages (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/runtime

$(VENV)/mutants: requirements/mutants.txt $(VENV)/development
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	@touch $@
