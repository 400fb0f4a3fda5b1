//! Master keys: the right one or none, and changed while everything runs.

mod changing;
mod killed;
mod starting;

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::{Connection, PgConnection, Row};
use testkit::{ScriptedModel, TestDb, inputs};

use crate::support::TestApp;

const PATIENCE: Duration = Duration::from_secs(60);

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
