# Whether a piece of text costs the same in long answers and in long conversations.

for chunks in 500 5000 50000; do
  with_load "answers of $chunks pieces"
  "$bench" aa-chat-load --label "answer of $chunks" --url "$url" --key "$key" --pid "$server" \
    --model "mock-c$chunks-p0" -c 1 --warmup 0.5 --duration 4
done

# Each is one conversation that grows; the later ones hold what was said before.
for seconds in 1 4 16; do
  with_load "one conversation for $seconds s"
  "$bench" aa-chat-load --label "conversation for $seconds s" --url "$url" --key "$key" --pid "$server" \
    --model mock-c50-p0 -c 1 --warmup 0 --duration "$seconds"
done
