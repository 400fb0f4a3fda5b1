#!/usr/bin/env bash
# Rebuilds and reloads on every change. Debug builds: the first takes minutes.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if ! has cargo-leptos; then
  fail "cargo-leptos is not installed; it compiles for 5 to 20 minutes, once:
       cargo install --locked --features no_downloads cargo-leptos@0.3.9
     (later ones need a newer Rust than 1.95)"
fi
scripts/setup.sh
scripts/fetch-model.sh
use_wasm_rust
exec cargo leptos watch --split -- serve
