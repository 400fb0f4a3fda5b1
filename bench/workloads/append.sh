# How fast events become durable, against a bare client that inserts the same number of rows of
# 400 bytes by UNNEST, 100 at once.

postgres="$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1)"
as=(env)
mkdir -p "$folder/postgres"
if ((EUID == 0)); then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups env)
  chown postgres:postgres "$folder/postgres"
fi
"${as[@]}" "$postgres/initdb" -D "$folder/postgres/data" -U postgres -A trust >/dev/null
background "${as[@]}" "$postgres/postgres" -D "$folder/postgres/data" -k "$folder/postgres" -h '' -c shared_buffers=256MB
socket="host=$folder/postgres user=postgres dbname=postgres"
for _ in $(seq 300); do "${as[@]}" "$postgres/pg_isready" -qh "$folder/postgres" && break; sleep 0.1; done
for round in $(seq "$rounds"); do
  with_load "durable appends, round $round"
  "$bench" limits --folder "$folder" --database-url "$socket" |
    node -pe 'const r = JSON.parse(require("fs").readFileSync(0)).postgres; `    a bare client: ${Math.round(r.insert_100_c1.rows_per_s)} rows/s, four: ${Math.round(r.insert_100_c4.rows_per_s)}`'
  APPEND_URL="postgres://postgres@localhost/postgres?host=$folder/postgres" \
    cargo bench -q --workspace --exclude frontend --bench append
done
