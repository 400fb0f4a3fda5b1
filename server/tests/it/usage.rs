//! The ledger.

use reqwest::StatusCode;
use serde_json::json;
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, ToolServer, inputs};

use crate::gateway::{MODERN, call};
use crate::mcp_servers::remote;
use crate::people::Person;
use crate::support::{TestApp, eventually};
use crate::tools::agent_with;

#[tokio::test]
async fn every_call_is_counted_once_and_outlives_its_conversation() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(
        Scripted::tool_calls(&[
            ("a", "calculator", r#"{"expression":"1+1"}"#),
            ("b", "calculator", r#"{"expression":"1/0"}"#),
        ])
        .usage(100, 20),
    );
    model.next(Scripted::text("2").usage(150, 1));
    app.ask(&conversation, "count").await;
    app.log(&conversation).await;

    app.delete(&format!("/conversations/{conversation}")).await;
    let report = app.get("/usage?days=7").await.body;

    assert_eq!(report["total"]["model_calls"], 2);
    assert_eq!(report["total"]["tool_calls"], 2);
    assert_eq!(report["total"]["errors"], 1);
    assert_eq!(report["total"]["input_tokens"], 250);
    assert_eq!(report["total"]["output_tokens"], 21);
    let days = report["days"].as_array().expect("days");
    assert_eq!(days.len(), 7);
    assert_eq!(days[6]["model_calls"], 2);
    assert_eq!(report["agents"][0]["name"], "Tool Scout");
    assert_eq!(report["models"][0]["name"], "scripted-large");
    assert_eq!(report["tools"][0]["name"], "calculator");
    assert_eq!(report["tools"][0]["tool_calls"], 2);
}

#[tokio::test]
async fn tokens_of_the_providers_cache_are_kept_shown_and_cheaper() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
    let connection = app.get(&format!("/agents/{agent}")).await.body["model"]["connection_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let price = json!({"price": {
        "input_usd_micros": 1_000_000, "output_usd_micros": 1_000_000,
        "cached_input_usd_micros": 100_000,
    }});
    app.patch(&format!("/models/{connection}/scripted-large"), price)
        .await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("a", "calculator", r#"{"expression":"1+1"}"#);
    model.next(Scripted::tool_calls(&[call]).usage(100, 20));
    model.next(Scripted::text("2").usage(1_000, 1).cached(900));

    let run = app.ask(&conversation, "count").await;
    app.log(&conversation).await;

    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["usage"]["input_tokens"], 1_100);
    assert_eq!(run["usage"]["cached_input_tokens"], 900);
    // 120 at the full price, then 100 and 1 at it and 900 for a tenth.
    assert_eq!(run["usage"]["cost_usd_micros"], 120 + 101 + 90);
    let steps = run["steps"].as_array().expect("steps");
    let last = steps.last().expect("a step");
    assert_eq!(last["usage"]["cached_input_tokens"], 900);
    assert!(steps[0]["usage"].get("cached_input_tokens").is_none());
    let report = app.get("/usage?days=1").await.body;
    for part in ["days", "agents", "models"] {
        assert_eq!(report[part][0]["cached_input_tokens"], 900, "{part}");
    }
    assert_eq!(report["total"]["cached_input_tokens"], 900);
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let id = run["id"].as_str().expect("an id");
    for (path, words) in [
        (format!("/runs/{id}"), "1,100 (900 cached)"),
        ("/usage?days=7".to_owned(), "900 cached"),
    ] {
        let page = app.client.get(app.url(&path));
        let page = page.header("cookie", ada.cookie.clone().expect("a cookie"));
        let page = page.send().await.expect("a page").text().await;
        assert!(page.expect("text").contains(words), "{path}");
    }
    let csv = app
        .client
        .get(app.url("/api/v1/usage/export?days=1"))
        .bearer_auth(&app.key)
        .send();
    let csv = csv.await.expect("an answer").text().await.expect("text");
    let mut lines = csv.lines();
    let heading = lines.next().expect("a heading");
    assert!(
        heading.ends_with(",cost_usd_micros,cached_input_tokens,cache_written_tokens"),
        "{heading}"
    );
    assert!(
        lines.next().expect("a day").ends_with(",311,900,0"),
        "{csv}"
    );
}

#[tokio::test]
async fn report_is_exported_and_its_length_is_checked() {
    let app = TestApp::start().await;

    let wrong = app.get("/usage?days=0").await;
    let csv = app
        .client
        .get(app.url("/api/v1/usage/export?days=3"))
        .bearer_auth(&app.key)
        .send()
        .await
        .expect("an answer");

    assert_eq!(wrong.wrong_fields(), ["days"]);
    assert_eq!(csv.status(), StatusCode::OK);
    let text = csv.text().await.expect("text");
    assert_eq!(text.lines().count(), 4);
    assert!(text.starts_with("day,model_calls"), "{text}");
}

#[tokio::test]
async fn calls_without_a_run_are_in_the_ledger_with_who_called() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let id = app
        .post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let price = json!({"call_price_usd_micros": 2_500});
    let priced = app.patch(&format!("/mcp-servers/{id}"), price).await;
    let me = app.get("/me").await.body["user"].clone();

    call(&app, MODERN, "one__echo", json!({"text": "canary-57"})).await;
    call(&app, MODERN, "one__fail", json!({})).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let path = &crate::authorization::functions::paths()["try_tool"];
    let tried = app.client.post(app.url(path));
    let tried = tried
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("id={id}&tool=echo&fields%5Btext%5D=x"))
        .header("origin", app.url(""))
        .header("cookie", ada.cookie.clone().expect("a cookie"))
        .header("accept", "application/json");
    let tried = tried.send().await.expect("an answer");

    assert_eq!(priced.body["call_price_usd_micros"], 2_500);
    assert_eq!(tried.status(), StatusCode::OK);
    let is_booked = eventually(async || {
        let calls = app.get("/usage/calls").await.body["items"].clone();
        calls.as_array().is_some_and(|calls| calls.len() == 3)
    });
    let is_booked = is_booked.await;
    let calls = app.get("/usage/calls").await.body["items"].clone();
    assert!(is_booked, "{calls}");
    let told = |field: &str| -> Vec<serde_json::Value> {
        let calls = calls.as_array().expect("calls").iter().rev();
        calls.map(|call| call[field].clone()).collect()
    };
    assert_eq!(told("target"), ["one__echo", "one__fail", "one__echo"]);
    assert_eq!(told("server"), ["one", "one", "one"]);
    assert_eq!(told("via"), ["gateway", "gateway", "trial"]);
    assert_eq!(told("is_error"), [false, true, false]);
    assert_eq!(told("cost_usd_micros"), [2_500, 2_500, 2_500]);
    assert_eq!(told("author_id")[0], me["id"]);
    assert!(!calls.to_string().contains("canary-57"));
    let report = app.get("/usage?days=1").await.body;
    assert_eq!(report["total"]["tool_calls"], 3);
    assert_eq!(report["total"]["cost_usd_micros"], 7_500);
    assert_eq!(report["tools"][0]["name"], "one__echo");
    assert_eq!(report["people"][0]["name"], me["email"]);
    assert_eq!(report["people"][0]["tool_calls"], 3);
    for (part, words) in [
        ("calls", ",tool_call,gateway,one,one__fail,"),
        ("tools", "one__echo,0,2,0,"),
        ("people", ",0,3,1,"),
    ] {
        let path = format!("/api/v1/usage/export?days=1&part={part}");
        let csv = app.client.get(app.url(&path)).bearer_auth(&app.key);
        let csv = csv.send().await.expect("an answer").text().await;
        let csv = csv.expect("text");
        assert!(csv.contains(words), "{part}: {csv}");
    }
    let wrong = app.get("/usage/export?part=nothing").await;
    assert_eq!(wrong.wrong_fields(), ["part"]);
}
