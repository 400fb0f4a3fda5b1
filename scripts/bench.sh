#!/usr/bin/env bash
# Measures the platform beside raw programs on the same machine: scripts/bench.sh [NAME...] runs the
# named files of bench/workloads, else all but the long ones. ROUNDS (3) is how often each is run.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

workloads=("$@")
if ! ((${#workloads[@]})); then
  workloads=(chat length page append idle gateway start wasm)
  # Where a container engine answers, or one of our own can be started.
  if docker info >/dev/null 2>&1 || { has dockerd && ((EUID == 0)); }; then workloads+=(containers); fi
fi
for name in "${workloads[@]}"; do
  [[ -f "bench/workloads/$name.sh" ]] || fail "there is no bench/workloads/$name.sh"
done

scripts/setup.sh
scripts/build.sh
step "Load drivers"
(cd bench && CARGO_TARGET_DIR="$root/target/bench" cargo build --release)
bench="$root/target/bench/release/aa-bench"
rounds="${ROUNDS:-3}"
url=http://127.0.0.1:9300

folder="$(mktemp -d /tmp/agentarea-bench.XXXXXX)"
chmod 755 "$folder"
pids=()
# shellcheck disable=SC2329 # Called by the trap.
clean_up() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean_up EXIT

# background COMMAND...: runs it until the end; its number is in $started.
background() { "$@" >>"$folder/background.log" 2>&1 & started=$!; pids+=("$started"); }

# answers URL: waits until a server answers there.
answers() {
  for _ in $(seq 600); do curl -s -o /dev/null "$1" && return; sleep 0.1; done
  fail "no answer from $1; see $(cat "$folder"/*.log | tail -n 5)"
}

# A container engine of our own where none answers and one is measured, as the tests have.
if [[ " ${workloads[*]} " == *" containers "* ]] && has dockerd && ! docker info >/dev/null 2>&1; then
  export DOCKER_HOST="unix://$folder/engine.sock"
  background dockerd -H "$DOCKER_HOST" --data-root "$folder/engine" --exec-root "$folder/exec" \
    --pidfile "$folder/engine.pid" --bridge none --iptables=false --ip6tables=false \
    --shutdown-timeout 2 --log-level warn
  for _ in $(seq 300); do docker info >/dev/null 2>&1 && break; sleep 0.1; done
fi

# The platform, a model that costs nothing, and a relay that parses nothing before that model.
export AGENTAREA_DATA_DIR="$folder/data" AGENTAREA_LISTEN=127.0.0.1:9300 RUST_LOG=warn
export AGENTAREA_LIMITS__REQUESTS_PER_MINUTE=100000000 AGENTAREA_LIMITS__RUNS_PER_WORKSPACE=10000
export AGENTAREA_LIMITS__CONNECTIONS_PER_ADDRESS=100000 AGENTAREA_LIMITS__RUNS_PER_WORKER=10000
background target/release/agentarea serve; server="$started"
background "$bench" mock-llm --listen 127.0.0.1:9100
background "$bench" relay-limit --listen 127.0.0.1:9101 --upstream http://127.0.0.1:9100; relay="$started"
answers "$url/health"
export AGENTAREA_PASSWORD=correct-horse-battery
target/release/agentarea admin create-user --email bench@example.com --workspace Bench >/dev/null
key="$(target/release/agentarea admin create-api-key --email bench@example.com --workspace Bench)"

# own_database: a PostgreSQL beside the platform's; its address is in $database_url.
own_database() {
  local postgres as=(env)
  postgres="$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1)"
  database_url="postgres://postgres@localhost/postgres?host=$folder/postgres"
  [[ -d "$folder/postgres" ]] && return
  mkdir "$folder/postgres"
  if ((EUID == 0)); then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env)
    chown postgres:postgres "$folder/postgres"
  fi
  "${as[@]}" "$postgres/initdb" -D "$folder/postgres/data" -U postgres -A trust >/dev/null
  background "${as[@]}" "$postgres/postgres" -D "$folder/postgres/data" -k "$folder/postgres" -h '' -c shared_buffers=256MB
  for _ in $(seq 300); do "${as[@]}" "$postgres/pg_isready" -qh "$folder/postgres" && return; sleep 0.1; done
  fail "no database in $folder/postgres"
}

# api METHOD PATH [JSON]: a call of the platform's API; prints the answer.
api() {
  curl -sf -X "$1" "$url/api/v1$2" -H "authorization: Bearer $key" \
    ${3:+-H 'content-type: application/json' -d "$3"}
}

# field NAME: that field of the JSON object on standard input.
field() { node -pe "JSON.parse(require('fs').readFileSync(0))['$1']"; }

# with_load NAME: a step that also says how busy the machine was before.
with_load() { step "$1 (load average $(cut -d ' ' -f 1 /proc/loadavg))"; }

for name in "${workloads[@]}"; do
  # shellcheck source=/dev/null
  source "bench/workloads/$name.sh"
done
