PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?=
DATA   ?=
KEEP   ?=

.PHONY: run test test-long test-live demo bench bench-growth check lock clean

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

bench: $(VENV)/development
	$(BIN)/python -m bench $(if $(KEEP),--keep)

bench-growth: $(VENV)/development
	$(BIN)/python -m bench.growth $(if $(KEEP),--keep)

check: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate -q \
	  --custom-compile-command "make lock" --extra dev --extra postgresql -c requirements/runtime.txt \
	  pyproject.toml -o requirements/development.txt

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
