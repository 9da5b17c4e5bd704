# The commands of the project. `make run` and `make test` are all that is needed to begin.

PORT ?= 9090
SHARDS ?= 1
REPLICAS ?= 3
RUNS ?= 10
PROFILE ?= release
SOAK_SECS ?= 600
SEEDS ?= 10000
FIRST_SEED ?= 0
SEED ?=
CASES ?= 1000000
FIRST_CASE ?= 0

# jemalloc runs on pages of the size that it was built for, and on smaller ones. Some ARM systems have pages of 64 KiB.
ifeq ($(shell uname -m),aarch64)
export JEMALLOC_SYS_WITH_LG_PAGE ?= 16
endif

.PHONY: run test check fmt docs site failures fuzz soak simulate mutations drill attack bench growth redis haproxy prometheus recipe-tools tools dist sbom clean

# Starts the service with a real Redis master and replicas, until Ctrl-C. It is the program that is shipped and measured;
# PROFILE=dev builds it sooner, for work on it.
run: redis
	cargo build --locked --profile $(PROFILE) --bin cachefront
	@exec target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/cachefront dev --port $(PORT) --shards $(SHARDS) --replicas $(REPLICAS)

# Runs the tests, the examples of the documentation, the checks of a running service by schemathesis and in a browser, and the
# tests of the checks themselves. Most tests wait for processes more than they compute, so there are half as many again at a
# time as there are processors.
test: export RUST_TEST_THREADS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2)))
test: redis haproxy prometheus recipe-tools
	cargo test --locked
	python3 scripts/run_docs.py --self-test
	python3 scripts/run_docs.py
	python3 scripts/check_docs.py --self-test
	python3 scripts/check_manifests.py --self-test
	python3 scripts/simulation_mutations.py --check
	python3 scripts/check_service.py
	python3 scripts/attack --short --program target/debug/cachefront

# Checks everything that can be checked without running the service.
check: prometheus tools
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	cargo test --locked --test tidy
	@sh scripts/lint.sh
	python3 scripts/check_msrv.py
	python3 scripts/check_docs.py
	python3 scripts/check_manifests.py
	@sh scripts/check_alerts.sh

# Formats Rust and Python.
fmt: tools
	cargo fmt
	$$(sh scripts/install_tools.sh ruff) format

# Writes the pages and tables that are made from the code.
docs:
	CACHEFRONT_WRITE_DOCS=1 cargo test --locked --lib the_documentation_is_current
	python3 scripts/check_manifests.py --write-docs

# Builds the documentation as a site with search: target/site/index.html.
site: tools
	python3 scripts/build_site.py

# Writes the table of docs/failures.md from RUNS runs of the fault tests.
failures: redis
	cargo test --locked --test service --no-run
	@rm -f target/failures.jsonl
	@for run in $$(seq $(RUNS)); do echo "run $$run of $(RUNS)"; \
		CACHEFRONT_FAULT_REPORT=$(CURDIR)/target/failures.jsonl cargo test --locked --test service faults::under_load || exit 1; done
	python3 scripts/failures.py target/failures.jsonl docs/failures.md

# Tests for SOAK_SECS that the near cache never returns outdated values.
soak: redis
	CACHEFRONT_SOAK_SECS=$(SOAK_SECS) cargo test --locked --test service near_cache::coherence -- --nocapture

# Checks the promises about freshness in SEEDS simulations, or prints the history of the one with the number SEED.
simulate:
	SEEDS=$(SEEDS) FIRST_SEED=$(FIRST_SEED) $(if $(SEED),SEED=$(SEED)) $(if $(EDITION),EDITION=$(EDITION)) $(if $(TRACE),TRACE=1) \
		cargo test --locked --profile simulation --test simulation every_promise -- --nocapture

# Sends CASES random streams to the lane and to hyper alone, and compares the answers.
fuzz:
	CASES=$(CASES) FIRST_CASE=$(FIRST_CASE) cargo test --locked --profile simulation --lib lane::tests -- --nocapture

# Takes repairs out of the store, one at a time, and writes what the simulation finds into docs/simulation.md. Takes an hour.
mutations:
	python3 scripts/simulation_mutations.py docs/simulation.md

# Fires every alert by a real fault, and repairs it, in a few minutes.
drill: redis prometheus
	cargo test --locked --test service drill:: -- --ignored --nocapture

# Attacks a release build with 512 MiB of memory, checks that a client beside it does not notice, and writes the table of
# docs/security.md.
attack: redis
	cargo build --locked --release --bin cachefront
	python3 scripts/attack --into docs/security.md

# Writes docs/benchmarks.md: the cost of a request here and in other services, in about twenty minutes. Debian or Ubuntu.
# With CORES=N, on a machine with at least N + 2 processors: the cost with 1, 2, 4, … N workers, in about four minutes.
bench: redis
	@sh scripts/install_peers.sh
	cargo build --locked --release --bin cachefront --example bare --example drive
	python3 scripts/bench $(if $(CORES),--cores $(CORES))

# Measures what callers notice while a shard is added; prints the tables of docs/topologies.md. Needs redis-cli.
growth: redis
	cargo build --locked --release --bin cachefront
	python3 scripts/growth.py

# Installs redis-server, if there is none.
redis:
	@sh scripts/install_redis.sh

# Installs prometheus and promtool, if they are missing.
prometheus:
	@sh scripts/install_prometheus.sh

# Installs haproxy, if there is none.
haproxy:
	@sh scripts/install_haproxy.sh

# Installs curl, jq and Python's requests for the recipes, if they are missing.
recipe-tools:
	@sh scripts/install_recipe_tools.sh

# Installs linters, mdBook and the npm packages of the checks into target/tools.
tools:
	@sh scripts/install_tools.sh

# Builds what is shipped, in target/packages: a Debian package, an archive and checksums. As root, it also tries the package
# out in a clean Debian. The build takes minutes; PROFILE=dev is quicker, for work on the packaging.
dist:
	cargo build --locked --profile $(PROFILE) --bin cachefront
	@sh scripts/package.sh $(PROFILE)
	@sh scripts/install_redis.sh
	@sh scripts/check_package.sh target/packages/*.deb

# Adds to target/packages the list of all crates in the program (SBOM) in CycloneDX's form.
sbom:
	@sh scripts/sbom.sh

clean:
	cargo clean
