//! Master keys: the right one or none, and changed while everything runs.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use testkit::{ScriptedModel, TestDb, inputs};

use crate::support::{Program, TestApp};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn wrong_or_missing_key_refuses_every_start() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    app.program().stop();
    let file = app.program().data_dir.path().join("master.key");
    let right = std::fs::read_to_string(&file).expect("the key");
    let mode = std::fs::metadata(&file).expect("the file").permissions();
    let expected = fingerprint(&db).await;
    let verbs = [
        vec!["serve"],
        vec!["migrate"],
        vec![
            "admin",
            "create-api-key",
            "--email",
            inputs::ADA,
            "--workspace",
            inputs::ACME,
        ],
        vec!["admin", "rotate-master-key"],
    ];

    for verb in &verbs {
        std::fs::write(&file, key(7)).expect("write");
        let wrong = app.command(verb).output().expect("run");
        std::fs::remove_file(&file).expect("remove");
        let missing = app.command(verb).output().expect("run");
        let mut configured = app.command(verb);
        let configured = configured.env("AGENTAREA_MASTER_KEY", key(8)).output();

        for (what, output, place) in [
            ("wrong", wrong, "master.key"),
            ("missing", missing, "master.key"),
            (
                "configured",
                configured.expect("run"),
                "AGENTAREA_MASTER_KEY",
            ),
        ] {
            let told = told(&output);
            assert!(
                !output.status.success(),
                "{verb:?} with a {what} key: {told}"
            );
            assert!(told.contains(&expected), "{verb:?}, {what}: {told}");
            assert!(told.contains(place), "{verb:?}, {what}: {told}");
            assert!(!told.contains(&key(7)) && !told.contains(&key(8)), "{told}");
        }
        assert!(!file.exists(), "{verb:?} made a new key");
    }
    std::fs::write(&file, right).expect("write");
    let fine = app.command(&["migrate"]).output().expect("run");

    assert!(fine.status.success(), "{}", told(&fine));
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[tokio::test]
async fn database_that_names_no_key_takes_only_the_one_that_opens_it() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    app.program().stop();
    let file = app.program().data_dir.path().join("master.key");
    let right = std::fs::read_to_string(&file).expect("the key");
    let expected = fingerprint(&db).await;
    let mut superuser = superuser(&db).await;
    for sql in [
        "update secrets set master_key = null",
        "update idempotent_answers set master_key = null",
        "delete from master_keys",
    ] {
        sqlx::query(sql)
            .execute(&mut superuser)
            .await
            .expect("as an older program left it");
    }

    std::fs::write(&file, key(7)).expect("write");
    let wrong = app.command(&["migrate"]).output().expect("run");
    std::fs::remove_file(&file).expect("remove");
    let missing = app.command(&["migrate"]).output().expect("run");
    std::fs::write(&file, right).expect("write");
    app.program().start().await;

    assert!(
        !wrong.status.success() && told(&wrong).contains("opens"),
        "{}",
        told(&wrong)
    );
    assert!(!missing.status.success(), "{}", told(&missing));
    assert_eq!(fingerprint(&db).await, expected);
    assert_model_is_reached(&app, &model).await;
}

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

impl TestApp {
    /// A second connection with an agent; gives the agent's id.
    async fn create_agent_named(&self, name: &str, model: &ScriptedModel) -> String {
        let input = inputs::model_connection(name, &model.base_url());
        let connection = self.post("/model-connections", input).await.created();
        let input = inputs::agent(name, &connection, "scripted-large");
        self.post("/agents", input).await.created()
    }
}

/// Asks the oldest agent's model, which is told the connection's secret.
async fn assert_model_is_reached(app: &TestApp, model: &ScriptedModel) {
    let agents = app.get("/agents").await.body;
    let agents = agents["items"].as_array().expect("items").clone();
    let agent = agents.last().expect("an agent")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "still there?").await;
    let log = app.log(&conversation).await;
    assert_eq!(log.last().expect("events").event, "run_completed");
    let seen = model.seen();
    let seen = seen.last().expect("a request");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-test"));
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

async fn fingerprint(db: &TestDb) -> String {
    let sql = "select encode(substring(fingerprint from 1 for 8), 'hex') from master_keys where is_current";
    let row = sqlx::query(sql).fetch_one(&mut superuser(db).await).await;
    row.expect("a key").get(0)
}

/// The keys that stored values are sealed with; `?` for those that do not say.
async fn fingerprints_in_use(db: &TestDb) -> BTreeSet<String> {
    let sql = "select coalesce(encode(substring(master_key from 1 for 8), 'hex'), '?') from (
                 select master_key from secrets union all
                 select master_key from idempotent_answers where wrapped_key is not null) sealed";
    let rows = sqlx::query(sql).fetch_all(&mut superuser(db).await).await;
    rows.expect("rows").iter().map(|row| row.get(0)).collect()
}

/// Looks behind row-level security.
pub async fn superuser(db: &TestDb) -> PgConnection {
    let connection = PgConnection::connect(&db.superuser_url()).await;
    connection.expect("connect")
}

/// A master key, made of one byte.
fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// What a command said.
pub fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}
