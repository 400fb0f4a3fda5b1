# How long the server takes to render a conversation of 100 messages.

connection="$(api POST /model-connections '{"name": "page", "kind": "openai_compatible", "base_url": "http://127.0.0.1:9100/v1"}' | field id)"
agent="$(api POST /agents "{\"name\": \"Page\", \"model\": {\"connection_id\": \"$connection\", \"name\": \"mock-c8-p0-b200\"}}" | field id)"
conversation="$(api POST /conversations "{\"agent_id\": \"$agent\"}" | field id)"
for n in $(seq 50); do
  api POST "/conversations/$conversation/messages" "{\"text\": \"Question $n: how do lists, **emphasis** and \`code\` look?\"}" >/dev/null
  api GET "/conversations/$conversation/events?until=idle&after=$((n * 4))" >/dev/null
done
curl -sf -c "$folder/cookies" -o /dev/null "$url/api/v1/session" -H "origin: $url" -H 'content-type: application/json' \
  -d '{"email": "bench@example.com", "password": "correct-horse-battery"}'
address="$url/conversations/$conversation"
messages="$(curl -sf -b "$folder/cookies" "$address" | grep -o 'Question [0-9]*:' | sort -u | wc -l)"
with_load "page of a conversation, $messages questions and as many answers"
# One connection, one request after the other.
for _ in $(seq 500); do printf 'url = "%s"\noutput = /dev/null\n' "$address"; done >"$folder/requests"
curl -s -b "$folder/cookies" -w '%{time_total}\n' -K "$folder/requests" | sort -n | awk '{ t[NR] = $1 * 1000 } END {
  printf "    %d pages: p50 %.2f ms, p99 %.2f ms\n", NR, t[int((NR + 1) / 2)], t[int(NR * 0.99)] }'
