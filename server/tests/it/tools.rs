//! Agents call tools until they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent, TestDb, check_gapless, inputs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Program, TestApp};

/// An agent with these tools.
pub async fn agent_with(app: &TestApp, model: &ScriptedModel, tools: Value) -> String {
    let name = uuid::Uuid::now_v7().to_string();
    let input = inputs::model_connection(&name, &model.base_url());
    let connection = app.post("/model-connections", input).await.created();
    let mut input = inputs::agent("Tool Scout", &connection, "scripted-large");
    input["tools"] = tools;
    app.post("/agents", input).await.created()
}

pub fn types(log: &[SseEvent]) -> Vec<&str> {
    log.iter().map(|event| event.event.as_str()).collect()
}

pub fn of_type<'a>(log: &'a [SseEvent], kind: &str) -> Vec<&'a Value> {
    let found = log.iter().filter(|event| event.event == kind);
    found.map(|event| &event.data["data"]).collect()
}

#[tokio::test]
async fn agent_calls_tools_side_by_side_and_then_answers() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "calculator"}, {"builtin": "current_time"}]);
    let agent = agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text_and_tool_calls(
        "Let me see. ",
        &[
            ("call_a", "calculator", r#"{"expression":"6*7"}"#),
            ("call_b", "current_time", r#"{"time_zone":"Asia/Tokyo"}"#),
        ],
    ));
    model.next(Scripted::text("It is 42."));

    app.ask(&conversation, "what is 6*7?").await;
    let log = app.log(&conversation).await;

    check_gapless(&log).expect("no gap");
    let started = of_type(&log, "tool_call_started");
    let completed = of_type(&log, "tool_call_completed");
    assert_eq!(started.len(), 2);
    assert_eq!(started[0]["server"], "builtin");
    assert_eq!(started[0]["tool"], "calculator");
    assert_eq!(started[0]["arguments"], json!({"expression": "6*7"}));
    let results: Vec<&str> = completed
        .iter()
        .map(|call| call["result"].as_str().expect("a result"))
        .collect();
    assert!(results.contains(&"42"), "{results:?}");
    assert!(results.iter().any(|result| result.contains("Asia/Tokyo")));
    let messages = of_type(&log, "message_completed");
    assert_eq!(messages[0]["finish_reason"], "tool_calls");
    assert_eq!(messages[0]["text"], "Let me see. ");
    assert_eq!(messages[1]["finish_reason"], "stop");
    assert_eq!(messages[1]["text"], "It is 42.");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
    let asked = &model.requests()[1]["messages"];
    let roles: Vec<&str> = asked
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["role"].as_str().expect("a role"))
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"]);
    assert_eq!(asked[3]["tool_call_id"], "call_a");
    assert_eq!(asked[3]["content"], "42");
    let tools = &model.requests()[0]["tools"];
    assert_eq!(tools[0]["function"]["name"], "calculator");
}

#[tokio::test]
async fn tool_calls_stay_in_the_history_of_the_next_message_and_in_the_thread() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("call_a", "calculator", r#"{"expression":"2^10"}"#);
    model.next(Scripted::tool_calls(&[call]));
    model.next(Scripted::text("1024"));
    app.ask(&conversation, "2^10?").await;
    app.log(&conversation).await;

    app.ask(&conversation, "and why?").await;
    app.log(&conversation).await;

    let requests = model.requests();
    let sent = requests[2]["messages"].as_array().expect("messages");
    let roles: Vec<&str> = sent
        .iter()
        .map(|message| message["role"].as_str().expect("a role"))
        .collect();
    let expected = ["system", "user", "assistant", "tool", "assistant", "user"];
    assert_eq!(roles, expected);
    let path = format!("/conversations/{conversation}/messages");
    let messages = app.get(&path).await.body;
    let asking = &messages["items"][3];
    assert_eq!(asking["tool_calls"][0]["tool"], "calculator");
    assert_eq!(asking["tool_calls"][0]["result"], "1024");
    assert_eq!(asking["tool_calls"][0]["status"], "completed");
}

#[tokio::test]
async fn wrong_calls_are_answered_with_what_is_wrong() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::tool_calls(&[
        ("a", "calculator", r#"{"expression":"#),
        ("b", "calculator", r#"{"formula":"1"}"#),
        ("c", "teleport", "{}"),
        ("d", "calculator", r#"{"expression":"1/0"}"#),
    ]));
    model.next(Scripted::text("sorry"));

    app.ask(&conversation, "go").await;
    let log = app.log(&conversation).await;

    let completed = of_type(&log, "tool_call_completed");
    assert_eq!(completed.len(), 4);
    assert!(completed.iter().all(|call| call["is_error"] == true));
    let told: Vec<String> = model.requests()[1]["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().expect("text").to_owned())
        .collect();
    assert!(told[0].contains("not valid JSON"), "{told:?}");
    assert!(told[1].contains("schema"), "{told:?}");
    assert!(told[2].contains("no tool called"), "{told:?}");
    assert!(told[3].contains("no finite value"), "{told:?}");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
}

#[tokio::test]
async fn run_stops_at_its_limit_of_model_calls() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "current_time"}])).await;
    let limits = json!({"max_iterations": 2, "max_seconds": 60});
    let path = format!("/agents/{agent}");
    app.patch(&path, json!({ "limits": limits })).await;
    let conversation = app.create_conversation(&agent).await;
    model.always(Scripted::tool_calls(&[("a", "current_time", "{}")]));

    app.ask(&conversation, "go").await;
    let log = app.log(&conversation).await;

    let failed = of_type(&log, "run_failed");
    assert_eq!(failed[0]["error"]["kind"], "limit");
    assert_eq!(model.request_count(), 2);
}

#[tokio::test]
async fn failed_run_shows_its_error_once() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::tool_calls(&[(
        "a",
        "calculator",
        r#"{"expression":"1+1"}"#,
    )]));
    model.next(Scripted::status(400));

    app.ask(&conversation, "go").await;
    app.log(&conversation).await;
    let path = format!("/conversations/{conversation}/messages");
    let shown = app.get(&path).await.body;

    let kinds: Vec<&Value> = shown["items"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| &message["error"]["kind"])
        .collect();
    assert_eq!(kinds, [&json!("bad_request"), &Value::Null, &Value::Null]);
}

#[tokio::test]
async fn model_that_repeats_itself_is_stopped() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "current_time"}])).await;
    let conversation = app.create_conversation(&agent).await;
    model.always(Scripted::tool_calls(&[("a", "current_time", "{}")]));

    app.ask(&conversation, "go").await;
    let log = app.log(&conversation).await;

    let failed = of_type(&log, "run_failed");
    assert_eq!(failed[0]["error"]["kind"], "loop");
    assert_eq!(model.request_count(), 8);
}

#[tokio::test]
async fn web_tool_never_reaches_this_machine() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = agent_with(&app, &model, json!([{"builtin": "http_fetch"}])).await;
    let conversation = app.create_conversation(&agent).await;
    let port = model.base_url();
    let address = format!(r#"{{"url":"{port}/models"}}"#);
    let metadata = r#"{"url":"http://169.254.169.254/latest/meta-data/"}"#;
    let file = r#"{"url":"file:///etc/passwd"}"#;
    model.next(Scripted::tool_calls(&[
        ("a", "http_fetch", &address),
        ("b", "http_fetch", metadata),
        ("c", "http_fetch", file),
    ]));
    model.next(Scripted::text("no"));

    app.ask(&conversation, "look").await;
    let log = app.log(&conversation).await;

    let completed = of_type(&log, "tool_call_completed");
    assert_eq!(completed.len(), 3);
    for call in completed {
        assert_eq!(call["is_error"], true, "{call}");
        assert!(!call["result"].to_string().contains("scripted"), "{call}");
    }
}

#[tokio::test]
async fn unknown_tools_and_policies_are_named_fields() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let input = inputs::model_connection("models", &model.base_url());
    let connection = app.post("/model-connections", input).await.created();
    let mut input = inputs::agent("Scout", &connection, "scripted-large");
    let foreign = uuid::Uuid::now_v7().to_string();
    input["tools"] = json!([
        {"builtin": "teleport"},
        {"name": "echo"},
        {"server_id": foreign, "name": "echo"},
        {"builtin": "calculator"},
        {"builtin": "calculator"},
    ]);

    let refused = app.post("/agents", input).await;

    let fields = refused.wrong_fields();
    assert!(fields.contains(&"tools[0].builtin"), "{fields:?}");
    assert!(fields.contains(&"tools[1].server_id"), "{fields:?}");
    assert!(fields.contains(&"tools[4]"), "{fields:?}");
}

#[tokio::test]
async fn agent_that_is_edited_during_a_run_changes_with_the_next_one() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "calculator", "approval": "always"}]);
    let agent = agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("call_1", "calculator", r#"{"expression":"1+1"}"#);
    model.next(Scripted::tool_calls(&[call]));
    let mut stream = app.events(&conversation, "").await;
    let run = app.ask(&conversation, "count").await;
    let events = stream
        .collect_until(|event| event.event == "approval_requested")
        .await
        .expect("a question");
    let asked = &events.last().expect("a question").data["data"]["approval_id"];
    let path = format!("/agents/{agent}");

    let edited = json!({"instructions": "Sing.", "tools": [],
        "model": {"connection_id": connection(&app, &agent).await, "name": "scripted-small"}});
    let edited = app.patch(&path, edited).await;
    let decision = format!("/approvals/{}/decision", asked.as_str().expect("an id"));
    app.post(&decision, json!({"decision": "approve"})).await;
    app.log(&conversation).await;
    let next = app.ask(&conversation, "and again").await;
    app.log(&conversation).await;

    assert_eq!(edited.status, reqwest::StatusCode::OK, "{}", edited.body);
    let requests = model.requests();
    let told = |request: usize| {
        let request = &requests[request];
        let instructions = request["messages"][0]["content"].clone();
        (
            instructions,
            request["model"].clone(),
            request.get("tools").is_some(),
        )
    };
    let before = (json!("Answer briefly."), json!("scripted-large"), true);
    assert_eq!(told(0), before);
    assert_eq!(told(1), before, "in the middle of the run");
    assert_eq!(told(2), (json!("Sing."), json!("scripted-small"), false));
    for (run, version) in [(run, 1), (next, 2)] {
        let run = app.get(&format!("/runs/{run}")).await.body;
        assert_eq!(run["agent_version"], version);
    }
}

async fn connection(app: &TestApp, agent: &str) -> Value {
    let agent = app.get(&format!("/agents/{agent}")).await;
    agent.body["model"]["connection_id"].clone()
}

/// A site that sends everybody elsewhere; tells how often it was asked.
async fn redirecting(to: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let code = head.split(['/', ' ']).nth(2).unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 {code} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, asked)
}

#[tokio::test]
async fn web_tool_follows_no_redirect_inside_whatever_its_code() {
    let inside = ScriptedModel::start().await;
    let (port, asked) = redirecting(format!("{}/models", inside.base_url())).await;
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    let model = ScriptedModel::start().await;
    let hosts = format!("127.0.0.1:{port},{}", model.host());
    program.set("AGENTAREA_ALLOW_PRIVATE_HOSTS", &hosts);
    let app = TestApp::on(program).await;
    let agent = agent_with(&app, &model, json!([{"builtin": "http_fetch"}])).await;
    let conversation = app.create_conversation(&agent).await;
    let codes = [301, 302, 303, 307, 308];
    let calls = codes.map(|code| {
        let arguments = json!({"url": format!("http://127.0.0.1:{port}/{code}")});
        (code.to_string(), arguments.to_string())
    });
    let calls: Vec<_> = calls
        .iter()
        .map(|(id, arguments)| (id.as_str(), "http_fetch", arguments.as_str()))
        .collect();
    model.next(Scripted::tool_calls(&calls));
    model.next(Scripted::text("no"));

    app.ask(&conversation, "look").await;
    let log = app.log(&conversation).await;

    let completed = of_type(&log, "tool_call_completed");
    assert_eq!(completed.len(), codes.len());
    for call in completed {
        assert_eq!(call["is_error"], true, "{call}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), codes.len());
    assert_eq!(inside.request_count(), 0, "{:?}", inside.seen());
}
