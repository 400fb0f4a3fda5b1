//! Tool calls that ask a person.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, TestDb, ToolServer, check_gapless};

use crate::support::{Program, TestApp};
use crate::tools::{agent_with, of_type, types};

const CALL: (&str, &str, &str) = ("call_1", "calculator", r#"{"expression":"1+1"}"#);

/// A conversation whose run waits for the answer to a question; gives both ids.
async fn waiting(app: &TestApp, model: &ScriptedModel, policy: &str) -> (String, Value) {
    let tools = json!([{"builtin": "calculator", "approval": policy}]);
    let agent = agent_with(app, model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::tool_calls(&[CALL]));
    let asked = ask(app, &conversation).await;
    (conversation, asked)
}

/// Posts a message and waits for the question that it leads to.
async fn ask(app: &TestApp, conversation: &str) -> Value {
    let last = app.get(&format!("/conversations/{conversation}")).await;
    assert_eq!(last.status, StatusCode::OK);
    let mut stream = app.events(conversation, "").await;
    let run = app.ask(conversation, "count").await;
    let events = stream
        .collect_until(|event| {
            event.event == "approval_requested" && event.data["run_id"] == run.as_str()
        })
        .await
        .expect("a question");
    events.last().expect("the question").data["data"].clone()
}

async fn decide(app: &TestApp, asked: &Value, decision: Value) -> crate::support::Answer {
    let id = asked["approval_id"].as_str().expect("an id");
    app.post(&format!("/approvals/{id}/decision"), decision)
        .await
}

#[tokio::test]
async fn approved_call_goes_ahead_and_the_run_ends() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;
    assert_eq!(asked["reason"], "policy");
    assert_eq!(asked["arguments"], json!({"expression": "1+1"}));
    model.next(Scripted::text("2"));

    let decided = decide(&app, &asked, json!({"decision": "approve"})).await;
    let log = app.log(&conversation).await;
    let again = decide(&app, &asked, json!({"decision": "reject"})).await;

    assert_eq!(decided.status, StatusCode::OK, "{}", decided.body);
    assert_eq!(decided.body["status"], "approved");
    assert_eq!(again.status, StatusCode::CONFLICT);
    check_gapless(&log).expect("no gap");
    let kinds = types(&log);
    let place = |kind: &str| kinds.iter().position(|other| *other == kind);
    assert!(place("approval_decided") < place("tool_call_started"));
    assert_eq!(of_type(&log, "tool_call_completed")[0]["result"], "2");
    assert_eq!(kinds.last(), Some(&"run_completed"));
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "run_started").count(),
        1
    );
}

#[tokio::test]
async fn run_waits_with_its_status_and_holds_no_place() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, asked) = waiting(&app, &model, "always").await;
    let pending = app.get("/approvals?status=pending").await;
    let approval = &pending.body["items"][0];
    let run = approval["run_id"].as_str().expect("a run").to_owned();

    let waiting = crate::support::eventually(async || {
        let run = app.get(&format!("/runs/{run}")).await;
        run.body["status"] == "waiting"
    })
    .await;
    let active = crate::support::eventually(async || {
        let metrics = app.client.get(app.url("/metrics")).send().await;
        let metrics = metrics.expect("metrics").text().await.expect("text");
        metrics.contains("agentarea_runs_active 0")
    })
    .await;

    assert!(waiting && active);
    assert_eq!(approval["id"], asked["approval_id"]);
    assert_eq!(approval["tool"], "calculator");
}

#[tokio::test]
async fn rejected_call_is_told_to_the_model_and_never_made() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;
    model.next(Scripted::text("then not"));

    let input = json!({"decision": "reject", "reason": "too expensive"});
    decide(&app, &asked, input).await;
    let log = app.log(&conversation).await;

    assert!(of_type(&log, "tool_call_started").is_empty());
    let result = of_type(&log, "tool_call_completed")[0];
    assert_eq!(result["is_error"], true);
    let told = model.requests()[1]["messages"][3]["content"].to_string();
    assert!(told.contains("too expensive"), "{told}");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
}

#[tokio::test]
async fn run_is_at_its_limit_although_people_said_no() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "calculator", "approval": "always"}]);
    let agent = agent_with(&app, &model, tools).await;
    let limits = json!({"limits": {"max_iterations": 1, "max_seconds": 60}});
    app.patch(&format!("/agents/{agent}"), limits).await;
    let conversation = app.create_conversation(&agent).await;
    model.always(Scripted::tool_calls(&[CALL]));
    let asked = ask(&app, &conversation).await;

    decide(&app, &asked, json!({"decision": "reject"})).await;
    let log = app.log(&conversation).await;

    let failed = of_type(&log, "run_failed");
    assert_eq!(failed[0]["error"]["kind"], "limit");
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn changed_arguments_are_checked_and_used() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;
    model.next(Scripted::text("ten"));

    let wrong = json!({"decision": "approve", "arguments": {"formula": "1"}});
    let wrong = decide(&app, &asked, wrong).await;
    let both = json!({"decision": "reject", "arguments": {"expression": "1"}});
    let both = decide(&app, &asked, both).await;
    let right = json!({"decision": "approve", "arguments": {"expression": "5+5"}});
    decide(&app, &asked, right).await;
    let log = app.log(&conversation).await;

    assert_eq!(wrong.wrong_fields(), ["arguments"]);
    assert_eq!(both.wrong_fields(), ["arguments"]);
    let started = of_type(&log, "tool_call_started")[0];
    assert_eq!(started["arguments"], json!({"expression": "5+5"}));
    assert_eq!(of_type(&log, "tool_call_completed")[0]["result"], "10");
}

#[tokio::test]
async fn first_use_asks_once_in_each_conversation() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "first_use").await;
    model.next(Scripted::text("2"));
    decide(&app, &asked, json!({"decision": "approve"})).await;
    app.log(&conversation).await;

    model.next(Scripted::tool_calls(&[CALL]));
    model.next(Scripted::text("2 again"));
    app.ask(&conversation, "once more").await;
    let log = app.log(&conversation).await;

    assert_eq!(of_type(&log, "approval_requested").len(), 1);
    assert_eq!(of_type(&log, "tool_call_completed").len(), 2);
}

#[tokio::test]
async fn waiting_run_survives_a_crash() {
    let mut app = TestApp::start_embedded().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;
    model.next(Scripted::text("2"));

    app.program().kill();
    app.program().start().await;
    let decided = decide(&app, &asked, json!({"decision": "approve"})).await;
    let log = app.log(&conversation).await;

    assert_eq!(decided.status, StatusCode::OK, "{}", decided.body);
    check_gapless(&log).expect("no gap");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
    assert_eq!(of_type(&log, "tool_call_completed").len(), 1);
}

#[tokio::test]
async fn cancelled_run_ends_and_its_question_with_it() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;
    let pending = app.get("/approvals?status=pending").await;
    let run = pending.body["items"][0]["run_id"]
        .as_str()
        .expect("a run")
        .to_owned();

    let cancelled = app
        .post(&format!("/runs/{run}/cancellation"), json!({}))
        .await;
    let log = app.log(&conversation).await;
    let late = decide(&app, &asked, json!({"decision": "approve"})).await;

    assert_eq!(cancelled.status, StatusCode::ACCEPTED);
    assert_eq!(types(&log).last(), Some(&"run_cancelled"));
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
    let pending = app.get("/approvals?status=pending").await;
    assert_eq!(pending.body["items"], json!([]));
    // What follows is whole again for the model.
    app.ask(&conversation, "go on").await;
    app.log(&conversation).await;
    let requests = model.requests();
    let sent = requests.last().expect("a request")["messages"].to_string();
    assert!(
        sent.contains("the run ended before this call did"),
        "{sent}"
    );
}

/// A run that waits for the answer to a question about a tool of a tool server.
async fn waiting_for_server(app: &TestApp, model: &ScriptedModel) -> (String, Value, ToolServer) {
    let server = ToolServer::start(Era::Modern).await;
    let input = crate::mcp_servers::remote("one", &server.url());
    let id = app.post("/mcp-servers", input).await.created();
    let tools = json!([{"server_id": id, "name": "echo", "approval": "always"}]);
    let agent = agent_with(app, model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::tool_calls(&[(
        "call_1",
        "one__echo",
        r#"{"text":"hello"}"#,
    )]));
    let asked = ask(app, &conversation).await;
    (conversation, asked, server)
}

#[tokio::test]
async fn changed_arguments_fit_the_schema_of_the_servers_tool() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked, server) = waiting_for_server(&app, &model).await;

    let wrong = json!({"decision": "approve", "arguments": {"text": 7}});
    let wrong = decide(&app, &asked, wrong).await;
    let calls_before = server.count("tools/call");
    let right = json!({"decision": "approve", "arguments": {"text": "good day"}});
    let right = decide(&app, &asked, right).await;
    let log = app.log(&conversation).await;

    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.wrong_fields(), ["arguments"]);
    assert!(wrong.body.to_string().contains("/text"), "{}", wrong.body);
    assert_eq!(calls_before, 0);
    assert_eq!(right.status, StatusCode::OK, "{}", right.body);
    let completed = of_type(&log, "tool_call_completed");
    assert_eq!(completed[0]["result"], "good day");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
}

#[tokio::test]
async fn model_is_told_that_its_arguments_were_changed() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (conversation, asked, _server) = waiting_for_server(&app, &model).await;

    let changed = json!({"decision": "approve", "arguments": {"text": "good day"}});
    decide(&app, &asked, changed).await;
    app.log(&conversation).await;
    model.next(Scripted::tool_calls(&[(
        "call_2",
        "one__echo",
        r#"{"text":"hello"}"#,
    )]));
    let again = ask(&app, &conversation).await;
    decide(&app, &again, json!({"decision": "approve"})).await;
    app.log(&conversation).await;

    let requests = model.requests();
    let told = |request: usize, message: usize| {
        let content = &requests[request]["messages"][message]["content"];
        content.as_str().expect("a text").to_owned()
    };
    let first = told(1, 3);
    assert!(first.contains(r#"{"text":"good day"}"#), "{first}");
    assert!(first.ends_with("\ngood day"), "{first}");
    // Later messages of the conversation say the same, and what was not changed is as it was.
    assert_eq!(told(3, 3), first);
    assert_eq!(told(3, 7), "hello");
}

#[tokio::test]
async fn question_that_nobody_answers_in_time_is_taken_as_no() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_LIMITS__APPROVAL_SECONDS", "1");
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let (conversation, asked) = waiting(&app, &model, "always").await;

    let log = app.log(&conversation).await;
    let late = decide(&app, &asked, json!({"decision": "approve"})).await;

    let decided = of_type(&log, "approval_decided")[0];
    assert_eq!(decided["decision"], "reject");
    assert_eq!(decided["decided_by"], Value::Null);
    assert!(of_type(&log, "tool_call_started").is_empty());
    let told = model.requests()[1]["messages"][3]["content"].to_string();
    assert!(told.contains("nobody decided in time"), "{told}");
    assert_eq!(types(&log).last(), Some(&"run_completed"));
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn question_is_open_for_a_quarter_of_an_hour() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    waiting(&app, &model, "always").await;

    let approval = app.get("/approvals").await.body["items"][0].clone();

    let time = |name: &str| {
        let time: domain::Timestamp =
            serde_json::from_value(approval[name].clone()).expect("a time");
        time.date_time()
    };
    let open_for = time("expires_at") - time("created_at");
    assert_eq!(open_for.whole_seconds(), 900);
}
