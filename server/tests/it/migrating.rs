//! The schema is made once, and a program leaves one alone that it does not know.

use sqlx::{Connection, PgConnection};
use testkit::TestDb;

use crate::support::Program;

/// The master key that servers on one database share.
const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

#[tokio::test]
async fn servers_that_migrate_at_once_end_with_one_schema() {
    let db = TestDb::create().await;

    let started = (0..4).map(|_| {
        let url = db.url();
        tokio::task::spawn_blocking(move || {
            let mut program = Program::new(Some(url));
            program.set("AGENTAREA_MASTER_KEY", KEY);
            program.command(&["migrate"]).output().expect("run migrate")
        })
    });
    let ended = futures::future::join_all(started).await;

    for output in ended {
        let output = output.expect("an end");
        assert!(output.status.success(), "{output:?}");
    }
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let failed: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations where not success")
        .fetch_one(&mut superuser)
        .await
        .expect("a count");
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn newer_schema_is_refused_and_left_as_it_is() {
    let db = TestDb::create().await;
    let program = Program::new(Some(db.url()));
    let made = program.command(&["migrate"]).output().expect("run migrate");
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    sqlx::raw_sql(
        "insert into _sqlx_migrations
           (version, description, installed_on, success, checksum, execution_time)
         values (9999, 'of the future', now(), true, '', 0)",
    )
    .execute(&mut superuser)
    .await
    .expect("a newer schema");

    for verb in ["migrate", "serve"] {
        let output = program.command(&[verb]).output().expect("run the program");

        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{verb}");
        assert!(told.contains("9999"), "{verb}: {told}");
        assert!(told.contains("newer agentarea"), "{verb}: {told}");
    }
    let tables: i64 = sqlx::query_scalar("select count(*) from runs")
        .fetch_one(&mut superuser)
        .await
        .expect("the tables");
    assert!(made.status.success(), "{made:?}");
    assert_eq!(tables, 0);
}
