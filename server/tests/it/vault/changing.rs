//! The master key is changed.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{ScriptedModel, TestDb};

use super::{assert_model_is_reached, fingerprint, fingerprints_in_use, key, superuser, told};
use crate::support::{Program, TestApp};

#[tokio::test]
async fn key_is_changed_under_a_running_server() {
    // With an ordinary role: row-level security applies to the rotation as well.
    let db = TestDb::create_unprivileged().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    let file = app.program().data_dir.path().join("master.key");
    let (old, before) = (
        std::fs::read_to_string(&file).expect("a key"),
        fingerprint(&db).await,
    );
    let once = [("idempotency-key", "once")];
    let input = Some(json!({"name": "kept"}));
    let first = app
        .send(Method::POST, "/api-keys", input.clone(), &once)
        .await;

    let rotated = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");

    assert!(rotated.status.success(), "{}", told(&rotated));
    let new = std::fs::read_to_string(&file).expect("a key");
    let after = fingerprint(&db).await;
    assert!(!new.contains(old.trim()) && new.lines().count() == 1);
    assert_ne!(before, after);
    assert_eq!(
        fingerprints_in_use(&db).await,
        BTreeSet::from([after.clone()])
    );
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // The server opens what it had not sealed, and seals with the new key.
    let again = app.send(Method::POST, "/api-keys", input, &once).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body, first.body);
    assert_model_is_reached(&app, &model).await;
    app.create_agent_named("Second", &model).await;
    let twice = [("idempotency-key", "twice")];
    let input = Some(json!({"name": "kept"}));
    let kept = app.send(Method::POST, "/api-keys", input, &twice).await;
    assert_eq!(kept.status, StatusCode::CREATED);
    assert_eq!(fingerprints_in_use(&db).await, BTreeSet::from([after]));
    app.program().stop();
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;
}

/// A server that seals before anything makes it look for a new key does not use the old one.
#[tokio::test]
async fn first_value_after_a_change_is_sealed_with_the_new_key() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;

    let rotated = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");
    app.create_agent(&model).await;

    assert!(rotated.status.success(), "{}", told(&rotated));
    assert_eq!(
        fingerprints_in_use(&db).await,
        BTreeSet::from([fingerprint(&db).await])
    );
    assert_model_is_reached(&app, &model).await;
}

#[tokio::test]
async fn configured_keys_move_everything_to_the_first() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_MASTER_KEY", &key(1));
    let mut app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    let before = fingerprint(&db).await;

    let nothing_new = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");
    app.program().stop();
    let both = format!("{},{}", key(2), key(1));
    app.program().set("AGENTAREA_MASTER_KEY", &both);
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;
    let rotated = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");
    app.create_agent_named("Second", &model).await;
    app.program().stop();
    app.program().set("AGENTAREA_MASTER_KEY", &key(2));
    app.program().start().await;

    assert!(!nothing_new.status.success());
    assert!(
        told(&nothing_new).contains("put it first"),
        "{}",
        told(&nothing_new)
    );
    assert!(rotated.status.success(), "{}", told(&rotated));
    assert_ne!(fingerprint(&db).await, before);
    assert_eq!(fingerprints_in_use(&db).await.len(), 1);
    assert!(!app.program().data_dir.path().join("master.key").exists());
    assert_model_is_reached(&app, &model).await;
}

#[tokio::test]
async fn value_that_no_key_opens_keeps_the_old_keys() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    app.create_agent_named("Second", &model).await;
    let mut superuser = superuser(&db).await;
    let damage = "update secrets set wrapped_key = set_byte(wrapped_key, 20, 255 - get_byte(wrapped_key, 20))
                  where id = (select max(id::text)::uuid from secrets)";
    sqlx::query(damage)
        .execute(&mut superuser)
        .await
        .expect("damaged");

    let rotated = app
        .command(&["admin", "rotate-master-key"])
        .output()
        .expect("run");

    assert!(!rotated.status.success());
    assert!(
        told(&rotated).contains("1 stored values"),
        "{}",
        told(&rotated)
    );
    let file = app.program().data_dir.path().join("master.key");
    assert_eq!(
        std::fs::read_to_string(&file)
            .expect("keys")
            .lines()
            .count(),
        2
    );
    app.program().stop();
    app.program().start().await;
    assert_model_is_reached(&app, &model).await;
}
