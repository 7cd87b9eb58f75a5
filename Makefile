# From a bare clone: `make run` starts the switch with its demo, `make test` runs every check.
# Each makes .venv and installs what it needs; a second time that takes no time.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
CONFIG ?= configs/demo
DATA ?= var
ARGS ?=
PYTEST_ARGS ?=

STAMP := .venv/.installed
STAMP_TEST := .venv/.installed-test
STAMP_BENCH := .venv/.installed-bench

.PHONY: help run test test-full bench lint format clean

help:
	@echo 'make run        the switch with its demo (CONFIG=$(CONFIG) DATA=$(DATA) ARGS=)'
	@echo 'make test       style, types, import contracts, tests (PYTEST_ARGS=)'
	@echo 'make test-full  the same with the long runs'
	@echo 'make bench      CPU and memory per call and registration, beside Sippy and Kamailio'
	@echo 'make lint       style, types, import contracts'
	@echo 'make format     format the code'
	@echo 'make clean      remove .venv and caches (keeps $(DATA)/)'

$(STAMP): pyproject.toml .ci/venv .ci/packages
	@.ci/packages run
	@.ci/venv '' $@

$(STAMP_TEST): $(STAMP)
	@.ci/packages test
	@.ci/venv test $@

$(STAMP_BENCH): $(STAMP)
	@.ci/packages bench
	@.ci/venv bench $@

run: $(STAMP)
	@exec $(BIN)/vigie run --config '$(CONFIG)' --data '$(DATA)' $(ARGS)

# Each tool has its say, whichever fails.
lint: $(STAMP_TEST)
	@status=0; \
	echo '== ruff check';   $(BIN)/ruff check --output-format concise switch policy tests || status=1; \
	echo '== ruff format';  $(BIN)/ruff format --check switch policy tests || status=1; \
	echo '== mypy';         $(BIN)/mypy || status=1; \
	echo '== import rules'; $(BIN)/lint-imports --no-cache | sed -n '/^Analyzed/,$$p'; \
	[ "$${PIPESTATUS[0]}" -eq 0 ] || status=1; \
	exit $$status

format: $(STAMP_TEST)
	$(BIN)/ruff format switch policy tests
	$(BIN)/ruff check --fix switch policy tests

# Style and tests are both told, whichever fails.
test: $(STAMP_TEST)
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest -m 'not full' $(PYTEST_ARGS) || status=1; exit $$status

test-full: $(STAMP_TEST)
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest $(PYTEST_ARGS) || status=1; exit $$status

bench: $(STAMP_BENCH)
	$(BIN)/python tests/bench $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build *.egg-info
