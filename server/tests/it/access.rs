//! People come, change and go; what they hold changes with them.

use std::time::{Duration, Instant};

use domain::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{Proxy, ScriptedModel, TestDb, inputs};

use crate::gateway::sessions;
use crate::people::{Person, cookies, text, token};
use crate::support::{Program, TestApp, client};

/// How soon a live stream must end.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn invited_person_joins_once_with_the_role_offered() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let input = json!({"email": inputs::GRACE, "role": "member"});
    let invited = ada.post(&app, "/invitations", input).await;
    let link = token(&invited);
    let nobody = Person::nobody();

    let offer = nobody
        .post(&app, "/invitations/offer", json!({"token": link}))
        .await;
    let short = json!({"token": link, "password": "short"});
    let short = nobody.post(&app, "/invitations/acceptance", short).await;
    let input = json!({"token": link, "password": inputs::PASSWORD});
    let accepted = nobody
        .post(&app, "/invitations/acceptance", input.clone())
        .await;
    let again = nobody.post(&app, "/invitations/acceptance", input).await;
    let grace = Person::from_sign_in(&accepted);
    let me = grace.get(&app, "/me").await;

    assert_eq!(offer.body["workspace"], inputs::ACME);
    assert_eq!(offer.body["has_account"], false);
    assert_eq!(short.wrong_fields(), ["password"]);
    assert_eq!(me.body["workspaces"][0]["role"], "member");
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_owners_touch_ownership_and_one_always_stays() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let ann = ada.invites(&app, "ann@example.com", "admin").await;
    let mel = ada.invites(&app, "mel@example.com", "member").await;
    let (ada_path, mel_path) = (
        format!("/members/{}", ada.id),
        format!("/members/{}", mel.id),
    );

    let raise = ann.patch(&app, &mel_path, json!({"role": "owner"})).await;
    let topple = ann.delete(&app, &ada_path).await;
    let invite = json!({"email": "x@example.com", "role": "owner"});
    let invite = ann.post(&app, "/invitations", invite).await;
    let demote = ann.patch(&app, &mel_path, json!({"role": "viewer"})).await;
    let resign = ada.patch(&app, &ada_path, json!({"role": "member"})).await;
    let leave = ada.delete(&app, &ada_path).await;
    ada.patch(&app, &mel_path, json!({"role": "owner"})).await;
    let leave_later = ada.delete(&app, &ada_path).await;

    for refused in [raise.status, topple.status, invite.status] {
        assert_eq!(refused, StatusCode::FORBIDDEN);
    }
    assert_eq!(demote.body["role"], "viewer");
    assert_eq!(resign.status, StatusCode::CONFLICT);
    assert_eq!(leave.status, StatusCode::CONFLICT);
    assert_eq!(leave_later.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn sessions_are_renewed_by_signing_in_switching_and_a_new_password() {
    let app = TestApp::start().await;
    let planted = "agentarea=planted-by-somebody-else";
    let attempt = client()
        .post(app.url("/api/v1/session"))
        .header("cookie", planted)
        .header("origin", app.url(""))
        .json(&inputs::sign_in(inputs::ADA));
    let answer = crate::support::Answer::read(attempt.send().await.expect("an answer")).await;
    let first = Person::from_sign_in(&answer);
    let created = first
        .post(&app, "/workspaces", json!({"name": "Second"}))
        .await
        .created();

    let switched = first
        .send(
            &app,
            Method::PATCH,
            "/session",
            Some(&json!({"workspace_id": created})),
        )
        .await;
    let second = Person::from_sign_in(&switched);
    let input =
        json!({"current_password": "wrong wrong wrong", "new_password": "another password"});
    let wrong = second.put(&app, "/me/password", input).await;
    let other = Person::sign_in(&app, inputs::ADA).await;
    let input = json!({"current_password": inputs::PASSWORD, "new_password": "another password"});
    let changed = second.put(&app, "/me/password", input).await;
    let third = Person::from_sign_in(&changed);

    assert!(!cookies(&answer).contains("planted"));
    let statuses = [
        Person {
            cookie: Some(planted.to_owned()),
            ..Person::nobody()
        },
        first,
        second,
        other,
        third.clone(),
    ];
    let mut seen = Vec::new();
    for person in &statuses {
        seen.push(person.get(&app, "/me").await.status.as_u16());
    }
    assert_eq!(seen, [401, 401, 401, 401, 200]);
    assert_eq!(wrong.wrong_fields(), ["current_password"]);
    let me = third.get(&app, "/me").await;
    assert_eq!(text(&me.body["workspace_id"]), created);
}

#[tokio::test]
async fn live_streams_end_at_every_server_when_access_changes() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let mut replica = app.program().beside();
    replica.start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    for (number, change) in ["sign out", "role", "removal", "key"]
        .into_iter()
        .enumerate()
    {
        let mel = ada
            .invites(&app, &format!("mel{number}@example.com"), "member")
            .await;
        let holder = match change {
            "key" => mel.makes_key(&app, Value::Null).await,
            _ => mel.clone(),
        };
        let path = format!("/api/v1/conversations/{conversation}/events");
        let mut streams = Vec::new();
        for url in [app.url(&path), replica.url(&path)] {
            let mut req = client().get(url);
            if let Some(cookie) = &holder.cookie {
                req = req.header("cookie", cookie);
            }
            if let Some(key) = &holder.key {
                req = req.bearer_auth(key);
            }
            let stream = req.send().await.expect("a stream");
            assert_eq!(stream.status(), StatusCode::OK);
            streams.push(stream);
        }

        let member = format!("/members/{}", mel.id);
        let changed = match change {
            "sign out" => mel.delete(&app, "/session").await,
            "role" => ada.patch(&app, &member, json!({"role": "viewer"})).await,
            "removal" => ada.delete(&app, &member).await,
            _ => mel.delete(&app, &format!("/api-keys/{}", holder.id)).await,
        };
        let since = Instant::now();
        assert!(changed.status.is_success(), "{change}: {}", changed.body);
        for stream in &mut streams {
            let end = async { while let Ok(Some(_)) = stream.chunk().await {} };
            let left = CLOSED_WITHIN.saturating_sub(since.elapsed());
            let ended = tokio::time::timeout(left, end).await;

            assert!(ended.is_ok(), "{change}: open after {:?}", since.elapsed());
        }
    }
}

#[tokio::test]
async fn live_streams_end_when_their_key_expires() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let expires_at = time::OffsetDateTime::now_utc() + Duration::from_secs(8);
    let input = json!({"name": "short", "expires_at": Timestamp::from(expires_at)});
    let made = app.post("/api-keys", input).await;
    let key = text(&made.body["key"]);
    let left = || (expires_at - time::OffsetDateTime::now_utc()).unsigned_abs();

    let path = format!("/api/v1/conversations/{conversation}/events");
    let events = client().get(app.url(&path)).bearer_auth(&key).send().await;
    let heard = sessions::listen(&app, &key, json!({"toolsListChanged": true})).await;
    for mut stream in [events.expect("a stream"), heard] {
        assert_eq!(stream.status(), StatusCode::OK);
        let end = async { while let Ok(Some(_)) = stream.chunk().await {} };
        let ended = tokio::time::timeout(left() + Duration::from_secs(10), end).await;

        assert!(ended.is_ok(), "the key has expired, and {stream:?} is open");
        let since = time::OffsetDateTime::now_utc() - expires_at;
        assert!(since.is_positive(), "ended too soon: {since}");
    }
    let me = Person::with_key(&key).get(&app, "/me").await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

/// What was not heard is found out as soon as anything is heard again.
// The proxy must go on while the test waits for a command.
#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_although_its_server_could_not_hear_of_the_change() {
    let db = TestDb::create().await;
    let proxy = Proxy::to_database(&db).await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let far = Program::new(Some(db.url_through(&proxy)));
    let far = app.beside(far).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let mel = ada.invites(&app, "mel@example.com", "member").await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    let path = format!("/api/v1/conversations/{conversation}/events");
    let mut streams = Vec::new();
    for person in [&mel, &ada] {
        let cookie = person.cookie.as_deref().expect("a cookie");
        let req = client().get(far.url(&path)).header("cookie", cookie);
        let stream = req.send().await.expect("a stream");
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    far.ask(&conversation, "count").await;
    gate.release(1);
    for stream in &mut streams {
        read_until(stream, "event: text_live").await;
    }
    gate.finish();
    for stream in &mut streams {
        read_until(stream, "event: run_completed").await;
    }

    // The streams want nothing of the database now.
    proxy.refuse();
    proxy.wait_for_open_connections(0).await;
    let removed = ada.delete(&app, &format!("/members/{}", mel.id)).await;
    proxy.restore();
    let ended = tokio::time::timeout(CLOSED_WITHIN, streams[0].chunk()).await;
    let others = tokio::time::timeout(Duration::from_millis(1), streams[1].chunk()).await;

    assert!(removed.status.is_success(), "{}", removed.body);
    assert!(matches!(ended, Ok(Ok(None))), "no good end: {ended:?}");
    assert!(others.is_err(), "nothing was taken from her: {others:?}");
}

/// Reads a stream until it has said some words.
async fn read_until(stream: &mut reqwest::Response, words: &str) {
    let mut said = String::new();
    while !said.contains(words) {
        let piece = stream.chunk().await.expect("a stream").expect("more");
        said.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[tokio::test]
async fn keys_can_do_no_more_than_whoever_made_them() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let vera = ada.invites(&app, "vera@example.com", "viewer").await;
    let maker = ada
        .makes_key(&app, json!(["manage_own_api_keys", "converse"]))
        .await;

    let too_much = json!({"name": "x", "scopes": ["converse"]});
    let by_viewer = vera.post(&app, "/api-keys", too_much).await;
    let wider = json!({"name": "x", "scopes": ["manage_models"]});
    let wider = maker.post(&app, "/api-keys", wider).await;
    let inherited = maker.post(&app, "/api-keys", json!({"name": "x"})).await;
    let account = json!({"name": "x", "scopes": ["manage_own_account"]});
    let account = ada.post(&app, "/api-keys", account).await;
    let unknown = json!({"name": "x", "scopes": ["everything"]});
    let unknown = ada.post(&app, "/api-keys", unknown).await;

    assert_eq!(by_viewer.wrong_fields(), ["scopes"]);
    assert_eq!(wider.wrong_fields(), ["scopes"]);
    let mut scopes = inherited.body["scopes"].as_array().expect("scopes").clone();
    scopes.sort_by_key(|scope| scope.to_string());
    assert_eq!(scopes, ["converse", "manage_own_api_keys", "read"]);
    assert_eq!(account.wrong_fields(), ["scopes"]);
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn command_line_makes_a_scoped_key() {
    let app = TestApp::start().await;
    let arguments = [
        "admin",
        "create-api-key",
        "--email",
        inputs::ADA,
        "--workspace",
        inputs::ACME,
        "--scopes",
        "read,converse",
    ];

    let output = app.command(&arguments).output().expect("run admin");
    let key = Person::with_key(String::from_utf8_lossy(&output.stdout).trim());
    let read = key.get(&app, "/agents").await;
    let build = key.post(&app, "/agents", json!({})).await;
    let model = json!({"name": "x", "kind": "local"});
    let model = key.post(&app, "/model-connections", model).await;

    assert_eq!(read.status, StatusCode::OK);
    assert_eq!(build.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(model.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_change_leaves_a_line_in_the_audit_log() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "hello").await;
    app.log(&conversation).await;
    let vera = ada.invites(&app, "vera@example.com", "viewer").await;
    let refused = vera
        .post(&app, "/agents", inputs::agent("No", &agent, "x"))
        .await;
    ada.delete(&app, &format!("/agents/{agent}")).await;

    let log = ada.get(&app, "/audit-events?limit=100").await.body;
    let mine = format!("/audit-events?actor_id={}&result=refused", vera.id);
    let mine = ada.get(&app, &mine).await.body;
    let one = ada
        .get(&app, "/audit-events?action=agent.delete")
        .await
        .body;
    let unknown = ada.get(&app, "/audit-events?action=agent.eat").await;

    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let deeds: Vec<&str> = log["items"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["action"].as_str())
        .collect();
    for deed in [
        "workspace.create",
        "session.create",
        "api_key.create",
        "model_connection.create",
        "agent.create",
        "conversation.create",
        "message.create",
        "invitation.create",
        "member.create",
        "agent.delete",
    ] {
        assert!(deeds.contains(&deed), "{deed} is missing in {deeds:?}");
    }
    assert_eq!(mine["items"].as_array().expect("lines").len(), 1);
    assert_eq!(mine["items"][0]["action"], "agent.create");
    assert_eq!(one["items"][0]["object_id"], agent);
    assert_eq!(one["items"][0]["object_name"], "Release Scout");
    assert_eq!(one["items"][0]["actor"], inputs::ADA);
    assert!(!text(&one["items"][0]["request_id"]).is_empty());
    assert_eq!(unknown.wrong_fields(), ["action"]);
}

/// Even the program's own database role cannot alter the log as a tenant.
#[tokio::test]
async fn audit_log_is_append_only() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let workspace = text(&ada.get(&app, "/me").await.body["workspace_id"]);
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    for statement in [
        "update audit_events set result = 'done'",
        "delete from audit_events",
    ] {
        let sql = format!(
            "begin; set local role agentarea_tenant; set local app.workspace_id = '{workspace}'; {statement}"
        );
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut superuser)
            .await;
        sqlx::raw_sql("rollback")
            .execute(&mut superuser)
            .await
            .expect("the end");

        let error = done.expect_err(statement).to_string();
        assert!(error.contains("permission denied"), "{error}");
    }
}
