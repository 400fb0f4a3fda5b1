# Long: 200 conversations at 20 pieces of text a second for MINUTES (10). Prints latency, errors and
# how fast memory grew once the first minute was over, and in the second half. A conversation ends
# after ten answers: a run holds all of its conversation, which would only ever grow.

minutes="${MINUTES:-10}"
(
  while sleep 5; do
    awk -v now="$(date +%s)" '/^VmRSS/ { print now, $2 }' "/proc/$server/status"
  done >"$folder/memory"
) &
sampler=$!
pids+=("$sampler")
with_load "200 conversations, 20 pieces a second, $minutes minutes"
"$bench" aa-chat-load --label steady --url "$url" --key "$key" --pid "$server" --model mock-c250-p50 \
  --exchanges 10 -c 200 --ramp-ms 12500 --warmup 15 --duration $((minutes * 60))
# slope FROM: how fast memory grew from that minute on.
slope() {
  awk -v from="$1" 'NR == 1 { start = $1 } $1 - start >= from * 60 { n++; x = ($1 - start) / 60; sx += x; sy += $2; sxx += x * x; sxy += x * $2; last = $2; if (n == 1) first = $2 }
    END { if (n > 1) printf "    memory: %d KiB after %d min, %d at the end, slope %.0f KiB/min\n", first, from, last, (n * sxy - sx * sy) / (n * sxx - sx * sx) }' "$folder/memory"
}
slope 1
# By now the memory of recent conversations is full (32 MiB, `services/recents.rs`).
slope $((minutes / 2))
kill "$sampler"
