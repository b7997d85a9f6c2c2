# `make` alone lists the targets. Paths are relative throughout, so that a checkout whose path has
# a space in it works too; the environment in .venv is made once and again when its inputs change.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:

# The interpreter of the environment that is there already, else python3.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
RUN := .venv/bin/python -m
EXAMPLE := PYTHONPATH="$(CURDIR)/examples" $(RUN) scheduler_job

# Whose environment it is: interpreter and checkout. Empty for a Python older than 3.11, or none.
KEY := $(shell "$(PYTHON)" -c 'import os, sys; print(*sys.version_info[:2], \
  os.path.realpath(sys._base_executable), os.getcwd()) if sys.version_info >= (3, 11) else None' \
  2>/dev/null)
TOO_OLD = resultflow needs Python 3.11 or newer, but '$(PYTHON)' is $(or $(shell "$(PYTHON)" -c \
  'import platform; print(platform.python_version())' 2>/dev/null),not there): name another one, \
  as in 'make env PYTHON=python3.12'
MADE := .venv/.made

# What has fast paths in C is tested without them, too.
VALUES := $(foreach module,collect do interop_cattrs interop_json interop_pydantic interop_returns laws \
  result safe trace travel, \
  tests/test_$(module).py) $(foreach module,collect do result safe,src/resultflow/_$(module).py)
READY := .venv/.ready

# Another interpreter, or a checkout that was moved, makes a new environment.
ifneq ($(shell cat $(MADE) 2>/dev/null),$(KEY))
.PHONY: $(MADE)
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=python3.13 chooses the interpreter of the environment, otherwise python3;"
	@echo "  DEMO=, SOAK=, MATRIX=, PROVE=, BENCH=, SCOPES=, GROWTH=, COUNTS=, COMPARE=, EXECUTORS=,"
	@echo "  MIGRATIONS=, INJECT=, MODES=, PYTHONS=, PYTEST=, RELEASE= and LOCK= are handed on."

.PHONY: env
env: $(READY) ## set up .venv from the pinned requirements

$(MADE): requirements/dev.txt
	@$(if $(KEY),,$(error $(TOO_OLD)))
	@echo "env: making .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear --without-pip .venv
	@echo "env: installing $$(grep -c == $<) pinned packages from the package index"
	@base=$$(.venv/bin/python -c 'import sys; print(sys._base_executable)'); \
	set -- "$$base" -m pip --python .venv/bin/python; \
	"$$@" --version >/dev/null 2>&1 || { \
	  set -- .venv/bin/python -m pip; .venv/bin/python -m ensurepip >/dev/null 2>&1; \
	} || { echo >&2 "'$$base' has neither pip nor ensurepip: install the package python3-pip" \
	  "or python3-venv, or name another one, as in 'make env PYTHON=python3.12'"; exit 2; }; \
	"$$@" -qq install --disable-pip-version-check --require-hashes --requirement $<
	@echo '$(KEY)' > $@

$(READY): $(MADE) pyproject.toml setup.py src/resultflow/_native.c
	@echo "env: installing resultflow itself, editable"
	@.venv/bin/uv pip install --quiet --offline --python .venv/bin/python \
	  --no-build-isolation --no-deps --editable .
	@.venv/bin/python -c 'from resultflow._build import native; print("env: the build is", \
	  "compiled" if native else "pure Python: there is no C compiler here")'
	@touch $@

.PHONY: lint
lint: env ## ruff: every rule that has no reason against it, and the format
	$(RUN) ruff check
	$(RUN) ruff format --check

.PHONY: types
types: env ## mypy strict with our plugin, then pyright strict
	$(RUN) mypy
	$(RUN) pyright

.PHONY: layers
layers: env ## import-linter: no import upwards, no module without a floor
	.venv/bin/lint-imports --no-cache --no-logo

.PHONY: check
check: env ## resultflow check: what needs no types (legacy.py has what the story is about)
	.venv/bin/resultflow check --exclude legacy.py --exclude 'tests/plugin/*' \
	  src tests examples bench docs release conftest.py

.PHONY: test
test: lint types layers check ## all of the above, then pytest on both builds, with coverage
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest $(PYTEST)
	RESULTFLOW_PURE=1 $(RUN) coverage run -m pytest $(VALUES)
	$(RUN) coverage combine --quiet
	@rm -f .coverage/data.* # torn: their processes were killed as they wrote them
	$(RUN) coverage report

.PHONY: docs
docs: env ## the documentation site, in out/site; needs no network
	.venv/bin/python docs/site/build.py

.PHONY: demo
demo: env ## both spellings of the scheduler through the same outage (DEMO=--help)
	$(EXAMPLE).demo $(DEMO)

.PHONY: soak
soak: env ## the pipeline through many outages in a row (SOAK=--help)
	$(EXAMPLE).soak $(SOAK)

.PHONY: matrix
matrix: env ## every signal at every moment, both spellings (MATRIX=--help)
	$(EXAMPLE).matrix $(MATRIX)

.PHONY: prove-airflow
prove-airflow: env ## outages of the real Airflow, original and rewrite (PROVE=--help)
	PYTHONPATH="$(CURDIR)/examples" .venv/bin/python examples/airflow/prove.py $(PROVE)

.PHONY: bench
bench: env ## ratios against peers and bare Python, and the chart in the docs (BENCH=--help)
	$(RUN) bench.values --chart docs/pictures/bench.svg $(BENCH)

.PHONY: compare
compare: env ## the comparison with the peers, into the docs (network; COMPARE=--help)
	$(RUN) bench.comparison --write $(COMPARE)

.PHONY: migrations
migrations: env ## real projects before and after the codemod, into the docs (network; MIGRATIONS=--help)
	$(RUN) bench.migrations --write $(MIGRATIONS)

.PHONY: executors
executors: env ## traverse beside the map of each executor, more and more items (EXECUTORS=--help)
	$(RUN) bench.executors $(EXECUTORS)

.PHONY: scopes
scopes: env ## what a scope costs, and the start of an interpreter (SCOPES=--help)
	$(RUN) bench $(SCOPES)

.PHONY: growth
growth: env ## how the cost grows from a hundred to a million (GROWTH=--help)
	$(RUN) bench.growth $(GROWTH)

.PHONY: imports
imports: env ## the time of an import, beside that of attrs
	$(RUN) bench.import_time

.PHONY: counts
counts: env ## instructions of the ten hottest operations, under callgrind (COUNTS=--help)
	$(RUN) bench.instructions $(COUNTS)

.PHONY: inject
inject: env ## interrupt resources and their peers at every place (INJECT=--help)
	$(RUN) bench.injection $(INJECT)

.PHONY: raises
raises: env ## the raises engine against real tests, Airflow and growing sources (network)
	$(RUN) bench.raises_recall
	$(RUN) bench.raises_airflow
	$(RUN) bench.raises_growth

.PHONY: pythons
pythons: env ## the runtime's tests and interrupts on every Python that is here (PYTHONS=--help)
	$(RUN) bench.pythons $(PYTHONS)

.PHONY: modes
modes: env ## the plugin's cases in every mode of mypy (MODES=--help)
	.venv/bin/python tests/plugin/modes.py $(MODES)

.PHONY: lock
lock: env ## write requirements/ anew from pyproject.toml (LOCK=--upgrade for newer pins)
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --all-extras --group dev $(LOCK) \
	  --output-file requirements/dev.txt pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --group release $(LOCK) --output-file requirements/release.txt

.PHONY: release-check
release-check: env ## make a release in dist/ and hold it against everything (network; RELEASE=--help)
	$(RUN) release $(RELEASE)

.PHONY: clean
clean: ## remove all that was made: environment, caches, output
	rm -rf .venv .pythons .bench .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist out
	rm -rf src/*.egg-info src/resultflow/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
