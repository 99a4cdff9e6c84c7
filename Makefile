# `make report` and `make test` set up .venv by themselves. Python 3.11 or later with its venv module is all they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Where pip would fetch torch's CUDA build, some gigabytes of it, ask for the CPU build:
#   make test PIP_TORCH_FLAGS="--index-url https://download.pytorch.org/whl/cpu"
PIP_TORCH_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Written last, so that an interrupted install starts over.
INSTALLED := $(VENV)/installed

# Images of containers set it, and then every process compiles all that it imports anew: 6 s where it imports a framework.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: report originals quick test lint types check bounds bounds-ci bench diagnosis models dist clean

report: $(INSTALLED)
	$(BIN)/gatewise report

# The archives of the packages whose files are studied, about 155 MB, kept in the user's cache and checked each time.
originals: $(INSTALLED)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[originals]"
	$(BIN)/python -m compare.report.studies

# One thread each: torch's second one spins while it waits, and two workers share two cores. A file is one worker's, which makes
# what its tests share once; in the order of their names, which spreads the long ones.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
quick test: export OMP_NUM_THREADS := 1

# Less than a minute: lint, and the tests that need no framework, which can import none. tests/without_frameworks.py finds them.
quick: lint
	$(PYTEST) -q --without-frameworks

test: $(INSTALLED)
	KERAS_BACKEND=tensorflow $(PYTEST)
	KERAS_BACKEND=torch $(PYTEST) -m backend

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(INSTALLED)
	$(BIN)/mypy

# The lowest versions that are declared, and newer Pythons: what can be had here. TORCH=any takes torch's CUDA builds too.
bounds: $(INSTALLED)
	BOUNDS_TORCH=$(TORCH) $(BIN)/python -m tests.bounds.check

# What of it CI checks.
bounds-ci: $(INSTALLED)
	$(BIN)/python -m tests.bounds.check ci

check: lint types test
	$(BIN)/gatewise report --check

bench: $(INSTALLED)
	$(BIN)/python tests/benchmarks/bench_copying.py
	$(BIN)/python tests/benchmarks/bench_optimizers.py
	KERAS_BACKEND=tensorflow $(BIN)/python tests/benchmarks/bench_training.py
	KERAS_BACKEND=tensorflow $(BIN)/python tests/benchmarks/bench_emulation.py
	KERAS_BACKEND=tensorflow $(BIN)/python tests/benchmarks/bench_ported.py
	$(BIN)/python tests/benchmarks/bench_files.py

# Wrong and right ports by the hundred: what diagnose and compare_models say of them, in the results that are committed.
diagnosis: export OMP_NUM_THREADS := 1
diagnosis: $(INSTALLED)
	$(BIN)/python -m tests.acceptance.diagnose --out tests/acceptance/diagnose.json; first=$$?; \
	$(BIN)/python -m tests.acceptance.models --out tests/acceptance/models.json && exit $$first

# Whole models of every kind of step, drawn in Keras 3 and tf_keras and ported: the outcomes, which are committed.
models: export OMP_NUM_THREADS := 1
models: $(INSTALLED)
	$(BIN)/python -m tests.acceptance.ported --out tests/acceptance/ported.json

# The wheel is built from the source archive, so that what is missing there is missed.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')"
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	GATEWISE_DIST=dist $(BIN)/python -m pytest tests/shipping
	ls -l dist

clean:
	rm -rf $(VENV) .editable build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch first, alone and unconstrained but for its own version: its flags may name an index that lacks the other pinned versions,
# which the second install then puts in place.
$(INSTALLED): pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install $(PIP_TORCH_FLAGS) $(shell grep '^torch==' constraints.txt)
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev,reports]"
	touch $@
