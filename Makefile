# One command per chore, in the active environment; CONTRIBUTING.md explains them.
PYTHON := python
# The checkout goes before an installed package.
export PYTHONPATH := $(CURDIR)

.PHONY: check lint types layers words unused docstrings safety test fast docs \
        kernels fuzz bench-smoke names fix hooks

check: lint types layers words unused docstrings safety  ## everything but the tests

lint:
	ruff check .
	ruff format --check .

types:
	$(PYTHON) -m mypy

layers:  ## imports go one way down
	lint-imports --no-cache

words:  ## spelling
	git ls-files -z | xargs -0 codespell

unused:  ## dead code
	vulture

docstrings:  ## sections and layout of docstrings
	git ls-files -z 'langalign_sk/*.py' | xargs -0 numpydoc lint

safety:  ## calls that may run, open or trust what a stranger wrote
	bandit -q -c pyproject.toml -r langalign_sk benchmarks examples

test:  ## all tests, and the examples of all docstrings
	$(PYTHON) -m pytest

fast:  ## the tests that take less than a second or two each
	OPENBLAS_NUM_THREADS=1 $(PYTHON) -m pytest -m "not slow"

kernels:  ## numerical tests under other kernels of the processor, and on busy cores
	.ci/kernels

fuzz:  ## input that breaks a promise, for ten minutes; what it finds goes to tests/fuzz/cases
	$(PYTHON) -m pytest tests/fuzz --hypothesis-profile=long

docs:  ## pages without a warning, and the examples in them
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	$(PYTHON) -m sphinx -q -W --keep-going -b doctest docs docs/_build/doctest

bench-smoke:  ## ratios of a small benchmark run, in a minute or two
	$(PYTHON) -m benchmarks run --smoke

names:  ## write the list of public names anew
	$(PYTHON) tests/test_public_names.py

fix:  ## what can be mended by itself
	ruff check --fix .
	ruff format .

hooks:  ## check every commit
	pre-commit install
