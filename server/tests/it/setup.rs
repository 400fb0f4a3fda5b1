//! First visit, signing in and out, and the doors that need neither.

use reqwest::StatusCode;
use serde_json::json;
use testkit::{TestDb, inputs};

use crate::support::{Answer, Program, TestApp, client, sign_in};

#[tokio::test]
async fn first_visit_makes_the_owner_and_disappears() {
    let app = TestApp::start().await;

    let me = app.get("/me").await;
    let again = app.post("/setup", inputs::set_up()).await;

    assert_eq!(me.body["user"]["email"], inputs::ADA);
    assert_eq!(me.body["workspaces"][0]["role"], "owner");
    assert_eq!(me.body["workspaces"][0]["workspace"]["name"], inputs::ACME);
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn wrong_fields_of_the_set_up_are_all_named() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.start().await;
    let input = json!({"email": "nobody", "password": "short", "workspace": " "});

    let answer = client().post(program.url("/api/v1/setup")).json(&input);
    let answer = Answer::read(answer.send().await.expect("an answer")).await;

    assert_eq!(answer.wrong_fields(), ["workspace", "email", "password"]);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn session_ends_with_signing_out() {
    let app = TestApp::start().await;
    let session = app.url("/api/v1/session");
    let me = app.url("/api/v1/me");

    let wrong = client().post(&session);
    let wrong = wrong.json(&json!({"email": inputs::ADA, "password": "not the password"}));
    let wrong = wrong.send().await.expect("an answer").status();
    let cookie = sign_in(&app, inputs::ADA).await;
    let look = client().get(&me).header("cookie", &cookie);
    let before = look.try_clone().expect("a copy").send().await;
    let sign_out = client().delete(&session).header("cookie", &cookie);
    let sign_out = sign_out.header("origin", app.origin());
    sign_out.send().await.expect("an answer");
    let after = look.send().await;

    assert_eq!(wrong, StatusCode::UNAUTHORIZED);
    assert_eq!(before.expect("an answer").status(), StatusCode::OK);
    assert_eq!(after.expect("an answer").status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn strangers_and_other_hosts_are_refused() {
    let app = TestApp::start().await;
    let stranger = client();
    let me = app.url("/api/v1/me");

    let nobody = stranger.get(&me).send().await.expect("an answer");
    let bad_key = stranger.get(&me).bearer_auth("aa_nonsense").send().await;
    let other_host = stranger
        .get(&me)
        .header("host", "evil.example")
        .send()
        .await;
    let probe = stranger
        .get(app.url("/health"))
        .header("host", "evil.example")
        .send()
        .await;

    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        bad_key.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        other_host.expect("an answer").status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    assert_eq!(probe.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn change_asked_for_by_another_site_is_refused() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let change = |name: &'static str, value: &'static str| {
        let change = client().post(app.url("/api/v1/api-keys"));
        let change = change.header("cookie", &cookie).header(name, value);
        let change = change.json(&json!({"name": "stolen"})).send();
        async move { change.await.expect("an answer").status() }
    };

    let foreign = change("origin", "https://evil.example").await;
    let sibling = change("sec-fetch-site", "same-site").await;
    let own = change("sec-fetch-site", "same-origin").await;

    assert_eq!(foreign, StatusCode::FORBIDDEN);
    assert_eq!(sibling, StatusCode::FORBIDDEN);
    assert_eq!(own, StatusCode::CREATED);
}

#[tokio::test]
async fn key_is_shown_once_and_stops_working_when_deleted() {
    let app = TestApp::start().await;

    let created = app.post("/api-keys", json!({"name": "ci"})).await.body;
    let key = created["key"].as_str().expect("the key");
    let with_key = client().get(app.url("/api/v1/me")).bearer_auth(key);
    let before = with_key
        .try_clone()
        .expect("a copy")
        .send()
        .await
        .expect("an answer")
        .status();
    let list = app.get("/api-keys").await.body.to_string();
    let id = created["id"].as_str().expect("an id");
    let deleted = app.delete(&format!("/api-keys/{id}")).await.status;
    let after = with_key.send().await.expect("an answer").status();

    assert!(key.starts_with("aa_"));
    assert_eq!(before, StatusCode::OK);
    assert!(!list.contains(key));
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    assert_eq!(after, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn unknown_and_wrong_settings_stop_the_start_by_name() {
    for (name, value) in [
        ("AGENTAREA_LISTENN", "127.0.0.1:1"),
        ("AGENTAREA_LIMITS__RUNS", "1"),
        ("AGENTAREA_LIMITS__RUNS_PER_WORKSPACE", "many"),
        ("AGENTAREA_ALLOW_PRIVATE_HOSTS", "no port"),
    ] {
        let mut program = Program::new(Some("postgres://nobody@127.0.0.1:1/none".to_owned()));
        program.set(name, value);

        let output = program
            .command(&["serve", "--check"])
            .output()
            .expect("run serve");

        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        let key = name.trim_start_matches("AGENTAREA_").to_lowercase();
        let key = key.rsplit("__").next().expect("a key");
        assert!(!output.status.success(), "{name} was accepted");
        assert!(told.contains(key), "{name}: {told}");
    }
}

#[tokio::test]
async fn metrics_and_health_need_no_sign_in() {
    let app = TestApp::start().await;
    let stranger = client();

    let health = stranger
        .get(app.url("/health/db"))
        .send()
        .await
        .expect("an answer");
    let health = Answer::read(health).await;
    let metrics = stranger
        .get(app.url("/metrics"))
        .send()
        .await
        .expect("an answer");
    let metrics = metrics.text().await.expect("text");

    assert_eq!(health.body["status"], "ok");
    for name in [
        "agentarea_http_requests_total",
        "agentarea_runs_active",
        "agentarea_db_connections",
    ] {
        assert!(metrics.contains(name), "no {name} in {metrics}");
    }
}
