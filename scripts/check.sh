#!/usr/bin/env bash
# What a change must satisfy besides its other tests: formatting, lints with warnings being errors, and
# the boundaries between crates.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir -p target/site
step "Formatting"
cargo fmt --all --check
step "Lints: server"
cargo clippy --release --workspace --exclude frontend --all-targets -- -D warnings
step "Lints: browser"
if has_wasm_std rustc; then
  cargo clippy -p frontend --target wasm32-unknown-unknown -- -D warnings
else
  # The substitute toolchain has no clippy; a build still shows the compiler's warnings.
  warn "clippy needs rustup's WASM target; compiling without it"
  (use_wasm_rust && cargo check -p frontend --target wasm32-unknown-unknown)
fi
step "Boundaries between crates"
if has cargo-nextest; then
  cargo nextest run --workspace --exclude frontend --cargo-profile release -E 'test(/^boundaries::/)'
else
  cargo test --workspace --exclude frontend --release boundaries::
fi
