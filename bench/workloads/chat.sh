# What an answer costs: the first token, and each piece of text.

# compare_chat NAME LOAD METRIC...: the same load directly, through the relay, through AgentArea.
# EXCHANGES is how many a conversation has before the next begins, 0 for all in one.
compare_chat() {
  local name="$1" load="$2" metrics=() metric
  shift 2
  for metric in "$@"; do metrics+=(-m "$metric"); done
  with_load "$name"
  "$bench" compare --label "$name" --rounds "$rounds" \
    -v "direct=$bench chat-load --url http://127.0.0.1:9100/v1 $load" \
    -v "relay=$bench chat-load --url http://127.0.0.1:9101/v1 $load" \
    -v "agentarea=$bench aa-chat-load --url $url --key $key --exchanges ${EXCHANGES:-0} $load" \
    "${metrics[@]}"
}

# compare_cpu NAME LOAD: CPU time per piece of text, the platform's database included, against the
# relay's.
compare_cpu() {
  with_load "$1"
  "$bench" compare --label "$1" --rounds "$rounds" \
    -v "relay=$bench chat-load --url http://127.0.0.1:9101/v1 --pid $relay $2" \
    -v "agentarea=$bench aa-chat-load --url $url --key $key --pid $server $2" \
    -m server.cpu_us_per_chunk
}

EXCHANGES=10 compare_chat "first token, 1 user" "--model mock-c1-p0 -c 1 --warmup 0.5 --duration 3" ttft_us.p50 ttft_us.p99
compare_chat "first token, 1 user, after 200 messages" "--model mock-c1-p0 -c 1 --warmup 0.5 --duration 3" ttft_us.p50 ttft_us.p99
compare_chat "first token, 50 paced conversations" "--model mock-c250-p20 -c 50 --ramp-ms 1037 --warmup 0 --duration 8" ttft_us.p50 ttft_us.p99 chunk_us.p50
compare_chat "burst, 1 user" "--model mock-c500-p0 -c 1 --warmup 0.5 --duration 3" chunks_per_s chunk_us.p50
compare_cpu "CPU per piece, burst, 1 user" "--model mock-c2000-p0 -c 1 --warmup 0.5 --duration 4"
compare_cpu "CPU per piece, 50 paced conversations" "--model mock-c250-p20 -c 50 --ramp-ms 1037 --warmup 5 --duration 6"
