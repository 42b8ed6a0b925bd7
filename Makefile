# The front door. Every target calls CMake, ctest or a script of tools/; nothing is decided here.
# `make help` prints the comments behind the targets.

CTEST = ctest --test-dir build/asan --output-on-failure --no-tests=error -j 2

.PHONY: help setup all build build-tests run test test-short check conformance power chaos mutants tsan fuzz bench soak sizes numbers \
        layers style format format-check codes where clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: ## install what building and testing needs (Debian 12, apt; says what it does)
	@tools/setup test

all: build
build: ## build the programs into build/bin
	@tools/setup run
	@cmake --preset release > /dev/null
	@cmake --build --preset release

run: build ## the demo: server, broker and 50 devices on this machine; ARGS=--once ends by itself
	@tools/demo $(ARGS)

build-tests:
	@cmake --preset asan > /dev/null
	@cmake --build --preset asan

test: ## all tests under ASan and UBSan; T=name runs those whose name matches, SEED=n repeats a run
	@tools/setup test
	@$(MAKE) --no-print-directory build build-tests
	@$(CTEST) $(if $(T),-R "$(T)")

test-short: build-tests ## unit tests, saved fuzz inputs, layers and style; under a minute once built
	@$(CTEST) -L short

conformance: ## judge a port, a line per promise; PORT=sim|sim-encrypted|posix|template|DIR T=flash.
	@tools/setup test
	@tools/conformance $(or $(PORT),posix) $(T)

chaos: ## kill devices, server and broker at random moments; nothing may be lost; SEED=n repeats a run
	@tools/setup test
	@$(MAKE) --no-print-directory build build-tests
	@MOULT_CHAOS=long $(CTEST) -R chaos --verbose

mutants: ## plant each bug of tests/mutants/; the device's tests must notice every one; M=name plants one
	@tools/setup test
	@tools/mutate $(M)

tsan: ## the server's tests under the thread sanitizer
	@cmake --preset tsan > /dev/null
	@cmake --build --preset tsan
	@ctest --test-dir build/tsan --output-on-failure --no-tests=error -L tsan

power: build-tests ## a cut at every operation of an update; T=story, C=config, EFFORT=test, ID=line repeats one
	@build/asan/bin/power $(if $(ID),--replay $(ID),--effort $(or $(EFFORT),test) $(if $(T),--story $(T)) $(if $(C),--config $(C)))

fuzz: ## every fuzz target from its saved corpus, SECONDS_EACH=60
	@tools/fuzz $(SECONDS_EACH)

bench: ## our HTTP server beside nginx in one run, against tests/bench/budgets.tsv; ROUNDS=15
	@tools/setup check
	@cmake --preset bench > /dev/null
	@cmake --build --preset bench --target bench_programs
	@MOULT_BIN=build/bench/bin tests/bench/bench_http.sh $(ROUNDS)

soak: ## hours: every way to cut power, SECONDS_EACH=3600 of fuzzing per target, then chaos ROUNDS=20 times with new seeds
	@$(MAKE) --no-print-directory power EFFORT=soak
	@NETWORK_FULL=1 build/asan/bin/test_device_network_faults
	@NETWORK_SEEDS=200 build/asan/bin/test_device_network_soak
	@HOSTILE_RUNS=2000 build/asan/bin/test_device_hostile_server
	@HOSTILE_RUNS=2000 build/asan/bin/test_device_hostile_network
	@$(MAKE) --no-print-directory mutants
	@tools/fuzz $(or $(SECONDS_EACH),3600)
	@for round in $$(seq $(or $(ROUNDS),20)); do SEED= $(MAKE) --no-print-directory chaos || exit 1; done

check: ## exactly what CI runs
	@.ci/run

sizes: ## code, RAM, stack and heap calls of the device library on RV32IMC, against its budget
	@tools/size-report

numbers: ## function and file lengths, comments, asserts, heap calls
	@tools/numbers

layers: ## who may include whom
	@tools/check-layers

style: ## named style warnings; tools/check-style -h NAME explains one
	@tools/check-style

format: ## lay out the C sources in place
	@tools/format

format-check:
	@tools/format --check

codes: ## after a change of api/codes.tsv: check it and bring docs/errors/ in step
	@tools/gen-error-pages
	@tools/gen-codes --check api/codes.tsv docs/errors

where: ## W=otadata: header, source, pages, spec and tests of a module
	@git ls-files | grep -E "(^|/)$(or $(W),NAME)([._]|$$)" || echo "nothing is called $(W)"

clean: ## remove everything built
	rm -rf build
