# How fast events become durable, against a bare client that inserts the same number of rows of
# 400 bytes by UNNEST, 100 at once.

own_database
for round in $(seq "$rounds"); do
  with_load "durable appends, round $round"
  "$bench" limits --folder "$folder" --database-url "host=$folder/postgres user=postgres dbname=postgres" |
    node -pe 'const r = JSON.parse(require("fs").readFileSync(0)).postgres; `    a bare client: ${Math.round(r.insert_100_by_unnest_c1.rows_per_s)} rows/s, four: ${Math.round(r.insert_100_by_unnest_c4.rows_per_s)}`'
  APPEND_URL="$database_url" \
    cargo bench -q --workspace --exclude frontend --bench append
done
