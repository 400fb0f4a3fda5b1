#!/usr/bin/env bash
# Puts programs of others that speak the Model Context Protocol, or imitate model providers, into
# the cache: tests talk to them.
# Tests that need one are skipped without it, so every failure here is only a warning.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

source_dir="$root/end2end/peers"
target="$cache/mcp-peers"
wanted="$(hash_of "$source_dir")"
unchanged "$target/stamp" "$wanted" && exit

give_up() {
  warn "$1; tests with it will be skipped"
  exit 0
}

step "Fetching the official MCP servers and clients, and a mock of model providers, for the tests (about 100 MB, once)"
mkdir -p "$target"
rm -f "$target/stamp"
cp "$source_dir"/* "$target/"
(cd "$target" && npm ci --no-audit --no-fund --loglevel=error) || give_up "npm could not install the TypeScript peers"
if [[ ! -x "$target/venv/bin/python" ]]; then
  python3 -m venv "$target/venv" || give_up "python3 has no venv for the Python peers"
fi
"$target/venv/bin/pip" install --quiet --disable-pip-version-check -r "$target/requirements.txt" ||
  give_up "pip could not install the Python peers"
printf '%s\n' "$wanted" >"$target/stamp"
