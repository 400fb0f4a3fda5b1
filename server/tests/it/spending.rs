//! What runs cost that do not end well, and whom the ledger names.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent, TestDb, inputs};

use crate::giving_up::run_sql;
use crate::support::{Program, TestApp, eventually};

/// An agent whose model costs a dollar for a million tokens read and ten for a million written.
async fn priced_agent(app: &TestApp, model: &ScriptedModel, others: Value) -> String {
    let input = inputs::model_connection("priced", &model.base_url());
    let connection = app.post("/model-connections", input).await.created();
    let price = json!({"price": {"input_usd_micros": 1_000_000, "output_usd_micros": 10_000_000}});
    let path = format!("/models/{connection}/scripted-large");
    assert_eq!(app.patch(&path, price).await.status, StatusCode::OK);
    let mut input = inputs::agent("Counter", &connection, "scripted-large");
    for (name, value) in others.as_object().expect("settings") {
        input[name] = value.clone();
    }
    app.post("/agents", input).await.created()
}

fn end(log: &[SseEvent]) -> (&str, &Value) {
    let last = log.last().expect("an end");
    (&last.event, &last.data["data"])
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// What the ledger counts of models: tokens in, tokens out, cost, calls.
async fn ledger(app: &TestApp) -> [u64; 4] {
    let total = app.get("/usage?days=2").await.body["total"].clone();
    [
        "input_tokens",
        "output_tokens",
        "cost_usd_micros",
        "model_calls",
    ]
    .map(|name| number(&total[name]))
}

#[tokio::test]
async fn answer_that_is_stopped_costs_what_was_sent_and_said() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model, json!({})).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(40).held();
    model.next(answer);
    let mut stream = app.events(&conversation, "").await;

    let run = app.ask(&conversation, &"long ".repeat(100)).await;
    gate.release(20);
    stream
        .collect_until_live(Scripted::numbered(20).full_text().len())
        .await
        .expect("some text");
    app.post(&format!("/runs/{run}/cancellation"), json!({}))
        .await;
    let log = app.log(&conversation).await;

    let (kind, data) = end(&log);
    assert_eq!(kind, "run_cancelled");
    let usage = &data["usage"];
    // 500 bytes and the instructions; 50 characters.
    let [read, written] = ["input_tokens", "output_tokens"].map(|name| number(&usage[name]));
    assert!((125..160).contains(&read), "{usage}");
    assert!((12..=13).contains(&written), "{usage}");
    let cost = number(&usage["cost_usd_micros"]);
    assert_eq!(cost, read + 10 * written);
    assert_eq!(ledger(&app).await, [read, written, cost, 1]);
}

#[tokio::test]
async fn answer_that_breaks_off_costs_and_one_that_is_refused_does_not() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model, json!({})).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::status(401));
    app.ask(&conversation, "count").await;
    let refused = app.log(&conversation).await;
    let nothing = ledger(&app).await;
    model.next(Scripted::numbered(40).eof_after(20));

    app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;

    assert_eq!(end(&refused).0, "run_failed");
    assert_eq!(nothing, [0, 0, 0, 1]);
    let (kind, data) = end(&log);
    assert_eq!(kind, "run_failed");
    assert!(number(&data["usage"]["cost_usd_micros"]) > 120, "{data}");
    let [read, written, cost, calls] = ledger(&app).await;
    assert!(read > 0 && written >= 12 && calls == 2);
    assert_eq!(cost, read + 10 * written);
}

#[tokio::test]
async fn run_out_of_time_has_paid_for_the_question() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let limits = json!({"limits": {"max_seconds": 5}});
    let agent = priced_agent(&app, &model, limits).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::silent());

    app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;

    assert_eq!(end(&log).1["error"]["kind"], "time_limit");
    let [read, written, cost, calls] = ledger(&app).await;
    assert!(read > 0 && written == 0 && calls == 1);
    assert_eq!(cost, read);
}

#[tokio::test]
async fn run_that_repeats_itself_pays_for_its_last_call_too() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!({"tools": [{"builtin": "calculator"}]});
    let agent = priced_agent(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("a", "calculator", r#"{"expression":"1+1"}"#);
    model.always(Scripted::tool_calls(&[call]).usage(100, 20));

    app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;

    let calls = model.request_count() as u64;
    let (_, data) = end(&log);
    assert_eq!(data["error"]["kind"], "loop");
    assert_eq!(number(&data["usage"]["input_tokens"]), 100 * calls);
    let expected = [100 * calls, 20 * calls, 300 * calls, calls];
    assert_eq!(ledger(&app).await, expected);
}

#[tokio::test]
async fn limit_of_written_text_counts_what_is_written_and_ends_the_run() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let settings = json!({
        "tools": [{"builtin": "calculator"}],
        "limits": {"max_tokens": 30},
    });
    let agent = priced_agent(&app, &model, settings).await;
    let conversation = app.create_conversation(&agent).await;
    for expression in ["1+1", "2+2", "3+3"] {
        let arguments = json!({ "expression": expression }).to_string();
        let calls = [(expression, "calculator", arguments.as_str())];
        model.next(Scripted::tool_calls(&calls).usage(5_000, 20));
    }

    app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;

    let error = &end(&log).1["error"];
    assert_eq!(error["kind"], "limit");
    let message = error["message"].as_str().expect("words");
    assert!(message.contains("30 tokens of written text"), "{message}");
    let longest: Vec<Value> = model
        .requests()
        .iter()
        .map(|request| request["max_tokens"].clone())
        .collect();
    assert_eq!(longest, [json!(30), json!(10)]);
}

#[tokio::test]
async fn fallback_is_paid_under_its_own_name() {
    let app = TestApp::start().await;
    let (broken, good) = (ScriptedModel::start().await, ScriptedModel::start().await);
    broken.always(Scripted::status(401));
    let input = inputs::model_connection("good", &good.base_url());
    let second = app.post("/model-connections", input).await.created();
    let settings = json!({
        "fallbacks": [{"connection_id": second, "name": "scripted-small"}],
        "tools": [{"builtin": "calculator"}],
    });
    let agent = priced_agent(&app, &broken, settings).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("a", "calculator", r#"{"expression":"1+1"}"#);
    good.next(Scripted::tool_calls(&[call]));

    let run = app.ask(&conversation, "count").await;
    app.log(&conversation).await;

    let report = app.get("/usage?days=2").await.body;
    let models = report["models"].as_array().expect("models");
    assert_eq!(models.len(), 1, "{report}");
    assert_eq!(models[0]["name"], "scripted-small");
    assert_eq!(models[0]["model_calls"], 2);
    let run = app.get(&format!("/runs/{run}")).await.body;
    let targets: Vec<&Value> = run["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| &step["target"])
        .collect();
    assert_eq!(targets, ["scripted-small", "calculator", "scripted-small"]);
}

#[tokio::test]
async fn call_that_died_with_its_worker_is_in_the_ledger() {
    let mut app = TestApp::start_embedded().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model, json!({})).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(40).held();
    model.next(answer);
    model.always(Scripted::text("done").usage(7, 3));
    let mut stream = app.events(&conversation, "").await;
    let run = app.ask(&conversation, "count").await;
    gate.release(20);
    stream
        .collect_until(|event| event.event == "text_delta")
        .await
        .expect("text in the log");

    app.program().kill();
    app.program().start().await;
    let log = app.log(&conversation).await;

    let (kind, data) = end(&log);
    assert_eq!(kind, "run_completed");
    let [read, written, cost, calls] = ledger(&app).await;
    assert_eq!(calls, 2);
    assert!(read > 7 && written > 3, "{read} {written}");
    assert_eq!(cost, read + 10 * written);
    assert_eq!(number(&data["usage"]["cost_usd_micros"]), cost);
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["steps"][0]["status"], "abandoned");
    assert!(number(&run["steps"][0]["usage"]["output_tokens"]) > 0);
}

/// Asks, and waits until some of the answer is in the log; the rest never comes.
async fn ask_half(app: &TestApp, model: &ScriptedModel, conversation: &str) -> String {
    let (answer, gate) = Scripted::numbered(40).held();
    model.next(answer);
    let mut stream = app.events(conversation, "").await;
    let run = app.ask(conversation, &"long ".repeat(100)).await;
    gate.release(20);
    stream
        .collect_until(|event| event.event == "text_delta")
        .await
        .expect("text in the log");
    run
}

#[tokio::test]
async fn answer_under_way_is_paid_although_its_conversation_is_deleted() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model, json!({})).await;
    let conversation = app.create_conversation(&agent).await;
    ask_half(&app, &model, &conversation).await;

    let gone = app.delete(&format!("/conversations/{conversation}")).await;
    model.wait_for_open_streams(0).await;

    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    let [read, written, cost, calls] = ledger(&app).await;
    assert_eq!(calls, 1);
    assert!((125..160).contains(&read), "{read}");
    assert!((1..=13).contains(&written), "{written}");
    assert_eq!(cost, read + 10 * written);
}

#[tokio::test]
async fn run_that_is_given_up_has_paid_for_the_call_that_broke_off() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model, json!({})).await;
    let conversation = app.create_conversation(&agent).await;
    let run = ask_half(&app, &model, &conversation).await;

    app.program().kill();
    run_sql(&db, "update runs set attempt = 5").await;
    app.program().start().await;
    let log = app.log(&conversation).await;

    let (kind, data) = end(&log);
    assert_eq!(kind, "run_failed");
    let [read, written, cost, calls] = ledger(&app).await;
    assert_eq!(calls, 1);
    assert!(read > 120 && written > 0, "{read} {written}");
    assert_eq!(cost, read + 10 * written);
    assert_eq!(number(&data["usage"]["cost_usd_micros"]), cost);
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(number(&run["usage"]["cost_usd_micros"]), cost);
    assert_eq!(number(&run["steps"][0]["usage"]["output_tokens"]), written);
}

#[tokio::test]
async fn steps_end_with_their_run() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let server = testkit::ToolServer::start(testkit::tool_server::Era::Modern).await;
    let input = crate::mcp_servers::remote("one", &server.url());
    let id = app.post("/mcp-servers", input).await.created();
    let tools = json!({"tools": [{"server_id": id, "name": "sleep", "approval": "never"}]});
    let agent = priced_agent(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::tool_calls(&[("a", "one__sleep", "{}")]));
    let run = app.ask(&conversation, "sleep").await;
    let path = format!("/runs/{run}");
    let is_called = eventually(async || server.count("tools/call") == 1).await;

    app.post(&format!("{path}/cancellation"), json!({})).await;
    let log = app.log(&conversation).await;

    assert!(is_called);
    assert_eq!(end(&log).0, "run_cancelled");
    let run = app.get(&path).await.body;
    let steps = run["steps"].as_array().expect("steps");
    let states: Vec<&Value> = steps.iter().map(|step| &step["status"]).collect();
    assert_eq!(states, ["completed", "failed"]);
    let report = app.get("/usage?days=2").await.body;
    assert_eq!(report["total"]["tool_calls"], 1);
    assert_eq!(report["total"]["errors"], 1);
}
