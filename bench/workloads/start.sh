# From exec to the first answer, with the embedded database already made.

with_load "start to ready"
kill "$server" && wait "$server" 2>/dev/null || true
"$bench" startup --times 3 --settle 1 --url "$url/health" -- target/release/agentarea serve
background target/release/agentarea serve; server="$started"
answers "$url/health"
