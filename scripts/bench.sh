#!/usr/bin/env bash
# Measures the platform beside a mock model called directly and through a relay that parses nothing.
# Prints one JSON line per workload; ratios are against "direct". ROUNDS=3 by default.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh
scripts/build.sh
step "Load drivers"
(cd bench && CARGO_TARGET_DIR="$root/target/bench" cargo build --release)
bench="$root/target/bench/release/aa-bench"
rounds="${ROUNDS:-3}"

folder="$(mktemp -d /tmp/agentarea-bench.XXXXXX)"
pids=()
# shellcheck disable=SC2329 # Called by the trap.
clean_up() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean_up EXIT

export AGENTAREA_DATA_DIR="$folder/data" AGENTAREA_LISTEN=127.0.0.1:9300
export AGENTAREA_LIMITS__REQUESTS_PER_MINUTE=100000000 RUST_LOG=warn
target/release/agentarea serve >"$folder/server.log" 2>&1 & server=$!; pids+=("$server")
"$bench" mock-llm --listen 127.0.0.1:9100 >/dev/null & pids+=($!)
"$bench" relay-limit --listen 127.0.0.1:9101 --upstream http://127.0.0.1:9100 >/dev/null & pids+=($!)
for _ in $(seq 600); do curl -sf http://127.0.0.1:9300/health >/dev/null && break; sleep 0.1; done
AGENTAREA_PASSWORD=correct-horse-battery target/release/agentarea admin create-user --email bench@example.com --workspace Bench >/dev/null
key="$(target/release/agentarea admin create-api-key --email bench@example.com --workspace Bench)"

# compare NAME LOAD METRIC...: the same load directly, through the relay, through AgentArea.
compare() {
  local name="$1" load="$2" metrics=() metric
  shift 2
  for metric in "$@"; do metrics+=(-m "$metric"); done
  step "$name (load average $(cut -d ' ' -f 1 /proc/loadavg))"
  "$bench" compare --label "$name" --rounds "$rounds" \
    -v "direct=$bench chat-load --url http://127.0.0.1:9100/v1 $load" \
    -v "relay=$bench chat-load --url http://127.0.0.1:9101/v1 $load" \
    -v "agentarea=$bench aa-chat-load --url http://127.0.0.1:9300 --key $key --pid $server $load" \
    "${metrics[@]}"
}

compare "first token, 1 user" "--model mock-c1-p0 -c 1 --warmup 0.5 --duration 3" ttft_us.p50 ttft_us.p99
compare "first token, 50 paced conversations" "--model mock-c250-p20 -c 50 --ramp-ms 1037 --warmup 0 --duration 8" ttft_us.p50 ttft_us.p99 chunk_us.p50
compare "burst, 1 user" "--model mock-c500-p0 -c 1 --warmup 0.5 --duration 3" chunks_per_s chunk_us.p50

"$bench" mock-mcp --listen 127.0.0.1:9200 >/dev/null & pids+=($!)
"$bench" relay-limit --listen 127.0.0.1:9201 --upstream http://127.0.0.1:9200 >/dev/null & pids+=($!)
for _ in $(seq 100); do curl -s http://127.0.0.1:9200/mcp >/dev/null && break; sleep 0.1; done
curl -sf http://127.0.0.1:9300/api/v1/mcp-servers -H "authorization: Bearer $key" -H 'content-type: application/json' \
  -d '{"name": "bench", "source": {"type": "remote", "url": "http://127.0.0.1:9200/mcp"}}' >/dev/null
for users in 1 8 32; do
  step "tools/call, $users callers (load average $(cut -d ' ' -f 1 /proc/loadavg))"
  load="--driver raw --protocol 2026-07-28 -c $users --warmup 0.5 --duration 3"
  "$bench" compare --label "tools/call, $users callers" --rounds "$rounds" \
    -v "direct=$bench mcp-load --url http://127.0.0.1:9200/mcp --tool echo $load" \
    -v "relay=$bench mcp-load --url http://127.0.0.1:9201/mcp --tool echo $load" \
    -v "agentarea=$bench mcp-load --url http://127.0.0.1:9300/mcp --tool bench__echo --key $key --pid $server $load" \
    -m total_us.p50 -m total_us.p99 -m requests_per_s
done

step "Start to ready, embedded database already made"
kill "$server" && wait "$server" 2>/dev/null || true
"$bench" startup --times 3 --settle 1 --url http://127.0.0.1:9300/health -- target/release/agentarea serve

step "Browser half: what a first visit loads"
brotli='const z=require("zlib"),f=require("fs"),c=z.constants;let n=0;for(const p of process.argv.slice(1))
  n+=z.brotliCompressSync(f.readFileSync(p),{params:{[c.BROTLI_PARAM_QUALITY]:11,[c.BROTLI_PARAM_LGWIN]:24}}).length;
process.stdout.write(String(n))'
{
  read -r folder
  folder="target/site$folder"
  while read -r -a part; do
    files=("${part[@]:1}")
    size="$(node -e "$brotli" "$folder/agentarea.wasm" "${files[@]/#/$folder/}")"
    note "pages of ${part[0]}: $size bytes of WASM, brotli"
  done
} <target/web/browser.txt
