//! F5: requests that are dropped at random points leave nothing behind in the pool.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};
use store::{Config, Store};
use testkit::{Proxy, TestDb};
use uuid::Uuid;

use crate::faults::rounds;
use crate::support::eventually;

#[tokio::test]
async fn dropped_transactions_leave_no_transaction_and_no_tenant() {
    let db = TestDb::create().await;
    let store = Store::new(Config::from_url(&db.url()).expect("a URL"));
    store.migrate().await.expect("migrated");
    let proxy = Proxy::to_database(&db).await;
    let slow = Store::new(Config {
        max_connections: 5,
        ..Config::from_url(&db.url_through(&proxy)).expect("a URL")
    });
    slow.ping().await.expect("connected");
    proxy.delay(Duration::from_millis(2));
    let mut watcher = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    let requests = rounds(1_000, 10_000) as u64;
    let mut leaks_seen = 0_i64;
    for round in 0..requests / 20 {
        let requests = (0..20).map(|number| {
            let seed = (round * 20 + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let patience = Duration::from_micros(seed % 12_000);
            let workspace_id = Uuid::from_u128(u128::from(number) + 1).into();
            let store = slow.clone();
            async move {
                tokio::time::timeout(patience, store.begin(workspace_id))
                    .await
                    .is_err()
            }
        });
        futures::future::join_all(requests).await;
        leaks_seen += open_transactions(&mut watcher, db.name()).await;
    }
    proxy.delay(Duration::ZERO);

    assert!(proxy.delayed_pieces() > 0, "the delay never landed");
    assert!(
        leaks_seen > 0,
        "no dropped transaction was ever left open, so nothing was tested"
    );
    // Dropped connections may still stand before the server's door, and no other gets in meanwhile.
    let is_open = eventually(async || {
        let opened = futures::future::join_all((0..5).map(|_| slow.system())).await;
        opened.iter().all(Result::is_ok)
    });
    assert!(is_open.await, "the pool is whole again");
    for _ in 0..20 {
        let mut connections = Vec::new();
        for _ in 0..5 {
            connections.push(slow.system().await.expect("a connection"));
        }
        for connection in &mut connections {
            let row = sqlx::query(
                "select coalesce(current_setting('app.workspace_id', true), ''), current_user::text,
                   (select count(*) from pg_locks where pid = pg_backend_pid() and mode like '%Exclusive%'
                      and locktype <> 'virtualxid')",
            );
            let row = row.fetch_one(&mut **connection).await.expect("a row");
            assert_eq!(row.get::<String, _>(0), "", "a tenant was left over");
            assert_eq!(row.get::<String, _>(1), db.owner(), "a role was left over");
            assert_eq!(row.get::<i64, _>(2), 0, "locks were left over");
        }
    }
    assert_eq!(open_transactions(&mut watcher, db.name()).await, 0);
}

#[tokio::test]
async fn listener_whose_connection_died_without_a_word_says_so() {
    let db = TestDb::create().await;
    let store = Store::new(Config::from_url(&db.url()).expect("a URL"));
    store.migrate().await.expect("migrated");
    let proxy = Proxy::to_database(&db).await;
    let far = Store::new(Config::from_url(&db.url_through(&proxy)).expect("a URL"));
    let mut changes = far.listen_for_tool_changes().await.expect("listening");
    let asked = proxy.bytes_to_server();

    let quiet = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    assert!(quiet.is_err(), "nothing has changed: {quiet:?}");
    assert!(
        proxy.bytes_to_server() > asked,
        "a sign of life is asked for"
    );
    assert!(proxy.freeze() > 0, "the connection is dead");
    let lost = tokio::time::timeout(Duration::from_secs(30), changes.next()).await;

    assert!(matches!(lost, Ok(Err(_))), "{lost:?}");
}

async fn open_transactions(watcher: &mut PgConnection, database: &str) -> i64 {
    let row = sqlx::query(
        "select count(*) from pg_stat_activity
         where datname = $1 and state like 'idle in transaction%'",
    );
    let row = row
        .bind(database)
        .fetch_one(watcher)
        .await
        .expect("a count");
    row.get(0)
}
