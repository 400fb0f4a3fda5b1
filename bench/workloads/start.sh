# From exec to the first answer, with a database that has its tables already: the embedded one, and
# one that runs beside the platform.

with_load "start to ready, embedded database"
kill "$server" && wait "$server" 2>/dev/null || true
"$bench" startup --times "$rounds" --settle 1 --url "$url/health" -- target/release/agentarea serve

own_database
DATABASE_URL="$database_url" target/release/agentarea migrate >/dev/null
with_load "start to ready, external database"
DATABASE_URL="$database_url" "$bench" startup --times "$rounds" --settle 1 --url "$url/health" -- target/release/agentarea serve

background target/release/agentarea serve; server="$started"
answers "$url/health"
