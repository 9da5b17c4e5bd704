# What people and CI run. `make run` and `make test` are all that is needed to begin.

PORT ?= 9090
SHARDS ?= 1
REPLICAS ?= 3
RUNS ?= 10
PROFILE ?= dist
SOAK_SECS ?= 600

.PHONY: run test check fmt docs failures soak drill bench redis haproxy prometheus dist clean

# A service to try out, with a real Redis master and replicas, until Ctrl-C.
run: redis
	cargo build --locked
	@exec target/debug/cachefront dev --port $(PORT) --shards $(SHARDS) --replicas $(REPLICAS)

test: redis haproxy prometheus
	cargo test --locked
	python3 scripts/run_docs.py --self-test
	python3 scripts/run_docs.py
	python3 scripts/check_manifests.py --self-test

# Everything that can be said without running the service.
check: prometheus
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	cargo test --locked --test tidy
	python3 scripts/check_manifests.py
	sh scripts/check_alerts.sh

fmt:
	cargo fmt

# What is written from the code.
docs:
	CACHEFRONT_WRITE_DOCS=1 cargo test --locked --lib the_documentation_is_current
	python3 scripts/check_manifests.py --write-docs

# The table of docs/failures.md, from as many runs of the fault tests.
failures: redis
	cargo test --locked --test service --no-run
	@rm -f target/failures.jsonl
	@for run in $$(seq $(RUNS)); do echo "run $$run of $(RUNS)"; \
		CACHEFRONT_FAULT_REPORT=$(CURDIR)/target/failures.jsonl cargo test --locked --test service faults:: || exit 1; done
	python3 scripts/failures.py target/failures.jsonl docs/failures.md

# The coherence of the near cache, for SOAK_SECS.
soak: redis
	CACHEFRONT_SOAK_SECS=$(SOAK_SECS) cargo test --locked --test service near_cache::coherence -- --nocapture

# Fires every alert by a real fault, and repairs it, in a few minutes.
drill: redis prometheus
	cargo test --locked --test service drill:: -- --ignored --nocapture

# docs/benchmarks.md: what a request costs here and elsewhere, in about fifteen minutes. Debian or Ubuntu.
bench: redis
	@sh scripts/install_peers.sh
	cargo build --locked --release --bin cachefront --example bare --example drive
	python3 scripts/bench

# redis-server, if there is none.
redis:
	@sh scripts/install_redis.sh

# prometheus and promtool, if there are none and they can be had.
prometheus:
	@sh scripts/install_prometheus.sh

# haproxy, if there is none and it can be installed.
haproxy:
	@sh scripts/install_haproxy.sh

# What is shipped, in target/packages: a Debian package, an archive, checksums; as root, the package is also tried out
# in a clean Debian. The build takes minutes: PROFILE=dev is for those who work on packaging.
dist:
	cargo build --locked --profile $(PROFILE) --bin cachefront
	@sh scripts/package.sh $(PROFILE)
	@sh scripts/install_redis.sh
	@sh scripts/check_package.sh target/packages/*.deb

clean:
	cargo clean
