//! Workspaces cannot see each other, by the program and by the database.

use reqwest::StatusCode;
use sqlx::{Connection, PgConnection, Row};
use testkit::{ScriptedModel, TestDb, inputs};

use crate::support::{Program, TestApp};

#[tokio::test]
async fn foreign_objects_look_like_missing_ones() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let run = app.ask(&conversation, "hello").await;
    let mut grace = app;
    grace.key = other_workspace(&grace);

    let missing = grace.get(&format!("/agents/{}", uuid::Uuid::nil())).await;
    for path in [
        format!("/agents/{agent}"),
        format!("/conversations/{conversation}"),
        format!("/conversations/{conversation}/messages"),
        format!("/conversations/{conversation}/events"),
        format!("/runs/{run}"),
    ] {
        let foreign = grace.get(&path).await;

        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(foreign.body["detail"], missing.body["detail"], "{path}");
    }
    let posted = grace
        .post(
            &format!("/conversations/{conversation}/messages"),
            inputs::message("hi"),
        )
        .await;
    assert_eq!(posted.status, StatusCode::NOT_FOUND);
    for list in ["/agents", "/conversations", "/runs"] {
        let items = grace.get(list).await.body["items"].clone();
        assert_eq!(items, serde_json::json!([]), "{list}");
    }
}

#[tokio::test]
async fn every_tenant_table_is_guarded_by_the_database() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.start().await;
    let mut connection = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    let unguarded = sqlx::query(
        "select c.relname from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped
         where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
           and c.relname <> 'sessions'
           and not (c.relrowsecurity and c.relforcerowsecurity
                    and exists (select from pg_policy p where p.polrelid = c.oid))",
    );
    let unguarded = unguarded
        .fetch_all(&mut connection)
        .await
        .expect("the catalogue");

    let names: Vec<String> = unguarded.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, Vec::<String>::new());
}

/// The whole product works when its database role is no superuser, so that row-level security
/// applies to it as well.
#[tokio::test]
async fn ordinary_database_role_is_enough() {
    let db = TestDb::create_unprivileged().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "hello").await;
    let log = app.log(&conversation).await;

    assert_eq!(log.last().expect("events").event, "run_completed");
}

/// Makes Grace with a workspace of her own; gives her key.
fn other_workspace(app: &TestApp) -> String {
    app.create_user(inputs::GRACE, "Initech");
    app.create_key(inputs::GRACE, "Initech")
}
