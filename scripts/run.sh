#!/usr/bin/env bash
# Sets up, builds and starts the platform with everything it needs inside.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh
scripts/build.sh
scripts/fetch-model.sh
step "Starting AgentArea (Ctrl-C stops it)"
exec target/release/agentarea serve "$@"
