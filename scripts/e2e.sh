#!/usr/bin/env bash
# Drives the built binary with a real browser; arguments go to Playwright.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export AGENTAREA_BIN="${AGENTAREA_BIN:-$root/target/release/agentarea}"
[[ -x "$AGENTAREA_BIN" ]] || fail "$AGENTAREA_BIN does not exist; run: make build"
CHROMIUM_PATH="${CHROMIUM_PATH:-$(find_chromium)}" || fail "no Chromium found; run: scripts/setup.sh test"
export CHROMIUM_PATH

npm_install end2end
step "Browser tests"
cd end2end
exec npx playwright test "$@"
