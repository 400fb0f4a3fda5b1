//! Every route has a row that says who may use it, and every row is tried with every principal.

mod function_rows;
pub mod functions;
mod principals;
mod rows;
mod timing;

use std::collections::BTreeSet;

use domain::{Action, can};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use testkit::{ScriptedModel, TestDb, inputs};

use self::principals::{members, objects, own, rejected, stranger};
use self::rows::{Needs, Objects, Row, rows};
use crate::people::{Person, text};
use crate::support::{Program, TestApp};

/// Routes and methods of the router's source.
pub fn inventory() -> BTreeSet<String> {
    let source = include_str!("../../../src/router.rs");
    let mut routes = BTreeSet::new();
    for (start, _) in source.match_indices(".route(") {
        let text = balanced(&source[start + ".route".len()..]);
        let path = text.split('"').nth(1).expect("a path");
        let path = path.trim_start_matches("/api/v1");
        for method in ["get", "post", "put", "patch", "delete"] {
            let is_used = text.match_indices(&format!("{method}(")).any(|(at, _)| {
                !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            if is_used {
                routes.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    routes
}

fn balanced(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

#[test]
fn every_route_has_a_row() {
    let open = [
        "GET /docs",
        "GET /health",
        "GET /health/db",
        "GET /health/redis",
        "GET /metrics",
        "GET /oauth/client-metadata.json",
        "GET /openapi.json",
        "POST /policy-reports",
    ];
    // Server functions have rows of their own.
    // Where people come back from signing in elsewhere: a page, see `mcp_servers/sign_in.rs`.
    let elsewhere = ["POST /api/{*function}", "GET /oauth/callback"];

    let mut listed: BTreeSet<String> = rows()
        .iter()
        .map(|row| format!("{} {}", row.method, row.route))
        .collect();
    listed.extend(open.iter().chain(&elsewhere).map(|&route| route.to_owned()));

    assert_eq!(inventory(), listed);
    assert!(listed.len() > 50, "the router was not read");
}

/// A server on `db` that lets a workspace have as many servers in containers as the tables make.
pub(super) async fn start(db: &TestDb) -> TestApp {
    let mut program = Program::new(Some(db.url()));
    for quota in ["SERVERS", "MEMORY_MB", "CPU_MILLIS"] {
        program.set(
            &format!("AGENTAREA_CONTAINERS__{quota}_PER_WORKSPACE"),
            "1000000",
        );
    }
    TestApp::on(program).await
}

#[tokio::test]
async fn every_principal_gets_what_the_table_says() {
    let db = TestDb::create().await;
    let app = start(&db).await;
    check_matrix(&app, &db).await;
}

/// The program's own checks hold without those of the database.
#[tokio::test]
async fn every_principal_gets_the_same_without_row_level_security() {
    let db = TestDb::create().await;
    let app = start(&db).await;
    turn_off_row_level_security(&db).await;

    check_matrix(&app, &db).await;
}

/// The database's checks hold without those of the program.
#[tokio::test]
async fn database_shows_and_changes_one_workspace_whatever_it_is_asked() {
    let db = TestDb::create().await;
    let app = start(&db).await;
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let acme = objects(&app, &ada, &model).await;
    let grace = stranger(&app).await;
    let initech = text(&grace.get(&app, "/me").await.body["workspace_id"]);
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let enter =
        format!("begin; set local role agentarea_tenant; set local app.workspace_id = '{initech}'");
    let mut seen = 0;
    for table in tenant_tables(&mut superuser).await {
        let all: i64 = count(&mut superuser, &table, &acme.workspace).await;
        seen += all;
        sqlx::raw_sql(AssertSqlSafe(enter.clone()))
            .execute(&mut superuser)
            .await
            .expect("a tenant transaction");
        let visible = count(&mut superuser, &table, &acme.workspace).await;
        let changed = match table.as_str() {
            // Nobody may change or delete these.
            "audit_events" | "usage_entries" => 0,
            _ => {
                let sql = format!(
                    "update {table} set workspace_id = workspace_id where workspace_id = '{}'",
                    acme.workspace
                );
                let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut superuser);
                done.await.expect("an update of nothing").rows_affected()
            }
        };
        sqlx::raw_sql("rollback")
            .execute(&mut superuser)
            .await
            .expect("the end");

        assert_eq!((visible, changed), (0, 0), "{table} of {all} rows");
    }
    assert!(seen > 20, "Acme has too few rows to prove anything: {seen}");
}

async fn turn_off_row_level_security(db: &TestDb) {
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    for table in tenant_tables(&mut superuser).await {
        let sql = format!(
            "alter table {table} no force row level security; \
             alter table {table} disable row level security"
        );
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut superuser);
        done.await.expect("row-level security goes off");
    }
}

async fn count(db: &mut PgConnection, table: &str, workspace: &str) -> i64 {
    let sql = format!("select count(*) from {table} where workspace_id = '{workspace}'");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(db)
        .await
        .expect("a count")
}

async fn tenant_tables(db: &mut PgConnection) -> Vec<String> {
    let tables = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped
         where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> 'sessions'
         order by 1",
    );
    tables.fetch_all(db).await.expect("the tables")
}

async fn check_matrix(app: &TestApp, db: &TestDb) {
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(app, inputs::ADA).await;
    let acme = objects(app, &ada, &model).await;
    let mut wrong = Vec::new();
    let mut tried = 0;

    for (name, person) in rejected(app, db, &ada).await {
        for row in rows().iter().filter(|row| row.needs != Needs::Nothing) {
            let answer = ask(app, &person, row, &acme).await;
            tried += 1;
            if answer.0 != StatusCode::UNAUTHORIZED {
                wrong.push(format!(
                    "{name}: {} {}: {}",
                    row.method, row.route, answer.0
                ));
            }
        }
    }

    let grace = stranger(app).await;
    let key = grace.makes_key(app, Value::Null).await;
    for (name, person) in [
        ("stranger", grace.clone()),
        ("stranger's key", key.clone()),
        (
            "stranger asking about Acme",
            grace.asking_about(&acme.workspace),
        ),
        (
            "stranger's key asking about Acme",
            key.asking_about(&acme.workspace),
        ),
    ] {
        for row in rows().iter().filter(|row| row.needs != Needs::Nothing) {
            let names_an_object = row.route.contains('{') || row.route == "/session";
            // These end the stranger's own session.
            if ["/session", "/sessions"]
                .iter()
                .any(|route| is_delete(row, route))
                || row.route == "/me/password"
            {
                continue;
            }
            let is_about_acme = person.workspace.is_some();
            let key_is_refused = person.key.is_some() && matches!(row.needs, Needs::Browser(_));
            let (status, body) = ask(app, &person, row, &acme).await;
            tried += 1;
            let is_right = match status {
                StatusCode::NOT_FOUND => is_about_acme || names_an_object,
                StatusCode::FORBIDDEN => key_is_refused && !is_about_acme,
                // A foreign id inside a body is a wrong field.
                StatusCode::UNPROCESSABLE_ENTITY => !is_about_acme && !row.route.contains('{'),
                status => status.is_success() && !is_about_acme && !names_an_object,
            };
            let shows_acme = [
                &acme.agent,
                &acme.conversation,
                &acme.run,
                &acme.invitation,
                &acme.file,
            ]
            .iter()
            .any(|id| body.contains(id.as_str()));
            if !is_right || shows_acme {
                wrong.push(format!("{name}: {} {}: {status}", row.method, row.route));
            }
        }
    }

    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    for (name, role, person) in members(app, &ada).await {
        let everything: Vec<Action> = Action::ALL.to_vec();
        let read = [Action::Read];
        let converse = [Action::Read, Action::Converse];
        let keys = [
            ("all", Value::Null, &everything[..]),
            ("read", json!(["read"]), &read[..]),
            ("converse", json!(["converse"]), &converse[..]),
        ];
        let mut principals = vec![(name.to_owned(), person.clone(), &everything[..])];
        for (label, scopes, actions) in keys {
            if actions.iter().all(|action| can(role, *action)) || scopes.is_null() {
                let key = person.makes_key(app, scopes).await;
                principals.push((format!("{name}'s key for {label}"), key, actions));
            }
        }
        for (name, principal, actions) in principals {
            for row in rows() {
                let action = match row.needs {
                    Needs::Nothing => continue,
                    Needs::May(action) | Needs::Browser(action) => action,
                };
                // These two end the session that the next rows need.
                if row.route == "/session" && row.method != Method::GET {
                    continue;
                }
                let is_browser_only = matches!(row.needs, Needs::Browser(_));
                let may = can(role, action)
                    && actions.contains(&action)
                    && !(is_browser_only && principal.key.is_some());
                // A new password gives the session a new token.
                if may && (row.route == "/me/password" || is_delete(&row, "/sessions")) {
                    continue;
                }
                // What is allowed is done to objects that nothing else needs.
                let fresh = match may && row.method != Method::GET {
                    true if is_delete(&row, "/sessions/{id}")
                        || is_delete(&row, "/api-keys/{id}") =>
                    {
                        own(app, &person, acme.clone()).await
                    }
                    true => objects(app, &ada, &model).await,
                    false => acme.clone(),
                };
                let lines = audit_lines(&mut superuser).await;
                let (status, _) = ask(app, &principal, &row, &fresh).await;
                tried += 1;
                let is_right = match may {
                    true => !matches!(status.as_u16(), 401 | 403 | 404 | 500..),
                    false => status == StatusCode::FORBIDDEN,
                };
                let is_change = row.method != Method::GET && status.is_success();
                let is_audited = audit_lines(&mut superuser).await > lines;
                if !is_right || is_change && !is_audited {
                    wrong.push(format!("{name}: {} {}: {status}", row.method, row.route));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(tried > 800, "only {tried} combinations");
}

fn is_delete(row: &Row, route: &str) -> bool {
    row.method == Method::DELETE && row.route == route
}

async fn ask(app: &TestApp, person: &Person, row: &Row, objects: &Objects) -> (StatusCode, String) {
    let body = (row.body)(objects);
    let body = (!body.is_null()).then_some(&body);
    let path = (row.path)(objects);
    let answer = match row.route {
        "/files" => person.upload(app, "notes.txt", b"some notes").await,
        _ => person.send(app, row.method.clone(), &path, body).await,
    };
    (answer.status, answer.body.to_string())
}

async fn audit_lines(db: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from audit_events")
        .fetch_one(db)
        .await
        .expect("a count")
}
