#!/usr/bin/env bash
# Installs what a build needs and is missing; `setup.sh test` adds what the tests need.
# Safe to repeat. What it cannot install, it names together with the command that does.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rust_minimum=1.95
node_minimum=18

# Debian packages to install, and whether the machine has what they provide.
wanted=()
want() { wanted+=("$@"); }

has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

has cc || want build-essential
has curl || want curl ca-certificates
has_postgres || want postgresql
has node || want nodejs
has npm || want npm
has unzip || has python3 || want unzip
if [[ "${1:-}" == test ]]; then
  find_chromium >/dev/null || want chromium
  has openssl || want openssl
  # Tests of tool servers start an engine of their own, which takes root.
  has dockerd || ((EUID != 0)) || want docker.io iptables iproute2
  has podman || ((EUID != 0)) || want podman catatonit containernetworking-plugins
  has redis-server || want redis-server
fi

if ((${#wanted[@]})); then
  step "Installing with apt: ${wanted[*]}"
  source scripts/apt.sh
  # The platform starts a private PostgreSQL of its own: keep Debian from starting a public one.
  [[ " ${wanted[*]} " != *" postgresql "* ]] || no_debian_cluster
  [[ " ${wanted[*]} " != *" redis-server "* ]] || no_debian_redis
  apt_install "${wanted[@]}"
fi

node_version="$(node --version)"
at_least "${node_version#v}" "$node_minimum" ||
  fail "Node.js $node_version is too old; install $node_minimum or later: https://nodejs.org/en/download"

if ! has cargo; then
  step "Installing Rust with rustup into ~/.cargo and ~/.rustup"
  if ! curl --proto '=https' -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
    sh -s -- -y --no-modify-path --profile minimal -c clippy -c rustfmt; then
    warn "rustup could not be installed; trying Debian's Rust"
    source scripts/apt.sh
    apt_install rustc-web cargo-web
  fi
fi
rust_version="$(rustc --version | cut -d ' ' -f 2)"
at_least "$rust_version" "$rust_minimum" ||
  fail "Rust $rust_version is too old; run: rustup update stable   (or install it from https://rustup.rs)"

scripts/wasm-std.sh

# compile_tool CRATE VERSION OPTION...: installs a program of crates.io into the cache. Outside the
# project, so that its compiler flags do not apply.
compile_tool() {
  step "Compiling $1 $2 once (one or two minutes)"
  mkdir -p "$tools"
  (cd "$tools" && CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$cache/$1-build" \
    cargo install "$1" --version "$2" --root "$tools" --force "${@:3}")
  rm -rf "$cache/$1-build"
}

# It must match Cargo.lock. `--locked` would fail: the tool's own lock file names a crate version
# that no longer exists.
wasm_bindgen="$(wasm_bindgen_version)"
[[ "$(wasm-bindgen --version 2>/dev/null)" == "wasm-bindgen $wasm_bindgen" ]] ||
  compile_tool wasm-bindgen-cli "$wasm_bindgen" --bin wasm-bindgen

# It does not tell its version; cargo's list of what it installed does.
grep -qs "\"wasm_split_cli_support $wasm_split_version " "$tools/.crates.toml" ||
  compile_tool wasm_split_cli_support "$wasm_split_version" --features build-binary

npm_install .
