#!/usr/bin/env bash
# Refreshes .sqlx: starts a throw-away PostgreSQL, applies the migrations, and compiles crates/store against it.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(dirname "$(ls -1 /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1 || command -v initdb)")
folder=$(mktemp -d /tmp/agentarea-sql.XXXXXX)
user=$(id -un)
as=()
if [ "$user" = root ]; then
  chown postgres "$folder"
  as=(setpriv --reuid postgres --regid postgres --clear-groups)
fi
trap '"${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null; rm -rf "$folder"' EXIT

(cd / && "${as[@]}" "$bin/initdb" -D "$folder/data" -U postgres -A trust -N >/dev/null)
(cd / && "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" -o "-k $folder -c listen_addresses='' -c fsync=off" start >/dev/null)
for file in migrations/*.sql; do
  psql -q -h "$folder" -U postgres -v ON_ERROR_STOP=1 -1 -f "$file"
done

rm -rf .sqlx && mkdir .sqlx
touch crates/store/src/lib.rs
# The whole workspace, because a selection of one crate compiles every dependency with other features.
# Crates above the store may be broken at this moment; only the store must compile.
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx" DATABASE_URL="postgres://postgres@localhost/postgres?host=$folder" \
  cargo check --release --workspace --exclude frontend "$@" 2>&1 | tee "$folder.log" || true
! grep -q 'could not compile `store`' "$folder.log"
rm "$folder.log"
echo "$(ls .sqlx | wc -l) queries written to .sqlx"
