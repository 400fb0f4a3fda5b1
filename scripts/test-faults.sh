#!/usr/bin/env bash
# Runs the tests that break things, with many more rounds than `make test`: 500 crashes in the
# middle of an answer, 50 stops, 50 outages of the database, 200 crashes among containers. One after
# another, so that a slow machine does not make them fail.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh test
scripts/build.sh
export FAULT_ROUNDS=many

if has cargo-nextest; then
  exec cargo nextest run --profile faults --workspace --exclude frontend --cargo-profile release \
    --no-fail-fast --test-threads 1 --success-output final -E "test(/^(crash|faults|database)::/)"
fi
note "cargo-nextest is not installed: using cargo test"
for tests in crash:: faults:: database::; do
  cargo test --workspace --exclude frontend --release --test it -- --test-threads 1 --nocapture "$tests"
done
