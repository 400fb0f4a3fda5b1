# What an open page costs that nothing is said to: memory and CPU per event stream.

agent="$(api GET /agents | node -pe 'JSON.parse(require("fs").readFileSync(0)).items[0]?.id ?? ""')"
if [[ -z "$agent" ]]; then
  connection="$(api POST /model-connections '{"name": "idle", "kind": "openai_compatible", "base_url": "http://127.0.0.1:9100/v1"}' | field id)"
  agent="$(api POST /agents "{\"name\": \"Idle\", \"model\": {\"connection_id\": \"$connection\", \"name\": \"mock-c1-p0\"}}" | field id)"
fi
for _ in $(seq 500); do api POST /conversations "{\"agent_id\": \"$agent\"}" | field id; done >"$folder/ids"
with_load "idle streams of 500 conversations"
"$bench" idle-sse --address 127.0.0.1:9300 --path '/api/v1/conversations/{id}/events' --ids "$folder/ids" \
  --key "$key" --pid "$server" --steps "${STREAMS:-1000,4000,10000}" --hold 20
