# Long: 200 conversations at 20 pieces of text a second for MINUTES (10), after FILLING (5) in which
# the memory of recent conversations fills up (32 MiB, `services/recents.rs`). Prints latency and
# errors of all of it, and how fast memory grew in each part. A conversation ends after ten answers:
# a run holds all of its conversation, which would only ever grow.

filling="${FILLING:-5}"
minutes=$((filling + ${MINUTES:-10}))
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
# slope FROM TO: how fast memory grew between those minutes.
slope() {
  awk -v from="$1" -v to="$2" 'NR == 1 { start = $1 } { x = ($1 - start) / 60 } x >= from && x <= to { n++; sx += x; sy += $2; sxx += x * x; sxy += x * $2; last = $2; if (n == 1) first = $2 }
    END { if (n > 1) printf "    memory: %d KiB after %d min, %d after %d, slope %.0f KiB/min\n", first, from, last, to, (n * sxy - sx * sy) / (n * sxx - sx * sx) }' "$folder/memory"
}
slope 1 "$filling"
slope "$filling" "$minutes"
kill "$sampler"
