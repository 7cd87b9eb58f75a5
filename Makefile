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

.PHONY: help run test test-full bench bench-policy bench-usage lint format clean country-data bench-emergency geography bench-overload bench-emergency-faults bench-fleet

help:
	@echo 'make run        the switch with its demo (CONFIG=$(CONFIG) DATA=$(DATA) ARGS=)'
	@echo 'make test       style, types, import contracts, tests (PYTEST_ARGS=)'
	@echo 'make test-full  the same with the long runs'
	@echo 'make bench      CPU and memory per call and registration, beside Sippy and Kamailio'
	@echo 'make bench-emergency  how often the place of a phone is judged rightly, on 10,000 histories'
	@echo 'make country-data     a free country database of addresses, into $(DATA)/country'
	@echo 'make geography        the table of communes anew, once a year (VERSION=)'
	@echo 'make bench-fleet   10,000 devices: connecting, documents, a broker killed, 5,000 updates'
	@echo 'make bench-usage   what metering costs with 10,000 live calls, and how late a crossing is told'
	@echo 'make bench-policy  how well forbidden uses are found in made-up months'
	@echo 'make bench-overload          emergency calls at 5 times the load that can be carried'
	@echo 'make bench-emergency-faults  emergency calls while something is broken; announcements in time'
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
	@rm -rf .venv/lib/python*/site-packages/tests  # sippy installs its own, which would hide ours

run: $(STAMP)
	@exec $(BIN)/vigie run --config '$(CONFIG)' --data '$(DATA)' $(ARGS)

# Each tool has its say, whichever fails.
lint: $(STAMP_TEST)
	@status=0; \
	echo '== ruff check';   $(BIN)/ruff check --output-format concise switch policy firmware_agent tests || status=1; \
	echo '== ruff format';  $(BIN)/ruff format --check switch policy firmware_agent tests || status=1; \
	echo '== mypy';         $(BIN)/mypy || status=1; \
	echo '== import rules'; $(BIN)/lint-imports --no-cache | sed -n '/^Analyzed/,$$p'; \
	[ "$${PIPESTATUS[0]}" -eq 0 ] || status=1; \
	exit $$status

format: $(STAMP_TEST)
	$(BIN)/ruff format switch policy firmware_agent tests
	$(BIN)/ruff check --fix switch policy firmware_agent tests

# Style and tests are both told, whichever fails.
test: $(STAMP_TEST)
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest -m 'not full' $(PYTEST_ARGS) || status=1; exit $$status

test-full: $(STAMP_TEST)
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest $(PYTEST_ARGS) || status=1; exit $$status

bench: $(STAMP_BENCH)
	$(BIN)/python tests/bench $(ARGS)

bench-overload: $(STAMP_BENCH)
	$(BIN)/python tests/bench/overload.py

bench-emergency-faults: $(STAMP_TEST)
	$(BIN)/python -m pytest -q -s -m full \
	  tests/wire/test_emergency_faults.py tests/wire/test_announcement_times.py

bench-emergency: $(STAMP)
	$(BIN)/python tests/policy/histories.py

# Data for a trial; docs/emergency.md says what it is worth. npm knows where its packages are.
COUNTRY_PACKAGE := @ip-location-db/geo-whois-asn-country-mmdb
country-data:
	@command -v npm >/dev/null || { echo 'country-data needs npm (the Debian package npm)' >&2; exit 1; }
	@mkdir -p '$(DATA)/country'
	@cd '$(DATA)/country' && tar xzf "$$(npm pack --silent $(COUNTRY_PACKAGE))" --strip-components=1 && rm -f *.tgz
	@echo 'In vigie.toml: [networks] mmdb = "$(abspath $(DATA))/country/geo-whois-asn-country.mmdb"'
	@echo 'Licence and known faults: $(DATA)/country/README.md'

# The official geographic code changes on 1 January; the result belongs into the repository.
geography: $(STAMP)
	@command -v npm >/dev/null || { echo 'geography needs npm (the Debian package npm)' >&2; exit 1; }
	$(BIN)/python -m switch.facts.geography_build $(VERSION)

bench-fleet: $(STAMP_TEST)
	$(BIN)/python tests/bench/fleet.py $(ARGS)

bench-usage: $(STAMP)
	$(BIN)/python tests/bench/usage.py $(ARGS)

bench-policy: $(STAMP_TEST)
	$(BIN)/python tests/bench/detection.py $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build *.egg-info
