# Needs CPython >= 3.11, pip and network to a package index; everything else is put into $(VENV).
# Every target prepares what it uses, so each works first, alone, and again.

VENV ?= .venv
WORKERS ?= 2
PYTEST_ARGS ?=
FAULTBENCH_ARGS ?=
LOOPBENCH_ARGS ?=

# Relative, so that a folder name with spaces does no harm.
PYTHON_IN = $(VENV)/bin/python
prepare = python=$$(PYTHON='$(PYTHON)' sh scripts/choose_python.sh) && "$$python" scripts/prepare_environment.py '$(VENV)'
# The tests' models are tiny: more threads than one a worker only get in each other's way.
pytest = OMP_NUM_THREADS=1 $(PYTHON_IN) -m pytest
spread = -n $(WORKERS) --dist worksteal
default = not slow and not browser and not gpu
# The last four are set by tests/conftest.py.
fast = $(default) and not scenario and not sweep and not install and not command

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-all test-browser lint notebooks bench faultbench loopbench e2e-colab clean

help:  ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):  *## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo:  ## Check the example models and write an HTML report for each
	@$(prepare)
	@$(PYTHON_IN) scripts/run_demo.py

test:  ## Run the tests; COVERAGE=yes also measures branch coverage, and fails below 90 % (core: 100 %)
	@$(prepare) test
ifdef COVERAGE
	$(pytest) $(spread) -m "$(default)" --cov --cov-report= $(PYTEST_ARGS)
	$(PYTHON_IN) -m coverage report --fail-under=90
	$(PYTHON_IN) -m coverage report --include='*/tierproof/core/*' --fail-under=100
else
	$(pytest) $(spread) -m "$(default)" $(PYTEST_ARGS)
endif

test-fast:  ## Run the tests for the inner loop: no scenarios, installs or processes, no sweeps over whole models
	@$(prepare) test
	$(pytest) $(spread) -m "$(fast)" --ignore=tests/scenarios --ignore=tests/faultbench --ignore=tests/loopbench $(PYTEST_ARGS)

test-all:  ## Run every test: also those that are slow, or need a browser or a GPU
	@$(prepare) test package lint e2e
	$(pytest) $(spread) $(PYTEST_ARGS)

test-browser:  ## Run the tests that need a headless Chromium
	@$(prepare) test e2e
	$(pytest) -m "browser and not gpu" $(PYTEST_ARGS)

lint:  ## Check style, types and layers
	@$(prepare) lint
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m ruff format --check .
	$(PYTHON_IN) -m mypy
	$(VENV)/bin/lint-imports
	$(PYTHON_IN) -m tierproof notebook build --check

notebooks:  ## Write notebooks/*.ipynb from their recipes
	@$(prepare) lint
	$(PYTHON_IN) -m tierproof notebook build

e2e-colab:  ## Run the notebooks on live Colab; needs an account, see docs/e2e-colab.md
	@$(prepare)
	$(PYTHON_IN) scripts/e2e_colab.py $(if $(GPU),--gpu $(GPU))

bench:  ## Run the benchmarks and print their tables
	@$(prepare) bench
	$(PYTHON_IN) benchmarks/run.py

faultbench:  ## Plant every bug of the fault bench, and print what is found, beside other tools
	@$(prepare) bench
	@[ -d faultbench/.peers ] || $(PYTHON_IN) -m pip install --quiet --disable-pip-version-check --no-deps \
		--target faultbench/.peers -r faultbench/peers.txt
	$(PYTHON_IN) -m faultbench $(FAULTBENCH_ARGS)

# The folder is called as installed packages' is, so that their lines are not taken for a user's.
loopbench:  ## Plant every fault of the loop bench, and print what the audit finds in them and in sound loops
	@$(prepare) bench
	@[ -d loopbench/.peers ] || $(PYTHON_IN) -m pip install --quiet --disable-pip-version-check --no-deps \
		--target loopbench/.peers/site-packages -r loopbench/peers.txt
	PYTHONPATH=loopbench/.peers/site-packages $(PYTHON_IN) -m loopbench $(LOOPBENCH_ARGS)

clean:  ## Remove the environment, reports, caches and builds
	rm -rf '$(VENV)' benchmarks/.bases faultbench/.peers loopbench/.peers benchmarks/.zoo reports build dist htmlcov .coverage .coverage.*
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests examples scripts benchmarks faultbench loopbench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
