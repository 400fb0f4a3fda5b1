#!/usr/bin/env bash
# Provides Rust's standard library for WASM: from rustup, else compiled from Debian's sources.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

has_wasm_std rustc && exit
if [[ -x "$wasm_rust/bin/rustc" ]] && "$wasm_rust/bin/rustc" --version >/dev/null && has_wasm_std "$wasm_rust/bin/rustc"; then
  exit
fi

if has rustup; then
  step "Adding Rust's WASM target with rustup"
  if timeout 300 rustup target add wasm32-unknown-unknown; then
    exit
  fi
  warn "rustup could not download the WASM target; trying Debian's Rust sources"
fi

packages=(rustc-web cargo-web rust-web-src rust-web-llvm lld)
if ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  has apt-get || fail "the WASM target is missing; run: rustup target add wasm32-unknown-unknown"
  step "Installing Debian's Rust for the browser half: ${packages[*]}"
  source scripts/apt.sh
  apt_install "${packages[@]}"
fi

step "Compiling the WASM standard library once (about a minute)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
touch "$work/src/lib.rs"
printf '[package]\nname = "seed"\nedition = "2024"\n' >"$work/Cargo.toml"
# Debian's stable compiler accepts -Zbuild-std only with the bootstrap switch. The release build
# optimises across crates (LTO), which needs the library's bitcode.
(cd "$work" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS='-C embed-bitcode=yes' \
  CARGO_TARGET_DIR="$work/target" \
  /usr/bin/cargo build -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown --release)

# A system root made of links to /usr plus the new library: nothing outside the cache changes,
# and no administrator is needed. Only builds of the browser half use it.
step "Linking it into $wasm_rust"
new="$wasm_rust.new"
rm -rf "$new"
mkdir -p "$new/bin" "$new/lib/rustlib/wasm32-unknown-unknown/lib"
find /usr/lib/rustlib -mindepth 1 -maxdepth 1 ! -name wasm32-unknown-unknown \
  -exec ln -s -t "$new/lib/rustlib" {} +
find "$work/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libseed-*' \
  -exec cp -t "$new/lib/rustlib/wasm32-unknown-unknown/lib" {} +
printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot "%s" "$@"\n' "$wasm_rust" >"$new/bin/rustc"
chmod +x "$new/bin/rustc"
rm -rf "$wasm_rust"
mv "$new" "$wasm_rust"
has_wasm_std "$wasm_rust/bin/rustc" || fail "the compiled WASM library is not found by $wasm_rust/bin/rustc"
