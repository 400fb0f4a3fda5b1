//! Numbers that operators watch, with the names and labels that are promised.

use serde_json::json;
use testkit::ToolServer;
use testkit::tool_server::{Era, Mood};

use crate::gateway::{MODERN, send};
use crate::mcp_servers::remote;
use crate::support::{TestApp, client};

/// The value of a line of the metrics whose name and labels are these, in any order.
fn value(metrics: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let is_wanted = |line: &&str| {
        let (found, rest) = line.split_once('{').unwrap_or_default();
        let given = rest.rsplit_once('}').unwrap_or_default().0;
        let is_given = |(key, value): &(&str, &str)| {
            given
                .split(',')
                .any(|it| it == format!("{key}=\"{value}\""))
        };
        found == name && labels.iter().all(is_given)
    };
    let line = metrics.lines().find(is_wanted)?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn metrics(app: &TestApp) -> String {
    let answer = client().get(app.url("/metrics")).send().await;
    answer.expect("an answer").text().await.expect("text")
}

#[tokio::test]
async fn tool_calls_are_counted_by_what_became_of_them() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let made = app
        .post("/mcp-servers", remote("tools", &server.url()))
        .await;
    made.created();
    let call = async |tool: &str| {
        let params = json!({"name": tool, "arguments": {"text": "hello"}});
        send(&app, "/mcp", MODERN, "tools/call", params).await
    };

    call("tools__echo").await;
    call("tools__echo").await;
    call("tools__fail").await;
    server.set_mood(Mood::Status(500));
    call("tools__echo").await;

    let metrics = metrics(&app).await;
    let count = |outcome| {
        let labels = [("outcome", outcome)];
        value(&metrics, "agentarea_mcp_tool_calls_total", &labels)
    };
    assert_eq!(count("ok"), Some(2.0), "{metrics}");
    assert_eq!(count("tool_error"), Some(1.0), "{metrics}");
    assert_eq!(count("error"), Some(1.0), "{metrics}");
}

#[tokio::test]
async fn duration_of_requests_is_told_by_route_and_status() {
    let app = TestApp::start().await;
    let unknown = "0197a000-0000-7000-8000-000000000000";
    app.get("/me").await;
    app.get("/me").await;
    app.get(&format!("/agents/{unknown}")).await;

    let metrics = metrics(&app).await;

    let name = "agentarea_http_request_duration_seconds";
    let me = [("method", "GET"), ("path", "/api/v1/me"), ("status", "200")];
    let missing = [
        ("method", "GET"),
        ("path", "/api/v1/agents/{id}"),
        ("status", "404"),
    ];
    assert_eq!(value(&metrics, &format!("{name}_count"), &me), Some(2.0));
    assert_eq!(
        value(&metrics, &format!("{name}_count"), &missing),
        Some(1.0)
    );
    let sum = value(&metrics, &format!("{name}_sum"), &me);
    assert!(sum.is_some_and(|sum| sum > 0.0 && sum < 60.0), "{sum:?}");
    let whole = [me[0], me[1], me[2], ("le", "+Inf")];
    assert_eq!(
        value(&metrics, &format!("{name}_bucket"), &whole),
        Some(2.0)
    );
    assert!(
        !metrics.contains(unknown),
        "ids make no series of their own"
    );
}
