.DEFAULT_GOAL := help
.PHONY: help run build test test-faults e2e check dev bench setup

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Install what is missing, build, and start the platform
	@scripts/run.sh

build: setup ## Build target/release/agentarea, one self-contained binary
	@scripts/build.sh

test: ## Run every test: Rust, then the browser
	@scripts/test.sh

test-faults: ## Run the fault tests with many more rounds (about an hour)
	@scripts/test-faults.sh

e2e: ## Run the browser tests against the binary built last
	@scripts/e2e.sh

check: ## Check formatting and lints
	@scripts/check.sh

dev: ## Rebuild and reload on every change (needs cargo-leptos)
	@scripts/dev.sh

bench: ## Measure speed under load
	@scripts/bench.sh $(WORKLOADS)

setup: ## Only install what is missing
	@scripts/setup.sh
