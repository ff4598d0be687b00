VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
PORT   ?=
DATA   ?=
KEEP   ?=
# The store that the tests run on: sqlite, postgresql, or the URL of a PostgreSQL server.
DATABASE ?= sqlite
# The files or folders of tests to run; all where none is named.
TESTS    ?=
# At a time: one more than there are processors, as tests also wait. A file stays together, for what its tests share.
WORKERS  ?= 3
# How many schedules of several replicas the long run simulates.
SCHEDULES ?= 20000

MUTANT ?=
# What may least be wrong: each of these has 95 % of its lines and branches run by the suite.
COVERED := provision/onboarding/** provision/layout/* \
  bootstrap_core/delivery/delivery.py,bootstrap_core/keys.py,bootstrap_core/secrets.py,bootstrap_core/throttle.py

# Each Python that the tests start would compile the product anew.
unexport PYTHONDONTWRITEBYTECODE

# Sets an environment up, or sees that it is complete; a Python that was named must be its own.
define set_up
@command -v '$(PYTHON)' >/dev/null || { \
  echo 'There is no $(PYTHON). Install Python 3.11 or later, or name one: make PYTHON=python3.12 ...' >&2; exit 1; }
@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
  "Python 3.11 or later is needed, and $(PYTHON) is older. Name another one: make PYTHON=python3.12 ...")'
@'$(PYTHON)' requirements/install.py '$(VENV)' $(1) $(if $(filter file,$(origin PYTHON)),,--this-python)
endef

.PHONY: runtime development mutants-environment run test test-long test-live coverage mutants rehearse demo bench bench-growth check docs lock clean

run: runtime
	@$(BIN)/provision serve $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA))

demo: runtime
	@$(BIN)/python -m provision.demo

test: development
	PROVISION_TEST_DATABASE='$(DATABASE)' $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(TESTS)

test-long: development
	PROVISION_TEST_DATABASE='$(DATABASE)' $(BIN)/python -m pytest -n $(WORKERS) -m slow
	$(BIN)/python -m tests.onboarding.simulation --schedules $(SCHEDULES)

test-live: development
	$(BIN)/python -m pytest tests/live/live_$(if $(MG_PROVISION_ATOM_URL),atom,magistrala).py

rehearse: runtime
	$(BIN)/python docker/rehearse_image.py
	$(BIN)/python docker/rehearse_bare_machine.py

coverage: development
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=
	@set -e; for part in $(foreach each,$(COVERED),'$(each)'); do \
	  $(BIN)/coverage report --show-missing --skip-covered --fail-under=95 --include="$$part"; \
	done

mutants: mutants-environment
	nice $(BIN)/mutmut run --max-children 2 $(if $(MUTANT),'$(MUTANT)')
	$(BIN)/mutmut results | grep -v 'not checked'

bench: development
	$(BIN)/python -m bench $(if $(KEEP),--keep)

bench-growth: development
	$(BIN)/python -m bench.growth $(if $(KEEP),--keep)

check: development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: development
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

runtime:
	$(call set_up,runtime)

development:
	$(call set_up,development)

mutants-environment:
	$(call set_up,mutants)
