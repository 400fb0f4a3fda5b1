# Shared by every script: where things are, and how to speak to the person who waits.
# shellcheck shell=bash
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/agentarea"
tools="$cache/tools"
# Rust for the browser half where rustup cannot provide it; see scripts/wasm-std.sh.
wasm_rust="$cache/wasm-rust"

export PATH="$tools/bin:$root/node_modules/.bin:$HOME/.cargo/bin:$PATH"
# Compiler flags live in .cargo/config.toml; these variables would silently replace them.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
export CARGO_TARGET_DIR="$root/target"

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '%swarning:%s %s\n' "$bold" "$plain" "$*" >&2; }
fail() { printf '%serror:%s %s\n' "$bold" "$plain" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# at_least 1.96.0 1.95: is the first version the second or later?
at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

# One hash over names and contents of all files below the given paths.
hash_of() { find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1; }

# unchanged STAMP HASH: was this very input the last one recorded?
unchanged() { [[ -f "$1" && "$(<"$1")" == "$2" ]]; }

# Is the WASM standard library of the given rustc installed?
has_wasm_std() {
  local lib
  lib="$("$1" --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" || return 1
  compgen -G "$lib/libstd-*.rlib" >/dev/null
}

# Makes cargo compile with the substitute toolchain when the regular one has no WASM target.
use_wasm_rust() {
  has_wasm_std rustc && return
  [[ -x "$wasm_rust/bin/rustc" ]] || fail "no WASM standard library found; run scripts/setup.sh"
  export RUSTC="$wasm_rust/bin/rustc" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
}

# Version of wasm-bindgen in Cargo.lock; the command-line tool must be exactly the same.
wasm_bindgen_version() { awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock; }

# Version of the splitter: it must know what the macro of Leptos writes, so both are 0.2.
wasm_split_version=0.2.4

# Installs a folder's npm packages when its lock file differs from the one installed last.
npm_install() {
  local dir="$1" stamp="$1/node_modules/.agentarea-lock" lock
  lock="$(sha256sum <"$dir/package-lock.json")"
  unchanged "$stamp" "$lock" && return
  step "npm packages of $(cd "$dir" && pwd)"
  (cd "$dir" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error)
  printf '%s\n' "$lock" >"$stamp"
}

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return
  done
  return 1
}
