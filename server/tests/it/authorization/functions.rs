//! Every server function has a row, and every row is tried over HTTP by every principal.

use std::collections::{BTreeMap, BTreeSet};

use app as _;
use domain::{Action, can};
use leptos::server_fn::axum::server_fn_paths;
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use testkit::{ScriptedModel, TestDb, inputs};

use super::function_rows::{Does, Fields, Row, rows};
use super::principals::{members, objects, own, rejected, stranger};
use super::rows::{Needs, Objects};
use super::{audit_lines, start, turn_off_row_level_security};
use crate::people::Person;
use crate::support::{TestApp, client};

/// What a malformed id can look like.
const MALFORMED: [&str; 6] = [
    "",
    "0",
    "not-an-id",
    "../../etc/passwd",
    "' or 1=1 --",
    "\0",
];

/// The path of every server function that the program knows, by name.
pub fn paths() -> BTreeMap<String, String> {
    server_fn_paths()
        .map(|(path, method)| {
            assert_eq!(method, reqwest::Method::POST, "{path} changes by GET");
            let name = path.trim_start_matches("/api/");
            // The hash of where it stands.
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
            (name.to_owned(), path.to_owned())
        })
        .collect()
}

#[test]
fn every_server_function_has_a_row() {
    let listed: BTreeSet<String> = rows().iter().map(|row| row.name.to_owned()).collect();
    let known: BTreeSet<String> = paths().into_keys().collect();

    assert_eq!(known, listed);
    assert!(listed.len() > 40, "the server functions were not found");
}

#[tokio::test]
async fn every_principal_gets_what_the_table_says_from_server_functions() {
    let db = TestDb::create().await;
    let app = start(&db).await;

    check_functions(&app, &db).await;
}

/// The program's own checks hold without those of the database.
#[tokio::test]
async fn server_functions_say_the_same_without_row_level_security() {
    let db = TestDb::create().await;
    let app = start(&db).await;
    turn_off_row_level_security(&db).await;

    check_functions(&app, &db).await;
}

/// Calls functions and collects what was answered wrongly.
struct Calls<'a> {
    app: &'a TestApp,
    client: reqwest::Client,
    paths: BTreeMap<String, String>,
    wrong: Vec<String>,
    tried: usize,
}

impl Calls<'_> {
    async fn ask(&mut self, person: &Person, row: &Row, fields: &Fields) -> (StatusCode, String) {
        self.tried += 1;
        let mut req = self
            .client
            .post(self.app.url(&self.paths[row.name]))
            .header("origin", self.app.origin())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(fields));
        if let Some(cookie) = &person.cookie {
            req = req.header("cookie", cookie);
        }
        if let Some(key) = &person.key {
            req = req.bearer_auth(key);
        }
        if let Some(workspace) = &person.workspace {
            req = req.header("x-workspace-id", workspace);
        }
        let response = req.send().await.expect("an answer");
        (response.status(), response.text().await.expect("a body"))
    }

    fn expect(&mut self, who: &str, row: &Row, answer: &(StatusCode, String), is_right: bool) {
        if !is_right {
            let (status, body) = answer;
            self.wrong
                .push(format!("{who}: {}: {status} {body:.200}", row.name));
        }
    }
}

async fn check_functions(app: &TestApp, db: &TestDb) {
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(app, inputs::ADA).await;
    let acme = objects(app, &ada, &model).await;
    let grace = stranger(app).await;
    let mut calls = Calls {
        app,
        client: client(),
        paths: paths(),
        wrong: Vec::new(),
        tried: 0,
    };

    for (name, person) in rejected(app, db, &ada).await {
        outsider(&mut calls, name, &person, &acme, StatusCode::UNAUTHORIZED).await;
    }
    // Keys are for programs: pages' own functions do not know them.
    for (name, owner) in [("owner's key", &ada), ("stranger's key", &grace)] {
        let key = owner.makes_key(app, Value::Null).await;
        outsider(&mut calls, name, &key, &acme, StatusCode::UNAUTHORIZED).await;
        let about_acme = key.asking_about(&acme.workspace);
        outsider(
            &mut calls,
            name,
            &about_acme,
            &acme,
            StatusCode::UNAUTHORIZED,
        )
        .await;
    }
    let about_acme = grace.asking_about(&acme.workspace);
    let name = "stranger asking about Acme";
    outsider(&mut calls, name, &about_acme, &acme, StatusCode::NOT_FOUND).await;
    let mut audit = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    foreigner(&mut calls, &grace, &acme, &model, &mut audit).await;
    for (name, role, person) in members(app, &ada).await {
        for row in rows() {
            let action = match row.needs {
                Needs::Nothing => continue,
                Needs::May(action) | Needs::Browser(action) => action,
            };
            let may = can(role, action);
            let person = match may && row.does == Does::EndSession {
                true => {
                    let email = format!("{}@example.com", uuid::Uuid::now_v7());
                    ada.invites(app, &email, role.as_str()).await
                }
                false => person.clone(),
            };
            let fresh = match (may, row.does, action) {
                (false, ..) | (_, Does::Read, _) => acme.clone(),
                (_, _, Action::ManageOwnAccount | Action::ManageOwnApiKeys) => {
                    own(app, &person, acme.clone()).await
                }
                _ => objects(app, &ada, &model).await,
            };
            let lines = audit_lines(&mut audit).await;
            let answer = calls.ask(&person, &row, &(row.fields)(&fresh)).await;
            let is_audited = audit_lines(&mut audit).await > lines;
            let is_right = match may {
                true => is_done(answer.0),
                false => answer.0 == StatusCode::FORBIDDEN,
            };
            let leaves_a_line = row.does != Does::Read && answer.0.is_success();
            calls.expect(
                name,
                &row,
                &answer,
                is_right && (is_audited || !leaves_a_line),
            );
        }
    }
    println!("{} calls of {} functions", calls.tried, rows().len());
    assert_eq!(calls.wrong, Vec::<String>::new());
    assert!(calls.tried > 700, "only {} calls", calls.tried);
}

/// Somebody who gets the same answer everywhere, but what is open to everybody.
async fn outsider(
    calls: &mut Calls<'_>,
    name: &str,
    person: &Person,
    acme: &Objects,
    expected: StatusCode,
) {
    for row in rows() {
        let answer = calls.ask(person, &row, &(row.fields)(acme)).await;
        let is_open = row.needs == Needs::Nothing && !answer.0.is_server_error();
        let is_right = (answer.0 == expected || is_open) && !shows(acme, &answer.1);
        calls.expect(name, &row, &answer, is_right);
    }
}

/// An owner of another workspace: own objects work; foreign, missing and malformed ids do not.
async fn foreigner(
    calls: &mut Calls<'_>,
    grace: &Person,
    acme: &Objects,
    model: &ScriptedModel,
    audit: &mut PgConnection,
) {
    for row in rows() {
        let (ids, refusal) = row.ids;
        let initech = match row.does {
            Does::EndSession if ids.is_empty() => continue,
            _ => objects(calls.app, grace, model).await,
        };
        let before = audit_lines(audit).await;
        if !ids.is_empty() {
            let foreign = calls.ask(grace, &row, &(row.fields)(acme)).await;
            let with = |value: &str| -> Fields {
                let named = (row.fields)(&initech).into_iter();
                let replaced = named.map(|(name, own)| match ids.contains(&name) {
                    true => (name, value.to_owned()),
                    false => (name, own),
                });
                replaced.collect()
            };
            let missing = with(&uuid::Uuid::now_v7().to_string());
            let missing = calls.ask(grace, &row, &missing).await;
            let is_right = foreign.0 == refusal && !shows(acme, &foreign.1);
            calls.expect("a foreign id", &row, &foreign, is_right);
            calls.expect("a missing id", &row, &missing, missing == foreign);
            for value in MALFORMED {
                let answer = calls.ask(grace, &row, &with(value)).await;
                let is_right = matches!(
                    answer.0,
                    StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY
                );
                calls.expect("a malformed id", &row, &answer, is_right);
            }
            let is_untouched = audit_lines(audit).await == before;
            calls.expect("a line of the audit log", &row, &foreign, is_untouched);
        }
        if row.does == Does::EndSession {
            continue;
        }
        let initech = match row.name {
            "end_session" => own(calls.app, grace, initech).await,
            _ => initech,
        };
        let answer = calls.ask(grace, &row, &(row.fields)(&initech)).await;
        let is_open = row.needs == Needs::Nothing && !answer.0.is_server_error();
        let is_right = (is_done(answer.0) || is_open) && !shows(acme, &answer.1);
        calls.expect("an own id", &row, &answer, is_right);
    }
}

/// Whether a function was let through, be it to hear that it has nothing to do.
fn is_done(status: StatusCode) -> bool {
    !matches!(status.as_u16(), 401 | 403 | 404 | 415 | 422 | 429 | 500..)
}

fn shows(acme: &Objects, body: &str) -> bool {
    [
        &acme.workspace,
        &acme.connection,
        &acme.agent,
        &acme.conversation,
        &acme.run,
        &acme.approval,
        &acme.invitation,
        &acme.member,
    ]
    .iter()
    .any(|id| body.contains(id.as_str()))
}

fn form(fields: &Fields) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}
