//! Which tables there are, found out from the database itself, so that none is forgotten.

use anyhow::Context;
use sqlx::PgConnection;

/// A table of the product.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// All but generated ones.
    pub(super) columns: Vec<String>,
    /// The primary key, to sort by: equal contents have equal hashes, whatever the collation.
    pub(super) order: Vec<String>,
    /// Whether rows belong to workspaces and only their tenant sees them.
    pub(super) is_tenants: bool,
    /// Whether even the owner sees what the policies let it.
    pub(super) is_forced: bool,
}

/// The tables, each after those that it refers to.
pub(super) async fn list(db: &mut PgConnection) -> anyhow::Result<Vec<Table>> {
    let rows = sqlx::query!(
        r#"select c.oid::bigint as "oid!", c.relname::text as "name!",
             c.relforcerowsecurity as "is_forced!",
             array(select a.attname::text from pg_attribute a
               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 and a.attgenerated = '' order by a.attnum) as "columns!",
             array(select quote_ident(a.attname)
                 || case when a.attcollation <> 0 then ' collate "C"' else '' end
               from pg_index i
               cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, number)
               join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
               where i.indrelid = c.oid and i.indisprimary order by k.number) as "order!",
             array(select f.confrelid::bigint from pg_constraint f
               where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as "refers!"
           from pg_class c
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and not c.relispartition and c.relname <> '_sqlx_migrations'
           order by c.relname"#
    )
    .fetch_all(db)
    .await
    .context("list the tables")?;
    let mut rows = rows;
    let mut done: Vec<i64> = Vec::new();
    let mut tables = Vec::new();
    while !rows.is_empty() {
        let waits = |refers: &[i64], done: &[i64]| {
            let is_open = |oid: &i64| !done.contains(oid);
            refers.iter().any(is_open)
        };
        let ready = rows.iter().position(|row| !waits(&row.refers, &done));
        // In a circle, the first one begins.
        let row = rows.remove(ready.unwrap_or(0));
        done.push(row.oid);
        tables.push(Table {
            is_tenants: row.is_forced && row.columns.iter().any(|name| name == "workspace_id"),
            is_forced: row.is_forced,
            name: row.name,
            columns: row.columns,
            order: row.order,
        });
    }
    Ok(tables)
}

/// A name in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names in a statement.
pub(super) fn quoted_list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}
