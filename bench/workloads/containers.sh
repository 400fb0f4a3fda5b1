# From nothing to the first answer of a tool server in a container: by the platform, and by
# `docker run` of the same image. Needs Docker.

if ! docker info >/dev/null 2>&1; then
  note "no container engine answers: not measured"
  return
fi
image=agentarea-bench/tool-server:1
mkdir -p "$folder/image"
rustc --edition=2024 -Copt-level=1 -Cpanic=abort -Ctarget-feature=+crt-static \
  -o "$folder/image/tool-server" crates/testkit/programs/tool_server.rs
tar -C "$folder/image" -c tool-server | docker import -c 'ENTRYPOINT ["/tool-server"]' - "$image" >/dev/null
source="{\"type\": \"container\", \"image\": \"$image\"}"
id="$(api POST /mcp-servers "{\"name\": \"cold\", \"source\": $source}" | field id)"

with_load "cold start of a tool server in a container"
node bench/workloads/cold-start.mjs "$url/api/v1/mcp-servers/$id" "$key" "$image" "${STARTS:-20}"
api DELETE "/mcp-servers/$id" >/dev/null
docker rmi -f "$image" >/dev/null
