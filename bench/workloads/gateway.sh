# Tools through the gateway, against the same server called directly and through the relay.

background "$bench" mock-mcp --listen 127.0.0.1:9200; upstream="$started"
background "$bench" relay-limit --listen 127.0.0.1:9201 --upstream http://127.0.0.1:9200
answers http://127.0.0.1:9200/mcp
api POST /mcp-servers '{"name": "bench", "source": {"type": "remote", "url": "http://127.0.0.1:9200/mcp"}}' >/dev/null
for users in 1 8 32; do
  with_load "tools/call, $users callers"
  load="--driver raw --protocol 2026-07-28 -c $users --warmup 0.5 --duration 3"
  "$bench" compare --label "tools/call, $users callers" --rounds "$rounds" \
    -v "relay=$bench mcp-load --url http://127.0.0.1:9201/mcp --tool echo $load" \
    -v "direct=$bench mcp-load --url http://127.0.0.1:9200/mcp --tool echo $load" \
    -v "agentarea=$bench mcp-load --url $url/mcp --tool bench__echo --key $key --pid $server $load" \
    -m total_us.p50 -m total_us.p99 -m requests_per_s
done

# list_of SERVERS: lists the tools of so many servers, and says how often they were asked.
list_of() {
  "$bench" mcp-load --label "tools/list of $1 servers" --url "$url/mcp" --operation list --driver raw \
    --protocol 2026-07-28 --key "$key" --pid "$server" -c 1 --warmup 1 --duration 3
}
with_load "tools/list of one server"
list_of 1
for n in $(seq 2 200); do
  api POST /mcp-servers "{\"name\": \"bench-$n\", \"source\": {\"type\": \"remote\", \"url\": \"http://127.0.0.1:9200/mcp\"}}" >/dev/null
done
with_load "tools/list of 200 servers"
list_of 200

with_load "sessions opened and closed"
processes() { pgrep -cP "$server"; }
before="$(processes)"
"$bench" mcp-load --label "connect, call, disconnect" --url "$url/mcp" --tool bench__echo --key "$key" --driver sdk \
  -c 8 --warmup 0 --duration "${SESSIONS_SECONDS:-10}" --pid "$server"
note "processes of the server before: $before, after: $(processes)"
kill "$upstream"
