//! A table that nobody can write to for a while.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testkit::TestDb;

/// Longest wait for somebody who writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever writes to the table waits until this is released or dropped. Reading goes on.
pub struct HeldTable {
    table: &'static str,
    holder: PgConnection,
}

impl HeldTable {
    pub async fn hold(db: &TestDb, table: &'static str) -> Self {
        let holder = PgConnection::connect(&db.superuser_url()).await;
        let mut held = Self {
            table,
            holder: holder.expect("a connection"),
        };
        held.run("begin".to_owned()).await;
        held.run(format!("lock table {table} in share mode")).await;
        held
    }

    /// Waits until somebody waits for the table.
    pub async fn is_awaited(&mut self) {
        let waiting = "select count(*) from pg_locks where relation = $1::regclass and not granted";
        let begun = Instant::now();
        loop {
            let count = sqlx::query_scalar(waiting).bind(self.table);
            let count: i64 = count.fetch_one(&mut self.holder).await.expect("a count");
            if count > 0 {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "nobody writes to {}",
                self.table
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn release(mut self) {
        self.run("commit".to_owned()).await;
    }

    async fn run(&mut self, sql: String) {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        done.execute(&mut self.holder).await.expect("done");
    }
}
