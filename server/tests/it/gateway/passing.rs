//! Prompts, resources and completions of servers, and lists that are long.

use serde_json::{Value, json};
use testkit::ToolServer;
use testkit::tool_server::Era;

use super::conformance::Fixture;
use super::{LEGACY, MODERN, send};
use crate::mcp_servers::remote;
use crate::support::TestApp;

async fn ask(app: &TestApp, path: &str, version: &str, method: &str, params: Value) -> Value {
    send(app, path, version, method, params).await.body
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let items = list.as_array().unwrap_or_else(|| panic!("{list}"));
    items.iter().filter_map(|item| item[key].as_str()).collect()
}

#[tokio::test]
async fn prompts_pass_through_by_their_servers_names() {
    let app = TestApp::start().await;
    let fixture = Fixture::start().await;
    app.post("/mcp-servers", remote("docs", &fixture.url))
        .await
        .created();
    let name = "docs__test_prompt_with_arguments";
    let params = json!({"name": name, "arguments": {"arg1": "one", "arg2": "two"}});

    for version in [LEGACY, MODERN] {
        let listed = ask(&app, "/mcp", version, "prompts/list", json!({})).await;
        let prompt = ask(&app, "/mcp", version, "prompts/get", params.clone()).await;
        let unknown = json!({"name": "nobody__x"});
        let unknown = ask(&app, "/mcp", version, "prompts/get", unknown).await;

        let prompts = &listed["result"]["prompts"];
        assert!(texts(prompts, "name").contains(&name), "{listed}");
        let has_arguments = prompts.to_string().contains("\"required\":true");
        assert!(has_arguments, "{listed}");
        let said = &prompt["result"]["messages"][0]["content"]["text"];
        assert_eq!(said, "Prompt with arguments: arg1='one', arg2='two'");
        assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    }
}

#[tokio::test]
async fn resources_pass_through_by_addresses_that_lead_back() {
    let app = TestApp::start().await;
    let fixture = Fixture::start().await;
    let id = app
        .post("/mcp-servers", remote("docs", &fixture.url))
        .await
        .created();
    let read = async |path: &str, uri: &str| {
        ask(&app, path, MODERN, "resources/read", json!({"uri": uri})).await
    };

    let listed = ask(&app, "/mcp", MODERN, "resources/list", json!({})).await;
    let templates = ask(&app, "/mcp", MODERN, "resources/templates/list", json!({})).await;
    let text = read("/mcp", "agentarea://docs/test://static-text").await;
    let data = read("/mcp", "agentarea://docs/test://template/7/data").await;
    let missing = read("/mcp", "agentarea://docs/test://nothing").await;
    let foreign = read("/mcp", "test://static-text").await;
    let alone = read("/mcp/docs", "test://static-text").await;
    let embedded = super::call(&app, MODERN, "docs__test_embedded_resource", json!({})).await;
    app.patch(&format!("/mcp-servers/{id}"), json!({"name": "papers"}))
        .await;
    let renamed = read("/mcp", "agentarea://docs/test://static-text").await;

    let uris = texts(&listed["result"]["resources"], "uri");
    assert!(
        uris.contains(&"agentarea://docs/test://static-text"),
        "{listed}"
    );
    let shapes = texts(&templates["result"]["resourceTemplates"], "uriTemplate");
    assert_eq!(shapes, ["agentarea://docs/test://template/{id}/data"]);
    let contents = |answer: &Value| answer["result"]["contents"][0].clone();
    assert_eq!(
        contents(&text)["uri"],
        "agentarea://docs/test://static-text"
    );
    assert!(
        contents(&text)["text"]
            .to_string()
            .contains("static text resource")
    );
    assert!(
        contents(&data)["text"]
            .to_string()
            .contains("Data for ID: 7"),
        "{data}"
    );
    assert_eq!(missing["error"]["code"], -32602, "{missing}");
    assert_eq!(foreign["error"]["code"], -32602, "{foreign}");
    assert_eq!(contents(&alone)["uri"], "test://static-text", "{alone}");
    let uri = &embedded["content"][0]["resource"]["uri"];
    assert_eq!(
        uri, "agentarea://docs/test://embedded-resource",
        "{embedded}"
    );
    assert!(contents(&renamed)["text"].is_string(), "{renamed}");
}

#[tokio::test]
async fn arguments_are_completed_by_the_server() {
    let app = TestApp::start().await;
    let fixture = Fixture::start().await;
    app.post("/mcp-servers", remote("docs", &fixture.url))
        .await
        .created();
    let complete = async |reference: Value| {
        let params = json!({"ref": reference, "argument": {"name": "arg1", "value": "par"}});
        ask(&app, "/mcp", MODERN, "completion/complete", params).await
    };

    let prompt = json!({"type": "ref/prompt", "name": "docs__test_prompt_with_arguments"});
    let prompt = complete(prompt).await;
    let resource =
        json!({"type": "ref/resource", "uri": "agentarea://docs/test://template/{id}/data"});
    let resource = complete(resource).await;
    let unknown = complete(json!({"type": "ref/prompt", "name": "nobody__x"})).await;

    for answer in [&prompt, &resource] {
        let values = &answer["result"]["completion"]["values"];
        assert_eq!(values, &json!(["paris", "park"]), "{answer}");
    }
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let name = |number: usize| format!("tool_{number:03}");
    server.set_tools(
        (0..600)
            .map(|number| ToolServer::tool(&name(number)))
            .collect(),
    );
    app.post("/mcp-servers", remote("many", &server.url()))
        .await
        .created();

    let mut pages = Vec::new();
    let mut params = json!({});
    loop {
        let page = ask(&app, "/mcp", MODERN, "tools/list", params).await;
        let names = texts(&page["result"]["tools"], "name");
        pages.push(names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        match page["result"]["nextCursor"].as_str() {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => break,
        }
    }

    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [250, 250, 100]);
    let all: Vec<_> = pages.into_iter().flatten().collect();
    let expected: Vec<_> = (0..600)
        .map(|number| format!("many__{}", name(number)))
        .collect();
    assert_eq!(all, expected);
}
