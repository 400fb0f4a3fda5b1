//! B9: names that lead to the public internet when they are checked, and to a private network when
//! they are called.

use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, ToolServer, inputs};

use crate::mcp_servers::remote;
use crate::own_network::{Network, OTHER_PUBLIC, PRIVATE, PUBLIC, is_inside, page};
use crate::support::TestApp;
use crate::tools::{agent_with, of_type};

/// Has the agent read pages, one after another; gives what it was told of each.
async fn fetch(app: &TestApp, model: &ScriptedModel, agent: &str, names: &[&str]) -> Vec<Value> {
    let conversation = app.create_conversation(agent).await;
    for name in names {
        let arguments = json!({"url": format!("https://{name}/")}).to_string();
        model.next(Scripted::tool_calls(&[(name, "http_fetch", &arguments)]));
    }
    model.next(Scripted::text("done"));
    app.ask(&conversation, "look").await;
    let log = app.log(&conversation).await;
    of_type(&log, "tool_call_completed")
        .into_iter()
        .cloned()
        .collect()
}

fn assert_refused(call: &Value) {
    assert_eq!(call["is_error"], true, "{call}");
    let told = call["result"].as_str().expect("text");
    assert!(told.contains("is in a private network"), "{told}");
    // Nobody is told where the name leads.
    assert!(
        PRIVATE.iter().all(|it| !told.contains(&it.to_string())),
        "{told}"
    );
}

#[tokio::test]
async fn page_is_never_read_from_where_its_name_leads_next() {
    if !is_inside("rebinding::page_is_never_read_from_where_its_name_leads_next") {
        return;
    }
    let network = Network::start().await;
    let front = network.front(PUBLIC, &page().await).await;
    let other = network.front(OTHER_PUBLIC, &page().await).await;
    let (app, _db) = network.start_app().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "http_fetch"}]);
    let agent = agent_with(&app, &model, tools).await;

    // Once a page of the internet, then of a private network: each time the name is asked anew.
    for (turn, private) in PRIVATE.iter().enumerate() {
        let name = format!("turn-{turn}.rebind.example");
        network.dns.answer(&name, &[&[PUBLIC], &[*private]]);
        let told = fetch(&app, &model, &agent, &[&name, &name]).await;

        assert_eq!(told[0]["is_error"], false, "{}", told[0]);
        let text = told[0]["result"].as_str().expect("text");
        assert!(text.contains("the public page"), "{text}");
        assert_refused(&told[1]);
        // What was checked is what was called: no call asks twice.
        assert_eq!(network.dns.questions(&name), 2);
        assert_eq!(front.connections(), turn + 1);
    }

    // A name that leads to both at once leads nowhere, in either order.
    let both = "both.rebind.example";
    for addresses in [[OTHER_PUBLIC, PRIVATE[0]], [PRIVATE[0], OTHER_PUBLIC]] {
        network.dns.answer(both, &[&addresses]);
        let told = fetch(&app, &model, &agent, &[both]).await;
        assert_refused(&told[0]);
    }
    assert_eq!(other.connections(), 0);
    assert_eq!(network.private_connections().await, 0);
}

#[tokio::test]
async fn model_connection_is_not_called_where_its_name_leads_next() {
    if !is_inside("rebinding::model_connection_is_not_called_where_its_name_leads_next") {
        return;
    }
    let network = Network::start().await;
    let model = ScriptedModel::start().await;
    let front = network.front(PUBLIC, &model.host()).await;
    let (app, _db) = network.start_app().await;
    let name = "models.rebind.example";
    network.dns.answer(name, &[&[PUBLIC]]);
    let input = inputs::model_connection("Far", &format!("https://{name}/v1"));
    let connection = app.post("/model-connections", input).await.created();
    let test = format!("/model-connections/{connection}/test");
    let agent = inputs::agent("Scout", &connection, "scripted-large");
    let agent = app.post("/agents", agent).await.created();
    let conversation = app.create_conversation(&agent).await;

    let works = app.post(&test, json!({})).await.body;
    let reached = front.connections();
    network.dns.answer(name, &[&[PRIVATE[0]]]);
    front.hang_up();
    let refused = app.post(&test, json!({})).await.body;
    let asked = model.request_count();
    app.ask(&conversation, "hello").await;
    let log = app.log(&conversation).await;

    assert_eq!(works["ok"], true, "{works}");
    assert!(reached > 0);
    assert_eq!(refused["ok"], false, "{refused}");
    assert_eq!(refused["error"]["kind"], "refused_address", "{refused}");
    let end = log.last().expect("an end");
    assert_eq!(end.event, "run_failed");
    let error = &end.data["data"]["error"];
    assert_eq!(error["kind"], "refused_address", "{error}");
    assert_eq!(model.request_count(), asked);
    assert_eq!(front.connections(), reached);
    assert_eq!(network.private_connections().await, 0);
}

#[tokio::test]
async fn tool_server_is_not_called_where_its_name_leads_next() {
    if !is_inside("rebinding::tool_server_is_not_called_where_its_name_leads_next") {
        return;
    }
    let network = Network::start().await;
    let tools = ToolServer::start(Era::Modern).await;
    let address = tools.url();
    let address = address.trim_start_matches("http://");
    let address = address.trim_end_matches("/mcp");
    let front = network.front(PUBLIC, address).await;
    let (app, _db) = network.start_app().await;
    let model = ScriptedModel::start().await;
    let name = "tools.rebind.example";
    network.dns.answer(name, &[&[PUBLIC]]);
    let input = remote("far", &format!("https://{name}/mcp"));
    let made = app.post("/mcp-servers", input).await;
    assert_eq!(made.body["state"], "ready", "{}", made.body);
    let server = made.created();
    let used = json!([{"server_id": server, "name": "echo", "approval": "never"}]);
    let agent = agent_with(&app, &model, used).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("a", "far__echo", r#"{"text":"1"}"#);

    model.next(Scripted::tool_calls(&[call]));
    app.ask(&conversation, "echo").await;
    app.log(&conversation).await;
    let reached = front.connections();
    network.dns.answer(name, &[&[PRIVATE[1]]]);
    front.hang_up();
    model.next(Scripted::tool_calls(&[call]));
    app.ask(&conversation, "echo").await;
    let log = app.log(&conversation).await;
    let path = format!("/mcp-servers/{server}/restart");
    let restarted = app.post(&path, json!({})).await.body;

    let told = of_type(&log, "tool_call_completed");
    assert_eq!(told[0]["is_error"], false, "{}", told[0]);
    assert_refused(told[1]);
    assert_eq!(restarted["state"], "failed", "{restarted}");
    let reason = restarted["reason"].as_str().expect("a reason");
    assert!(reason.contains("is in a private network"), "{reason}");
    assert_eq!(tools.count("tools/call"), 1);
    assert_eq!(front.connections(), reached);
    assert_eq!(network.private_connections().await, 0);
}
