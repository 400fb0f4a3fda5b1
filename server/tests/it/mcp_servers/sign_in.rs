//! Signing in at servers that ask for it, by a scripted authorization server.

use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{TestDb, inputs};

use super::provider::Provider;
use super::remote;
use crate::authorization::functions::paths;
use crate::gateway::{MODERN, send};
use crate::people::Person;
use crate::support::{Program, TestApp};

/// A browser that goes nowhere by itself.
fn browser() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(Policy::none());
    client.build().expect("a client")
}

/// Calls a server function of the pages with the server's id.
async fn press(app: &TestApp, person: &Person, function: &str, id: &str) -> reqwest::Response {
    let sent = browser()
        .post(app.url(&paths()[function]))
        .header("origin", app.origin())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", person.cookie.as_deref().expect("a cookie"))
        .body(format!("id={id}"))
        .send()
        .await;
    sent.expect("an answer")
}

fn location(response: &reqwest::Response) -> String {
    let location = response.headers().get("location");
    let location = location.unwrap_or_else(|| panic!("{response:?}"));
    location.to_str().expect("text").to_owned()
}

/// Begins to sign in; gives where the authorization server sends the person back to.
async fn begin(app: &TestApp, person: &Person, id: &str) -> String {
    let begun = press(app, person, "begin_tool_server_sign_in", id).await;
    let there = location(&begun);
    let agreed = browser().get(there).send().await.expect("an answer");
    location(&agreed)
}

/// Comes back; gives the page that is shown.
async fn come_back(person: &Person, to: &str) -> String {
    let cookie = person.cookie.as_deref().expect("a cookie");
    let sent = browser().get(to).header("cookie", cookie).send().await;
    location(&sent.expect("an answer"))
}

async fn add(app: &TestApp, provider: &Provider) -> String {
    let made = app
        .post("/mcp-servers", remote("guarded", &provider.url()))
        .await;
    assert_eq!(made.body["state"], "sign_in_needed", "{}", made.body);
    made.created()
}

async fn server(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/mcp-servers/{id}")).await.body
}

async fn call(app: &TestApp) -> Value {
    let params = json!({"name": "guarded__whoami", "arguments": {}});
    send(app, "/mcp", MODERN, "tools/call", params).await.body
}

#[tokio::test]
async fn person_signs_in_and_tools_work() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;

    let back = begin(&app, &ada, &id).await;
    let page = come_back(&ada, &back).await;

    assert_eq!(page, format!("/tools/{id}"));
    let shown = server(&app, &id).await;
    assert_eq!(shown["state"], "ready", "{shown}");
    assert_eq!(shown["is_signed_in"], true);
    assert!(!shown.to_string().contains("opensesame"), "{shown}");
    let called = call(&app).await;
    assert_eq!(
        called["result"]["content"][0]["text"], "somebody",
        "{called}"
    );
    let audit = app.get("/audit-events?limit=100").await.body.to_string();
    assert!(audit.contains("mcp_server.sign_in"), "{audit}");
    assert!(!audit.contains("opensesame"), "{audit}");

    let out = press(&app, &ada, "end_tool_server_sign_in", &id).await;
    assert!(out.status().is_success(), "{}", out.status());
    let shown = server(&app, &id).await;
    assert_eq!(shown["state"], "sign_in_needed", "{shown}");
    assert_eq!(shown["is_signed_in"], false);
}

/// Asks the REST interface as a browser does that is signed in.
async fn rest(app: &TestApp, person: &Person, method: Method, id: &str) -> (StatusCode, Value) {
    let sent = browser()
        .request(
            method,
            app.url(&format!("/api/v1/mcp-servers/{id}/sign-in")),
        )
        .header("origin", app.origin())
        .header("cookie", person.cookie.as_deref().expect("a cookie"))
        .header("content-type", "application/json")
        .send()
        .await
        .expect("an answer");
    let status = sent.status();
    let body = sent.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn person_signs_in_and_out_by_the_rest_interface() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;

    let with_key = app
        .post(&format!("/mcp-servers/{id}/sign-in"), json!({}))
        .await;
    let (status, begun) = rest(&app, &ada, Method::POST, &id).await;
    let there = begun["url"].as_str().expect("an address");
    let agreed = browser().get(there).send().await.expect("an answer");
    let page = come_back(&ada, &location(&agreed)).await;
    let signed_in = server(&app, &id).await;
    let (gone, _) = rest(&app, &ada, Method::DELETE, &id).await;
    let signed_out = server(&app, &id).await;

    // What comes back belongs to a browser, and a key has none.
    assert_eq!(with_key.status, StatusCode::FORBIDDEN, "{}", with_key.body);
    assert_eq!(status, StatusCode::OK, "{begun}");
    assert_eq!(page, format!("/tools/{id}"));
    assert_eq!(signed_in["state"], "ready", "{signed_in}");
    assert_eq!(gone, StatusCode::NO_CONTENT);
    assert_eq!(signed_out["state"], "sign_in_needed", "{signed_out}");
}

#[tokio::test]
async fn state_is_good_once_and_for_its_browser_only() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let ada_elsewhere = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;
    let back = begin(&app, &ada, &id).await;
    let wrong = back.replace("state=", "state=x");

    let guessed = come_back(&ada, &wrong).await;
    let foreign = come_back(&ada_elsewhere, &back).await;
    let stranger = browser().get(&back).send().await.expect("an answer");
    let before = provider.memory().exchanges;
    let first = come_back(&ada, &back).await;
    let again = come_back(&ada, &back).await;

    for refused in [&guessed, &foreign, &again] {
        assert_eq!(refused, "/tools?sign_in=unknown");
    }
    assert_eq!(location(&stranger), "/sign-in");
    assert_eq!(before, 0, "nobody asked for tokens");
    assert_eq!(first, format!("/tools/{id}"));
    assert_eq!(provider.memory().exchanges, 1);
}

#[tokio::test]
async fn second_sign_in_ends_the_first() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;

    let first = begin(&app, &ada, &id).await;
    let second = begin(&app, &ada, &id).await;

    assert_eq!(come_back(&ada, &first).await, "/tools?sign_in=unknown");
    assert_eq!(come_back(&ada, &second).await, format!("/tools/{id}"));
    assert_eq!(server(&app, &id).await["state"], "ready");
}

#[tokio::test]
async fn answer_of_another_authorization_server_is_refused() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;
    provider.memory().wrong_issuer = Some("https://evil.example".to_owned());

    let back = begin(&app, &ada, &id).await;
    let page = come_back(&ada, &back).await;

    assert_eq!(page, format!("/tools/{id}"));
    let shown = server(&app, &id).await;
    assert_eq!(shown["state"], "sign_in_needed", "{shown}");
    let reason = shown["reason"].as_str().expect("a reason");
    assert!(reason.contains("another authorization server"), "{reason}");
    assert_eq!(provider.memory().exchanges, 0, "the code went nowhere");
}

#[tokio::test]
async fn refusal_of_the_person_is_the_servers_reason() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;
    let mut back: url::Url = begin(&app, &ada, &id).await.parse().expect("a URL");
    let state = back.query_pairs().find(|(key, _)| key == "state");
    let state = state.expect("a state").1.into_owned();
    back.set_query(Some(&format!("error=access_denied&state={state}")));

    let page = come_back(&ada, back.as_str()).await;

    assert_eq!(page, format!("/tools/{id}"));
    let reason = server(&app, &id).await["reason"].to_string();
    assert!(reason.contains("was not granted"), "{reason}");
}

#[tokio::test]
async fn tokens_are_renewed_before_they_expire_and_when_they_are_refused() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;
    // Expired as soon as they are there.
    provider.memory().expires_in = 0;
    let back = begin(&app, &ada, &id).await;
    come_back(&ada, &back).await;
    assert_eq!(server(&app, &id).await["state"], "ready");
    assert!(
        provider.memory().refreshes >= 1,
        "renewed before it was used"
    );
    provider.memory().expires_in = 3600;
    call(&app).await;

    let before = provider.memory().refreshes;
    let calm = call(&app).await;
    let after_calm = provider.memory().refreshes;
    provider.memory().access.clear();
    let refused = call(&app).await;
    let after_refused = provider.memory().refreshes;
    {
        let mut memory = provider.memory();
        memory.access.clear();
        memory.refresh.clear();
    }
    let ended = call(&app).await;
    let again = call(&app).await;

    assert!(calm["result"]["content"].is_array(), "{calm}");
    assert_eq!(after_calm, before, "good tokens are kept");
    assert_eq!(
        refused["result"]["content"][0]["text"], "somebody",
        "{refused}"
    );
    assert_eq!(after_refused, before + 1);
    for answer in [&ended, &again] {
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(answer.to_string().contains("sign in"), "{answer}");
    }
    assert_eq!(server(&app, &id).await["state"], "sign_in_needed");
}

#[tokio::test]
async fn tokens_do_not_follow_the_server_to_another_address() {
    let app = TestApp::start().await;
    let (here, there) = (Provider::start().await, Provider::start().await);
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &here).await;
    let back = begin(&app, &ada, &id).await;
    come_back(&ada, &back).await;

    let moved = json!({"source": {"type": "remote", "url": there.url()}});
    let moved = app.patch(&format!("/mcp-servers/{id}"), moved).await;

    assert_eq!(moved.status, StatusCode::OK);
    assert_eq!(moved.body["state"], "sign_in_needed", "{}", moved.body);
    assert_eq!(moved.body["is_signed_in"], false);
    let shown = there.memory().shown.clone();
    assert!(shown.iter().all(String::is_empty), "{shown:?}");
}

#[tokio::test]
async fn tokens_outlive_the_process() {
    let db = testkit::TestDb::create().await;
    let mut app = TestApp::on(crate::support::Program::new(Some(db.url()))).await;
    let provider = Provider::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = add(&app, &provider).await;
    let back = begin(&app, &ada, &id).await;
    come_back(&ada, &back).await;

    app.program().kill();
    app.program().start().await;
    let called = call(&app).await;

    assert_eq!(
        called["result"]["content"][0]["text"], "somebody",
        "{called}"
    );
    assert_eq!(provider.memory().exchanges, 1);
    assert_eq!(provider.memory().registrations, 1);
}

#[tokio::test]
async fn platform_describes_itself_where_it_can_be_read() {
    let path = "/oauth/client-metadata.json";
    let hidden = TestApp::start().await;
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    let url = format!("https://agents.example.com{path}");
    program.set("AGENTAREA_CLIENT_METADATA_URL", &url);
    let shown = TestApp::on(program).await;

    let nothing = hidden.client.get(hidden.url(path)).send().await;
    let document = shown.client.get(shown.url(path)).send().await;

    assert_eq!(nothing.expect("an answer").status(), StatusCode::NOT_FOUND);
    let document: Value = document.expect("an answer").json().await.expect("JSON");
    assert_eq!(document["client_id"], url);
    let callback = format!("{}/oauth/callback", shown.origin());
    assert_eq!(document["redirect_uris"], json!([callback]));
    assert_eq!(document["token_endpoint_auth_method"], "none");
}
