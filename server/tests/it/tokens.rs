//! Tokens that are over, or never were, open nothing, however often they are tried.

use futures::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use testkit::{TestDb, inputs};

use crate::people::{Person, text, token};
use crate::support::{Program, TestApp, client};

/// Tries of each token.
const TRIES: usize = 1_000;
/// Tries at once.
const AT_ONCE: usize = 32;

/// How often each answer came.
async fn try_often(
    request: impl Fn() -> reqwest::RequestBuilder,
) -> std::collections::BTreeMap<u16, usize> {
    let answers = stream::iter(0..TRIES)
        .map(|_| async { request().send().await.expect("an answer").status() })
        .buffer_unordered(AT_ONCE);
    let mut seen = std::collections::BTreeMap::new();
    for status in answers.collect::<Vec<_>>().await {
        *seen.entry(status.as_u16()).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn bad_invitation_tokens_are_never_accepted() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let mut tokens = vec![
        json!(""),
        json!("x"),
        json!("../../setup"),
        json!("a".repeat(10_000)),
        Value::Null,
        json!(["x"]),
    ];
    for email in [
        "taken.back@example.com",
        "late@example.com",
        "first@example.com",
        "used@example.com",
    ] {
        let input = json!({"email": email, "role": "member"});
        let invited = ada.post(&app, "/invitations", input.clone()).await;
        let link = token(&invited);
        match email {
            "taken.back@example.com" => {
                let path = format!("/invitations/{}", text(&invited.body["id"]));
                ada.delete(&app, &path).await;
            }
            "late@example.com" => {
                let sql = "update invitations set expires_at = now() - interval '1 second'";
                as_superuser(&db, sql.to_owned()).await;
            }
            "used@example.com" => {
                let input = json!({"token": link, "password": inputs::PASSWORD});
                let nobody = Person::nobody();
                let used = nobody.post(&app, "/invitations/acceptance", input).await;
                assert!(used.status.is_success(), "{}", used.body);
            }
            // A second invitation of the same address replaces the first.
            _ => {
                ada.post(&app, "/invitations", input).await;
            }
        }
        tokens.push(json!(link));
    }
    let client = client();

    for token in &tokens {
        let expected = match token.is_string() {
            true => StatusCode::NOT_FOUND,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let input = json!({"token": token, "password": inputs::PASSWORD});
        for path in ["/invitations/acceptance", "/invitations/offer"] {
            let body = match path {
                "/invitations/offer" => json!({"token": token}),
                _ => input.clone(),
            };
            let url = app.url(&format!("/api/v1{path}"));

            let seen = try_often(|| client.post(&url).json(&body)).await;

            let all = [(expected.as_u16(), TRIES)].into();
            assert_eq!(seen, all, "{token} at {path}");
        }
    }
    let members = ada.get(&app, "/members").await.body["items"].clone();
    assert_eq!(members.as_array().expect("members").len(), 2, "Ada and one");
}

#[tokio::test]
async fn ended_session_tokens_are_never_accepted() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let signed_out = Person::sign_in(&app, inputs::ADA).await;
    signed_out.delete(&app, "/session").await;
    let stale = Person::sign_in(&app, inputs::ADA).await;
    // Time has not passed: the server must forget when the session was last used.
    let sql = "update sessions set seen_at = now() - interval '61 minutes';
               select pg_notify('agentarea_access', '')";
    as_superuser(&db, sql.to_owned()).await;
    let before = Person::sign_in(&app, inputs::ADA).await;
    let second = json!({"name": "Second"});
    let workspace = before.post(&app, "/workspaces", second).await.created();
    let input = json!({"workspace_id": workspace});
    let switched = before.patch(&app, "/session", input).await;
    let switched = Person::from_sign_in(&switched);
    let elsewhere = Person::sign_in(&app, inputs::ADA).await;
    let input = json!({"current_password": inputs::PASSWORD, "new_password": "another password"});
    let changed = switched.put(&app, "/me/password", input).await;
    let live = Person::from_sign_in(&changed);
    let planted = |token: &str| Person {
        cookie: Some(format!("agentarea={token}")),
        ..Person::nobody()
    };
    let ended = [
        ("empty", planted("")),
        ("planted", planted("planted-by-somebody-else")),
        ("null", planted("null")),
        ("long", planted(&"a".repeat(8_000))),
        ("signed out", signed_out),
        ("stale", stale),
        ("before switching", before),
        ("before the new password", switched),
        ("another browser before the new password", elsewhere),
    ];
    let client = client();

    for (name, person) in &ended {
        let cookie = person.cookie.as_deref().expect("a cookie");

        let seen = try_often(|| {
            let req = client.request(Method::GET, app.url("/api/v1/me"));
            req.header("cookie", cookie)
        });

        assert_eq!(seen.await, [(401, TRIES)].into(), "{name}");
    }
    assert_eq!(live.get(&app, "/me").await.status, StatusCode::OK);
}

async fn as_superuser(db: &TestDb, sql: String) {
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut superuser);
    done.await.expect("the statement");
}
