//! Changes of the master key that are killed half way.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::Row;
use testkit::{ScriptedModel, TestDb, inputs};

use super::{
    PATIENCE, assert_model_is_reached, fingerprint, fingerprints_in_use, key, superuser, told,
};
use crate::support::{Program, TestApp};

/// `kill -9` while values are wrapped anew, and again when the old key is to be forgotten.
#[tokio::test]
async fn killed_change_is_finished_by_the_next() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    for number in 0..150 {
        let name = format!("Number {number}");
        let input = inputs::model_connection(&name, &model.base_url());
        app.post("/model-connections", input).await.created();
    }
    let before = fingerprint(&db).await;
    let file = app.program().data_dir.path().join("master.key");
    let mut superuser = superuser(&db).await;

    // Holding the last secret stops it in its second batch.
    sqlx::query("begin")
        .execute(&mut superuser)
        .await
        .expect("begun");
    let lock = "select id from secrets order by id desc limit 1 for update";
    sqlx::query(lock)
        .execute(&mut superuser)
        .await
        .expect("locked");
    kill_when_blocked(&app, &db).await;
    sqlx::query("rollback")
        .execute(&mut superuser)
        .await
        .expect("let go");

    let during = fingerprints_in_use(&db).await;
    assert_eq!(during.len(), 2, "not in the middle: {during:?}");
    assert_eq!(
        std::fs::read_to_string(&file)
            .expect("keys")
            .lines()
            .count(),
        2
    );
    assert_model_is_reached(&app, &model).await;
    app.program().stop();
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;

    // Holding the old key's row stops it when everything is wrapped anew.
    sqlx::query("begin")
        .execute(&mut superuser)
        .await
        .expect("begun");
    let lock = "select fingerprint from master_keys where not is_current for key share";
    sqlx::query(lock)
        .execute(&mut superuser)
        .await
        .expect("locked");
    kill_when_blocked(&app, &db).await;
    sqlx::query("rollback")
        .execute(&mut superuser)
        .await
        .expect("let go");

    assert_eq!(fingerprints_in_use(&db).await.len(), 1);
    assert_eq!(
        std::fs::read_to_string(&file)
            .expect("keys")
            .lines()
            .count(),
        2
    );
    assert_model_is_reached(&app, &model).await;
    let finished = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");

    assert!(finished.status.success(), "{}", told(&finished));
    assert!(
        told(&finished).contains("begun before"),
        "{}",
        told(&finished)
    );
    assert_eq!(
        std::fs::read_to_string(&file)
            .expect("keys")
            .lines()
            .count(),
        1
    );
    let after = fingerprint(&db).await;
    assert_ne!(before, after);
    assert_eq!(fingerprints_in_use(&db).await, BTreeSet::from([after]));
    app.program().stop();
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;
}

/// Killed after the file knows the new key and before the database does; then after the database
/// forgot the old key and before the file did.
#[tokio::test]
async fn file_may_know_more_keys_than_the_database() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    let file = app.program().data_dir.path().join("master.key");
    let old = std::fs::read_to_string(&file).expect("the key");
    let before = fingerprint(&db).await;

    std::fs::write(&file, format!("{}\n{old}", key(7))).expect("write");
    app.program().stop();
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;
    assert_eq!(fingerprint(&db).await, before);
    let finished = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");
    let between = fingerprint(&db).await;
    std::fs::write(&file, format!("{}\n{old}", key(7))).expect("write");
    let again = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");

    assert!(finished.status.success(), "{}", told(&finished));
    assert!(again.status.success(), "{}", told(&again));
    assert_ne!(between, before);
    assert_eq!(fingerprint(&db).await, between);
    assert_eq!(std::fs::read_to_string(&file).expect("keys").trim(), key(7));
    assert_model_is_reached(&app, &model).await;
}

/// Starts a rotation, kills it as soon as it waits for a lock.
async fn kill_when_blocked(app: &TestApp, db: &TestDb) {
    let mut watcher = superuser(db).await;
    let mut rotation = app.command(&["admin", "rotate-master-key"]);
    let mut rotation = rotation.stdout(Stdio::null()).spawn().expect("run");
    let started = Instant::now();
    loop {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        let row = sqlx::query(waiting)
            .fetch_one(&mut watcher)
            .await
            .expect("a count");
        if row.get::<i64, _>(0) > 0 {
            break;
        }
        assert!(
            rotation.try_wait().expect("its state").is_none(),
            "it was not held up"
        );
        assert!(started.elapsed() < PATIENCE, "it never waited");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rotation.kill().expect("kill -9");
    rotation.wait().expect("it ends");
    // The database ends the killed client's transaction when it next looks at its connection.
    let blocked = "select pg_terminate_backend(pid) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query(blocked)
        .execute(&mut watcher)
        .await
        .expect("ended");
}
