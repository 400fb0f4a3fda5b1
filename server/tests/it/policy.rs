//! Reports of what browsers refused.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{TestDb, inputs};

use crate::people::Person;
use crate::support::{Program, TestApp, client};

#[tokio::test]
async fn pages_tell_where_breaches_are_reported() {
    let app = TestApp::start().await;

    let page = client().get(app.url("/sign-in")).send().await;
    let page = page.expect("a page");

    let headers = page.headers();
    assert_eq!(headers["reporting-endpoints"], "policy=\"/policy-reports\"");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(policy.ends_with("report-to policy"), "{policy}");
    let tried = headers["content-security-policy-report-only"].to_str();
    assert!(
        tried
            .expect("text")
            .starts_with("require-trusted-types-for 'script'")
    );
}

#[tokio::test]
async fn pages_may_hear_from_a_watcher_that_has_rebuilt_them() {
    let db = TestDb::create().await;
    let mut watched = Program::new(Some(db.url()));
    watched.set("LEPTOS_WATCH", "on");
    let watched = TestApp::on(watched).await;

    let page = client().get(watched.url("/sign-in")).send().await;
    let page = page.expect("a page");

    let policy = page.headers()["content-security-policy"].to_str();
    let policy = policy.expect("text").to_owned();
    assert!(
        policy.contains("connect-src 'self' ws://*:3001;"),
        "{policy}"
    );
    let html = page.text().await.expect("text");
    assert!(html.contains("/live_reload"), "the page listens");
}

#[tokio::test]
async fn reports_are_counted_whoever_brings_them() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let cookie = ada.cookie.as_deref().expect("a cookie");
    let reports = json!([
        violation("img-src", "enforce"),
        violation("require-trusted-types-for", "report"),
        violation("anything else", "enforce"),
        {"type": "deprecation", "body": {"id": "other kinds are passed over"}},
    ])
    .to_string();

    let answer = deliver(&app, &reports, |req| req.header("cookie", cookie));
    let answer = answer.await;
    let metrics = client().get(app.url("/metrics")).send().await;
    let metrics = metrics.expect("metrics").text().await.expect("text");

    assert_eq!(answer, StatusCode::NO_CONTENT);
    let counted: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("agentarea_policy_reports_total"))
        .collect();
    for labels in [
        "directive=\"img-src\",disposition=\"enforce\"",
        "directive=\"require-trusted-types-for\",disposition=\"report\"",
        "directive=\"other\",disposition=\"enforce\"",
    ] {
        let line = format!("agentarea_policy_reports_total{{{labels}}} 1");
        assert!(counted.contains(&line.as_str()), "{line}: {counted:?}");
    }
    assert_eq!(counted.len(), 3);
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let app = TestApp::start().await;
    let one = json!([violation("img-src", "enforce")]).to_string();
    let large = json!([{"type": "x".repeat(70_000)}]).to_string();

    let plain = deliver(&app, &one, |req| req.header("content-type", "text/plain"));
    let garbled = deliver(&app, "[{", |req| req);
    let too_large = deliver(&app, &large, |req| req);
    let foreign = deliver(&app, &one, |req| {
        req.header("origin", "https://evil.example")
    });

    assert_eq!(plain.await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(garbled.await, StatusCode::BAD_REQUEST);
    assert_eq!(too_large.await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(foreign.await, StatusCode::FORBIDDEN);
}

fn violation(directive: &str, disposition: &str) -> Value {
    json!({
        "type": "csp-violation",
        "age": 10,
        "url": "http://127.0.0.1/agents",
        "user_agent": "Mozilla/5.0",
        "body": {
            "documentURL": "http://127.0.0.1/agents",
            "blockedURL": "https://evil.example/beacon.png",
            "effectiveDirective": directive,
            "disposition": disposition,
            "lineNumber": 7,
        },
    })
}

/// Sends a body as a browser sends reports, with a header more or another.
async fn deliver(
    app: &TestApp,
    body: &str,
    with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> StatusCode {
    let req = client().post(app.url("/policy-reports"));
    let mut req = with(req).body(body.to_owned()).build().expect("a request");
    let kind = "application/reports+json".parse().expect("a header");
    req.headers_mut().entry("content-type").or_insert(kind);
    let answer = client().execute(req).await;
    answer.expect("an answer").status()
}
