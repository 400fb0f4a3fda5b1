//! What every answer tells browsers.

use reqwest::StatusCode;
use serde_json::json;
use testkit::{TestDb, inputs};

use crate::support::{Program, TestApp, client, sign_in};

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let stranger = client();
    let html = stranger.get(app.url("/sign-in")).send().await;
    let html = html.expect("an answer").text().await.expect("text");
    let script = between(&html, "\"/pkg/", "\"").expect("a built file");
    let key = |request: reqwest::RequestBuilder| request.bearer_auth(&app.key);
    let get = |path: &str| stranger.get(app.url(path));

    for (name, request) in [
        ("page", get("/sign-in")),
        ("redirect", get("/")),
        ("private page", get("/agents").header("cookie", &cookie)),
        ("no page", get("/nowhere")),
        ("answer", key(get("/api/v1/me"))),
        (
            "created",
            key(stranger.post(app.url("/api/v1/api-keys"))).json(&json!({"name": "x"})),
        ),
        ("missing", key(get("/api/v1/nothing"))),
        ("unauthenticated", get("/api/v1/me")),
        ("wrong method", key(stranger.put(app.url("/api/v1/me")))),
        (
            "wrong type",
            key(stranger.post(app.url("/api/v1/agents"))).body("x"),
        ),
        (
            "refused",
            stranger
                .post(app.url("/api/v1/agents"))
                .header("cookie", &cookie),
        ),
        ("other host", get("/").header("host", "evil.example")),
        (
            "too large",
            key(stranger.post(app.url("/api/v1/agents"))).body(vec![b' '; 3 << 20]),
        ),
        ("health", get("/health")),
        ("metrics", get("/metrics")),
        ("no function", stranger.post(app.url("/api/nothing"))),
        ("built file", get(&format!("/pkg/{script}"))),
        ("picture", get("/favicon.svg")),
    ] {
        let answer = request.send().await.expect("an answer");
        let headers = answer.headers();
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[header], value, "{name}: {header}");
        }
        assert!(!headers.contains_key("strict-transport-security"), "{name}");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{name}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{name}: {policy}"
        );
        let is_file = matches!(name, "built file" | "picture");
        assert_eq!(headers["cache-control"] == "no-store", !is_file, "{name}");
        assert!(headers.contains_key("x-request-id"), "{name}");
    }
}

#[tokio::test]
async fn https_site_stays_on_https() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_PUBLIC_URL", "https://agents.example.com");
    program.start().await;

    let answer = client().get(program.url("/sign-in"));
    let answer = answer.header("host", "agents.example.com").send().await;
    let by_address = client().get(program.url("/sign-in")).send().await;

    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert!(answer.headers().contains_key("strict-transport-security"));
    let by_address = by_address.expect("an answer").status();
    assert_eq!(by_address, StatusCode::MISDIRECTED_REQUEST);
}

pub(super) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}
