#!/usr/bin/env bash
# What a change must satisfy besides its tests: formatting and lints, warnings being errors.
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
