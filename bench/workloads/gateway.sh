# Tools through the gateway, against the same server called directly and through the relay; and
# through mcp-proxy, which speaks 2025-11-25, if MCP_PROXY is its program (`cargo install mcp-proxy`).

counts="$folder/mcp-counts"
background "$bench" mock-mcp --listen 127.0.0.1:9200 --count-file "$counts"; upstream="$started"
background "$bench" relay-limit --listen 127.0.0.1:9201 --upstream http://127.0.0.1:9200; mcp_relay="$started"
answers http://127.0.0.1:9200/mcp
if [[ -n "${MCP_PROXY:-}" ]]; then
  cat >"$folder/mcp-proxy.toml" <<'CONFIG'
[proxy]
name = "bench"
separator = "__"
[proxy.listen]
host = "127.0.0.1"
port = 9210
[observability]
audit = false
log_level = "warn"
[[backends]]
name = "b"
transport = "http"
url = "http://127.0.0.1:9200/mcp"
CONFIG
  background "$MCP_PROXY" -c "$folder/mcp-proxy.toml"; mcp_proxy="$started"
  answers http://127.0.0.1:9210/
fi
api POST /mcp-servers '{"name": "bench", "source": {"type": "remote", "url": "http://127.0.0.1:9200/mcp"}}' >/dev/null
for protocol in ${PROTOCOLS:-2026-07-28 2025-11-25}; do
  for users in ${USERS:-1 8 32}; do
    with_load "tools/call, $protocol, $users callers"
    load="--driver raw --protocol $protocol -c $users --warmup 0.5 --duration ${SECONDS_EACH:-3}"
    peer=()
    if [[ -n "${MCP_PROXY:-}" && "$protocol" == 2025-11-25 ]]; then
      peer=(-v "mcp-proxy=$bench mcp-load --url http://127.0.0.1:9210/ --tool b__echo --pid $mcp_proxy $load")
    fi
    "$bench" compare --label "tools/call, $protocol, $users callers" --rounds "$rounds" \
      -v "relay=$bench mcp-load --url http://127.0.0.1:9201/mcp --tool echo --pid $mcp_relay $load" \
      -v "direct=$bench mcp-load --url http://127.0.0.1:9200/mcp --tool echo --pid $upstream $load" \
      "${peer[@]}" \
      -v "agentarea=$bench mcp-load --url $url/mcp --tool bench__echo --key $key --pid $server $load" \
      -m total_us.p50 -m total_us.p99 -m requests_per_s -m server.cpu_us_per_request
  done
done

# list_of SERVERS: lists the tools of so many servers, and says how often they were asked.
list_of() {
  "$bench" mcp-load --label "tools/list of $1 servers" --url "$url/mcp" --operation list --driver raw \
    --protocol 2026-07-28 --key "$key" --pid "$server" -c 1 --warmup 1 --duration 3
}
# asked_for_lists: how often the server behind the gateway was asked for its tools.
asked_for_lists() { sleep 0.5; cut -d ' ' -f 1 "$counts"; }
if [[ -z "${NO_LISTS:-}" ]]; then
  with_load "tools/list of one server"
  asked="$(asked_for_lists)"
  one="$(list_of 1)"; echo "$one"
  note "the server behind it was asked $(($(asked_for_lists) - asked)) times meanwhile"
  for n in $(seq 2 200); do
    api POST /mcp-servers "{\"name\": \"bench-$n\", \"source\": {\"type\": \"remote\", \"url\": \"http://127.0.0.1:9200/mcp\"}}" >/dev/null
  done
  with_load "tools/list of 200 servers"
  asked="$(asked_for_lists)"
  many="$(list_of 200)"; echo "$many"
  note "the servers behind it were asked $(($(asked_for_lists) - asked)) times meanwhile"
  median() { node -pe "JSON.parse(process.argv[1].trim().split('\n').at(-1)).total_us.p50" "$1"; }
  note "200 servers take $(node -pe "($(median "$many") / $(median "$one")).toFixed(1)") times as long as one (median)"
fi

# state_of_server: its processes (its own and those below), open files, and memory in KiB.
state_of_server() {
  echo "$(($(pgrep -cP "$server") + 1)) processes," "$(find "/proc/$server/fd" -mindepth 1 | wc -l) open files," \
    "$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status") KiB"
}
if [[ -z "${NO_CYCLES:-}" ]]; then
  with_load "sessions opened and closed"
  # A few first, so that what is made once is there before.
  node bench/workloads/cycles.mjs "$url/mcp" "$key" bench__echo 500 >/dev/null
  sleep 12 # What the sessions left behind has time to go.
  note "the server before: $(state_of_server)"
  node bench/workloads/cycles.mjs "$url/mcp" "$key" bench__echo "${CYCLES:-10000}"
  sleep 12
  note "the server after:  $(state_of_server)"
fi
kill "$upstream"
