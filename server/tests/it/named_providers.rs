//! Providers whose servers are told by their names: called as they are in the real world, by TLS, under
//! the addresses of the catalog.

use serde_json::{Value, json};
use testkit::scripted_model::{Answer as Scripted, Seen};
use testkit::{ScriptedModel, inputs};

use crate::own_network::{Network, PUBLIC, is_inside};
use crate::support::TestApp;
use crate::tools::agent_with;

/// A provider's entry in the catalog.
async fn provider(app: &TestApp, key: &str) -> Value {
    let listed = app.get("/model-providers?limit=100").await.body;
    let items = listed["items"].as_array().expect("providers");
    let found = items.iter().find(|provider| provider["key"] == key);
    found.expect("the provider").clone()
}

/// The ids of calls in a request, those asked for and those answered, in order.
fn call_ids(request: &Value) -> (Vec<&str>, Vec<&str>) {
    let messages = || request["messages"].as_array().into_iter().flatten();
    let asked = messages().filter_map(|message| message["tool_calls"].as_array());
    let asked = asked.flatten().filter_map(|call| call["id"].as_str());
    let answered = messages().filter_map(|message| message["tool_call_id"].as_str());
    (asked.collect(), answered.collect())
}

/// Mistral answers 400 to ids of calls that are not nine letters and digits.
fn like_mistral(seen: &Seen) -> Option<u16> {
    let is_nine = |id: &&str| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let (asked, answered) = call_ids(&seen.body);
    (!asked.iter().chain(&answered).all(is_nine)).then_some(400)
}

#[tokio::test]
async fn mistral_goes_on_with_calls_that_another_server_made() {
    if !is_inside("named_providers::mistral_goes_on_with_calls_that_another_server_made") {
        return;
    }
    let network = Network::start().await;
    let (elsewhere, mistral) = (ScriptedModel::start().await, ScriptedModel::start().await);
    mistral.refuse(like_mistral);
    network.dns.answer("api.mistral.ai", &[&[PUBLIC]]);
    let _front = network.front(PUBLIC, &mistral.host()).await;
    let (app, _db) = network.start_app().await;
    let tools = json!([{"builtin": "calculator"}]);
    let agent = agent_with(&app, &elsewhere, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let calls = ["call_of_another_server_1", "call_of_another_server_2"]
        .map(|id| (id, "calculator", r#"{"expression":"6*7"}"#));
    elsewhere.next(Scripted::tool_calls(&calls));
    app.ask(&conversation, "what is 6*7, twice?").await;
    app.log(&conversation).await;
    let entry = provider(&app, "mistral").await;
    let mut input = inputs::model_connection("Mistral", entry["base_url"].as_str().expect("a URL"));
    input["kind"] = entry["kind"].clone();
    let connection = app.post("/model-connections", input).await.created();
    let model = json!({"model": {"connection_id": connection, "name": "mistral-large-latest"}});
    app.patch(&format!("/agents/{agent}"), model).await;
    let own = ("abcDEF123", "calculator", r#"{"expression":"1+1"}"#);
    mistral.next(Scripted::tool_calls(&[own]));
    mistral.next(Scripted::text("Two."));

    app.ask(&conversation, "and 1+1?").await;
    let log = app.log(&conversation).await;

    let end = log.last().expect("an end");
    assert_eq!(end.event, "run_completed", "{}", end.data);
    let requests = mistral.requests();
    let (asked, answered) = call_ids(&requests[1]);
    assert_eq!(asked.len(), 3);
    assert_eq!(asked, answered);
    assert_ne!(asked[0], asked[1]);
    assert_eq!(asked[2], "abcDEF123");
    assert_eq!(call_ids(&requests[0]).0, asked[..2]);
}

/// Azure knows deployments below `/openai/v1`, wants the key, and refuses the names that the longest
/// answer has in chat completions.
fn like_azure(seen: &Seen) -> Option<u16> {
    let has_key = seen.header("authorization") == Some("Bearer azure-key");
    let has_old_name = ["max_tokens", "max_completion_tokens"]
        .iter()
        .any(|name| seen.body.get(name).is_some());
    match seen.path.as_str() {
        "/openai/v1/responses" if !has_key => Some(401),
        "/openai/v1/responses" if has_old_name => Some(400),
        "/openai/v1/responses" => None,
        _ => Some(404),
    }
}

#[tokio::test]
async fn azure_is_called_as_it_wants_to_be() {
    if !is_inside("named_providers::azure_is_called_as_it_wants_to_be") {
        return;
    }
    let network = Network::start().await;
    let azure = ScriptedModel::start().await;
    azure.refuse(like_azure);
    let host = "acme.openai.azure.com";
    network.dns.answer(host, &[&[PUBLIC]]);
    let _front = network.front(PUBLIC, &azure.host()).await;
    let (app, _db) = network.start_app().await;
    let entry = provider(&app, "azure").await;
    let base_url = entry["base_url"].as_str().expect("a URL");
    let mut input = inputs::model_connection("Azure", &base_url.replace("YOUR-RESOURCE", "acme"));
    input["kind"] = entry["kind"].clone();
    input["api_key"] = json!("azure-key");
    let connection = app
        .post("/model-connections", input.clone())
        .await
        .created();
    let mut agent = inputs::agent("Scout", &connection, "our-deployment");
    agent["model"]["max_output_tokens"] = json!(300);
    agent["tools"] = json!([{"builtin": "calculator"}]);
    let agent = app.post("/agents", agent).await.created();
    let conversation = app.create_conversation(&agent).await;
    let item = json!({"type": "function_call", "call_id": "call_a", "name": "calculator",
        "arguments": r#"{"expression":"6*7"}"#});
    let asked = json!({"type": "response.output_item.added", "output_index": 0, "item": item});
    let usage = json!({"input_tokens": 10, "output_tokens": 5});
    let over = json!({"type": "response.completed", "response": {"usage": usage}});
    let events = [asked, over].map(|event| format!("data: {event}\n\n").into());
    azure.next(Scripted::raw(events.to_vec()));
    azure.next(Scripted::text("42").usage(20, 1));
    input["name"] = json!("Azure with a wrong key");
    input["api_key"] = json!("wrong");

    let run = app.ask(&conversation, "what is 6*7?").await;
    let log = app.log(&conversation).await;
    let path = format!("/model-connections/{connection}/test");
    let works = app.post(&path, json!({"model": "our-deployment"})).await;
    let wrong = app.post("/model-connections", input).await.created();
    let path = format!("/model-connections/{wrong}/test");
    let refused = app.post(&path, json!({"model": "our-deployment"})).await;

    let end = log.last().expect("an end");
    assert_eq!(end.event, "run_completed", "{}", end.data);
    assert_eq!(azure.requests()[0]["max_output_tokens"], 300);
    assert_eq!(azure.requests()[0]["model"], "our-deployment");
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["usage"]["output_tokens"], 6);
    assert_eq!(works.body["ok"], true, "{}", works.body);
    assert_eq!(refused.body["ok"], false, "{}", refused.body);
    assert_eq!(refused.body["error"]["kind"], "authentication");
}
