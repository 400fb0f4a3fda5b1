//! Budgets refuse the call that would be too much, whoever else spends at the same time.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, ToolServer};

use crate::gateway::{MODERN, call};
use crate::mcp_servers::remote;
use crate::support::{TestApp, eventually};
use crate::tools::{agent_with, of_type};

/// A dollar for a million tokens read, ten for a million written.
const PRICE: &str = "scripted-large";

#[tokio::test]
async fn call_that_there_is_no_money_for_is_not_made() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::numbered(3));
    let agent = priced_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "count").await;
    let free = app.log(&conversation).await;
    let spent = cost(&free.last().expect("an end").data);
    assert!(spent > 0, "the model has no price");
    // Enough for what was spent and one token more.
    let budget = json!({"agent_id": agent, "period": "month", "limit_usd_micros": spent + 11});
    let created = app.post("/budgets", budget.clone()).await;
    let twin = app.post("/budgets", budget).await;
    let asked_before = model.requests().len();

    let refused = app.create_conversation(&agent).await;
    app.ask(&refused, "count again").await;
    let log = app.log(&refused).await;

    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(created.body["spent_usd_micros"], spent);
    assert_eq!(twin.status, StatusCode::CONFLICT);
    assert_eq!(model.requests().len(), asked_before, "the model was asked");
    let exceeded = log.iter().find(|it| it.event == "budget_exceeded");
    let exceeded = &exceeded.expect("an event").data;
    assert_eq!(exceeded["data"]["scope"], "agent");
    assert_eq!(exceeded["data"]["spent_usd_micros"], spent);
    assert_eq!(exceeded["data"]["limit_usd_micros"], spent + 11);
    let end = log.last().expect("an end");
    assert_eq!(end.event, "run_failed");
    let error = &end.data["data"]["error"];
    assert_eq!(error["kind"], "budget");
    let words = error["message"].as_str().expect("words");
    assert!(words.starts_with("this agent’s budget of $0.0"), "{words}");
    assert!(words.contains(" are spent"), "{words}");

    // With a higher limit it goes on.
    let path = format!("/budgets/{}", created.body["id"].as_str().expect("an id"));
    let raised = app
        .patch(&path, json!({"limit_usd_micros": 1_000_000}))
        .await;
    assert_eq!(raised.status, StatusCode::OK);
    app.ask(&refused, "count once more").await;
    let log = app.log(&refused).await;
    assert_eq!(log.last().expect("an end").event, "run_completed");
}

#[tokio::test]
async fn runs_side_by_side_do_not_spend_the_same_money() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (answer, gate) = Scripted::numbered(3).held();
    model.always(answer);
    let agent = priced_agent(&app, &model).await;
    // An answer of 100 tokens costs 1,000 micro-dollars: there is money for three. What is left is
    // not worth asking for.
    let budget = json!({"period": "day", "limit_usd_micros": 3_500});
    app.post("/budgets", budget).await.created();
    let mut conversations = Vec::new();
    for _ in 0..8 {
        conversations.push(app.create_conversation(&agent).await);
    }

    join_all(conversations.iter().map(|it| app.ask(it, "count"))).await;
    let mut failed = 0;
    while failed < 5 {
        let runs = app.get("/runs?limit=100").await.body;
        let runs = runs["items"].as_array().expect("runs").clone();
        failed = runs.iter().filter(|it| it["status"] == "failed").count();
        tokio::task::yield_now().await;
    }
    let set_aside = app.get("/budgets").await.body["items"][0].clone();
    gate.finish();
    let mut ends = Vec::new();
    for conversation in &conversations {
        let log = app.log(conversation).await;
        ends.push(log.last().expect("an end").event.clone());
    }
    let settled = app.get("/budgets").await.body["items"][0].clone();

    assert_eq!(ends.iter().filter(|it| *it == "run_completed").count(), 3);
    assert_eq!(ends.iter().filter(|it| *it == "run_failed").count(), 5);
    assert_eq!(set_aside["spent_usd_micros"], 0);
    assert!(set_aside["reserved_usd_micros"].as_u64() > Some(3_000));
    assert_eq!(settled["reserved_usd_micros"], 0);
    let spent = settled["spent_usd_micros"].as_u64().expect("a number");
    assert!((1..=3_500).contains(&spent), "{spent}");
}

#[tokio::test]
async fn people_are_told_once_that_most_is_spent() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::numbered(3));
    let agent = priced_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "count").await;
    let spent = cost(&app.log(&conversation).await.last().expect("an end").data);
    // The last fifth of it still pays for answers.
    let limit = 10_000;
    let budget = json!({"period": "month", "limit_usd_micros": limit});
    let created = app.post("/budgets", budget).await.created();
    let is_nearly_spent = spent * 100 >= limit * 80;

    let mut warnings = 0;
    let mut spent = spent;
    for _ in 0..200 {
        app.ask(&conversation, "count").await;
        let log = app.log(&conversation).await;
        warnings = log.iter().filter(|it| it.event == "budget_warning").count();
        let budget = app.get(&format!("/budgets/{created}")).await.body;
        spent = budget["spent_usd_micros"].as_u64().expect("a number");
        if spent * 100 >= limit * 85 || log.last().expect("an end").event == "run_failed" {
            break;
        }
    }

    assert!(!is_nearly_spent, "the test begins too late");
    assert!(spent * 100 >= limit * 80, "{spent} of {limit}");
    assert_eq!(warnings, 1);
}

#[tokio::test]
async fn wrong_budgets_are_refused_with_their_field() {
    let app = TestApp::start().await;

    let nothing = json!({"period": "day", "limit_usd_micros": 0});
    let nothing = app.post("/budgets", nothing).await;
    let agent = uuid::Uuid::now_v7();
    let missing = json!({"agent_id": agent, "period": "day", "limit_usd_micros": 1});
    let missing = app.post("/budgets", missing).await;

    for (answer, field) in [(nothing, "limit_usd_micros"), (missing, "agent_id")] {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn run_is_kept_within_its_own_limit_before_it_spends() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model).await;
    let path = format!("/agents/{agent}");
    // What is asked takes a few tokens; 80 of answer cost 800.
    app.patch(&path, json!({"limits": {"max_cost_usd_micros": 900}}))
        .await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;
    assert_eq!(log.last().expect("an end").event, "run_completed");
    let longest = model.requests()[0]["max_tokens"].as_u64().expect("a limit");
    assert!((64..100).contains(&longest), "{longest}");

    app.patch(&path, json!({"limits": {"max_cost_usd_micros": 500}}))
        .await;
    let other = app.create_conversation(&agent).await;
    app.ask(&other, "count again").await;
    let log = app.log(&other).await;

    assert_eq!(model.request_count(), 1, "the model was asked");
    let exceeded = log.iter().find(|it| it.event == "budget_exceeded");
    let exceeded = &exceeded.expect("an event").data["data"];
    assert_eq!(exceeded["scope"], "run");
    assert_eq!(exceeded["limit_usd_micros"], 500);
    let end = log.last().expect("an end");
    assert_eq!(end.event, "run_failed");
    assert_eq!(end.data["data"]["error"]["kind"], "limit");
}

#[tokio::test]
async fn titles_are_paid_from_the_budget_or_not_made() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = priced_agent(&app, &model).await;
    let path = format!("/agents/{agent}");
    app.patch(&path, json!({"conversation_titles": "model"}))
        .await;
    let budget = json!({"agent_id": agent, "period": "month", "limit_usd_micros": 1_000_000});
    let budget = app.post("/budgets", budget).await.created();
    let budget = format!("/budgets/{budget}");
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("Fine.").usage(10, 1));
    let (answer, gate) = Scripted::text("Counting").usage(10, 1).held();
    model.next(answer);
    app.ask(&conversation, "count").await;
    app.log(&conversation).await;
    model.wait_for_requests(2).await;

    let under_way = app.get(&budget).await.body;
    gate.finish();
    let settled = eventually(async || {
        let budget = app.get(&budget).await.body;
        budget["reserved_usd_micros"] == 0 && budget["spent_usd_micros"] == 40
    });
    let is_settled = settled.await;

    assert_eq!(under_way["spent_usd_micros"], 20);
    assert!(
        under_way["reserved_usd_micros"].as_u64() > Some(240),
        "{under_way}"
    );
    assert!(is_settled, "{}", app.get(&budget).await.body);

    // Enough for the answer that the next run says, not for a title after it.
    let model_calls = model.request_count();
    let limit = json!({"limit_usd_micros": 40 + 1_000});
    app.patch(&budget, limit).await;
    let untitled = app.create_conversation(&agent).await;
    model.next(Scripted::text("Fine.").usage(10, 90));
    app.ask(&untitled, "count").await;
    let log = app.log(&untitled).await;
    assert_eq!(log.last().expect("an end").event, "run_completed");
    let other = json!({"agent_id": agent});
    let other = app.post("/conversations", other).await.created();
    app.ask(&other, "count").await;
    let refused = app.log(&other).await;

    assert_eq!(refused.last().expect("an end").event, "run_failed");
    assert_eq!(
        model.request_count(),
        model_calls + 1,
        "a title was asked for"
    );
    let title = app.get(&format!("/conversations/{untitled}")).await.body["title"].clone();
    assert_eq!(title, "count");
}

/// An agent whose answers have at most 100 tokens, and whose model has a price.
async fn priced_agent(app: &TestApp, model: &ScriptedModel) -> String {
    let input = testkit::inputs::model_connection("priced", &model.base_url());
    let connection = app.post("/model-connections", input).await.created();
    let price = json!({"price": {"input_usd_micros": 1_000_000, "output_usd_micros": 10_000_000}});
    let path = format!("/models/{connection}/{PRICE}");
    let priced = app.patch(&path, price).await;
    assert_eq!(priced.status, StatusCode::OK, "{}", priced.body);
    let mut input = testkit::inputs::agent("Counter", &connection, PRICE);
    input["model"]["max_output_tokens"] = json!(100);
    app.post("/agents", input).await.created()
}

fn cost(event: &Value) -> u64 {
    let cost = &event["data"]["usage"]["cost_usd_micros"];
    cost.as_u64().expect("a cost")
}

#[tokio::test]
async fn priced_tool_is_called_while_there_is_money_whoever_calls() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let mut input = remote("one", &server.url());
    input["call_price_usd_micros"] = json!(1_000);
    let id = app.post("/mcp-servers", input).await.created();
    let tools = json!([{"server_id": id, "name": "echo", "approval": "never"}]);
    let agent = agent_with(&app, &model, tools).await;
    let budget = json!({"period": "day", "limit_usd_micros": 3_500});
    let budget = app.post("/budgets", budget).await.created();
    let budget = format!("/budgets/{budget}");
    let asks = [
        ("a", "one__echo", r#"{"text":"1"}"#),
        ("b", "one__echo", r#"{"text":"2"}"#),
    ];

    model.next(Scripted::tool_calls(&asks));
    model.next(Scripted::text("Both."));
    let conversation = app.create_conversation(&agent).await;
    let run = app.ask(&conversation, "twice").await;
    app.log(&conversation).await;
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["usage"]["cost_usd_micros"], 2_000);
    assert_eq!(app.get(&budget).await.body["spent_usd_micros"], 2_000);

    // There is money for one of two, side by side.
    let (first, second) = tokio::join!(
        call(&app, MODERN, "one__echo", json!({"text": "3"})),
        call(&app, MODERN, "one__echo", json!({"text": "4"}))
    );
    let told = [&first, &second].map(|it| it["content"][0]["text"].to_string());
    let refused = told.iter().filter(|text| text.contains("budget")).count();
    assert_eq!(refused, 1, "{told:?}");
    assert_eq!(server.count("tools/call"), 3);
    let is_settled = eventually(async || {
        let budget = app.get(&budget).await.body;
        budget["spent_usd_micros"] == 3_000 && budget["reserved_usd_micros"] == 0
    });
    assert!(is_settled.await, "{}", app.get(&budget).await.body);

    model.next(Scripted::tool_calls(&asks[..1]));
    model.next(Scripted::text("No money."));
    app.ask(&conversation, "again").await;
    let log = app.log(&conversation).await;

    assert_eq!(server.count("tools/call"), 3);
    assert_eq!(log.last().expect("an end").event, "run_completed");
    let completed = of_type(&log, "tool_call_completed");
    let last = completed.last().expect("a call");
    assert_eq!(last["is_error"], true);
    let text = last["result"].as_str().expect("text");
    assert!(text.contains("the workspace’s budget"), "{text}");
    let exceeded = of_type(&log, "budget_exceeded");
    assert_eq!(exceeded[0]["spent_usd_micros"], 3_000);
    assert_eq!(exceeded[0]["limit_usd_micros"], 3_500);
}

#[tokio::test]
async fn priced_tool_is_not_called_beyond_the_limit_of_the_run() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let mut input = remote("one", &server.url());
    input["call_price_usd_micros"] = json!(1_000);
    let id = app.post("/mcp-servers", input).await.created();
    let tools = json!([{"server_id": id, "name": "echo", "approval": "never"}]);
    let agent = agent_with(&app, &model, tools).await;
    let limits = json!({"limits": {"max_cost_usd_micros": 1_500}});
    app.patch(&format!("/agents/{agent}"), limits).await;
    let call = |id| (id, "one__echo", r#"{"text":"1"}"#);
    model.next(Scripted::tool_calls(&[call("a"), call("b")]));
    model.next(Scripted::text("One."));

    let conversation = app.create_conversation(&agent).await;
    let run = app.ask(&conversation, "twice").await;
    let log = app.log(&conversation).await;

    assert_eq!(server.count("tools/call"), 1);
    let completed = of_type(&log, "tool_call_completed");
    let failed: Vec<_> = completed
        .iter()
        .filter(|call| call["is_error"] == true)
        .collect();
    assert_eq!(failed.len(), 1);
    let text = failed[0]["result"].as_str().expect("text");
    assert!(text.contains("more than the run may still spend"), "{text}");
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["usage"]["cost_usd_micros"], 1_000);
}
