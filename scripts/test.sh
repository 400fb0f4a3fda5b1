#!/usr/bin/env bash
# Runs every test: Rust first, then the browser. Both run even if the first fails.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh test
scripts/build.sh
scripts/fetch-model.sh
scripts/mcp-peers.sh
export AGENTAREA_BIN="$root/target/release/agentarea"

engine=tested
if ((EUID != 0)) && [[ -z "${AGENTAREA_TEST_ENGINE:-}" ]]; then
  export AGENTAREA_TEST_ENGINE=none
fi
[[ "${AGENTAREA_TEST_ENGINE:-}" != none ]] || engine='NOT TESTED (needs root)'

# The browser half is left out: it turns on features that contradict the server's.
rust_tests() {
  if has cargo-nextest; then
    cargo nextest run --workspace --exclude frontend --cargo-profile release --no-fail-fast
  else
    note "cargo-nextest is not installed: using cargo test"
    cargo test --workspace --exclude frontend --release --no-fail-fast
  fi
}

# Tests write here what they could not look at on this machine.
gaps="$(mktemp)"
trap 'rm -f "$gaps"' EXIT

rust=passed browser=passed
step "Rust tests"
AGENTAREA_TEST_GAPS="$gaps" rust_tests || rust=FAILED
scripts/e2e.sh || browser=FAILED

sort -u "$gaps" | while read -r gap; do warn "NOT TESTED: $gap"; done
step "Rust tests $rust, browser tests $browser, containers $engine"
[[ "$rust$browser" == passedpassed ]]
