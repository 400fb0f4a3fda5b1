//! Clients of 2025 have sessions; those of both revisions hear of changes.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{TestDb, ToolServer, inputs};

use super::{LEGACY, MODERN};
use crate::mcp_servers::remote;
use crate::support::{Program, TestApp};

const PATIENCE: Duration = Duration::from_secs(20);

/// A client of 2025 with a session.
pub struct Client<'a> {
    app: &'a TestApp,
    key: String,
    session: String,
}

impl<'a> Client<'a> {
    pub async fn begin(app: &'a TestApp, capabilities: Value) -> Self {
        let mut client = Self {
            app,
            key: app.key.clone(),
            session: String::new(),
        };
        let params = json!({"protocolVersion": LEGACY, "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let answer = client.post(&message).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let session = answer.headers().get("mcp-session-id").expect("a session");
        client.session = session.to_str().expect("text").to_owned();
        let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(&begun).await.status(), StatusCode::ACCEPTED);
        client
    }

    pub fn request(&self, method: Method) -> RequestBuilder {
        let mut req = self
            .app
            .client
            .request(method, self.app.url("/mcp"))
            .bearer_auth(&self.key)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", LEGACY);
        if !self.session.is_empty() {
            req = req.header("mcp-session-id", &self.session);
        }
        req
    }

    pub async fn post(&self, message: &Value) -> Response {
        let sent = self.request(Method::POST).json(message).send().await;
        sent.expect("an answer")
    }

    async fn list(&self) -> Response {
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}});
        self.post(&list).await
    }
}

/// What a client of 2026 hears, by its key, of what it wants to hear.
pub async fn listen(app: &TestApp, key: &str, wanted: Value) -> Response {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"notifications": wanted, "_meta": meta});
    let message =
        json!({"jsonrpc": "2.0", "id": 5, "method": "subscriptions/listen", "params": params});
    let sent = app
        .client
        .post(app.url("/mcp"))
        .bearer_auth(key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "subscriptions/listen")
        .json(&message)
        .send()
        .await;
    sent.expect("a stream")
}

/// The first message of a stream for which a condition holds.
pub async fn heard(response: Response, is_it: impl Fn(&Value) -> bool) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let reading = async {
        while let Some(bytes) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&bytes.expect("bytes")));
            let messages = text.lines().filter_map(|line| line.strip_prefix("data:"));
            let messages = messages.filter_map(|data| serde_json::from_str(data.trim()).ok());
            if let Some(message) = messages.into_iter().find(|message: &Value| is_it(message)) {
                return message;
            }
        }
        panic!("the stream ended: {text}");
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.expect("a message in time")
}

#[tokio::test]
async fn clients_of_2025_hear_of_changed_tools() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let client = Client::begin(&app, json!({})).await;
    let stream = client.request(Method::GET).send().await.expect("a stream");
    server
        .until("somebody who listens", ToolServer::is_listened_to)
        .await;

    let mut tools = ToolServer::tools();
    tools.push(ToolServer::tool("newcomer"));
    server.set_tools(tools);

    let told = heard(stream, |it| {
        it["method"] == "notifications/tools/list_changed"
    })
    .await;
    assert_eq!(told["jsonrpc"], "2.0");
    let listed = client.list().await.text().await.expect("text");
    assert!(listed.contains("one__newcomer"), "{listed}");
}

#[tokio::test]
async fn clients_of_2026_hear_of_changed_tools_if_they_ask() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let stream = listen(&app, &app.key, json!({"toolsListChanged": true})).await;
    server
        .until("somebody who listens", ToolServer::is_listened_to)
        .await;

    let mut tools = ToolServer::tools();
    tools.push(ToolServer::tool("newcomer"));
    server.set_tools(tools);

    let told = heard(stream, |it| {
        it["method"] == "notifications/tools/list_changed"
    })
    .await;
    let subscription = &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(subscription, 5, "{told}");
}

#[tokio::test]
async fn sessions_belong_to_whoever_began_them() {
    let app = TestApp::start().await;
    let mut client = Client::begin(&app, json!({})).await;
    app.create_user(inputs::GRACE, "Initech");

    let own = client.list().await.status();
    let key = std::mem::replace(&mut client.key, app.create_key(inputs::GRACE, "Initech"));
    let foreign = client.list().await.status();
    client.key = key;
    let ended = client
        .request(Method::DELETE)
        .send()
        .await
        .expect("an answer");
    let after = client.list().await.status();

    assert_eq!(own, StatusCode::OK);
    assert_eq!(foreign, StatusCode::NOT_FOUND);
    assert!(ended.status().is_success(), "{}", ended.status());
    assert_eq!(after, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn session_of_another_process_is_answered_without_it() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let other = app.beside(Program::new(Some(db.url()))).await;
    let server = ToolServer::start(Era::Legacy).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let mut client = Client::begin(&app, json!({})).await;

    client.app = &other;
    let listed = client.list().await;

    assert_eq!(listed.status(), StatusCode::OK);
    let listed = listed.text().await.expect("text");
    assert!(listed.contains("one__echo"), "{listed}");
}

#[tokio::test]
async fn clients_of_both_eras_hear_of_changed_resources() {
    let app = TestApp::start().await;
    let fixture = super::conformance::Fixture::start().await;
    app.post("/mcp-servers", remote("docs", &fixture.url))
        .await
        .created();
    let uri = "agentarea://docs/test://watched-resource";
    let is_it = |it: &Value| {
        it["method"] == "notifications/resources/updated" && it["params"]["uri"] == uri
    };
    let touch = async || {
        let name = "docs__test_touch_resource";
        super::call(&app, MODERN, name, json!({})).await
    };

    let client = Client::begin(&app, json!({})).await;
    let stream = client.request(Method::GET).send().await.expect("a stream");
    let subscribe = json!({"jsonrpc": "2.0", "id": 3, "method": "resources/subscribe",
        "params": {"uri": uri}});
    let subscribed = client.post(&subscribe).await.text().await.expect("text");
    assert!(subscribed.contains("\"result\""), "{subscribed}");
    touch().await;
    heard(stream, is_it).await;

    let wanted = json!({"resourceSubscriptions": [uri]});
    let stream = listen(&app, &app.key, wanted).await;
    let touching = async {
        // Until the subscription has gone all the way a touch is not heard.
        loop {
            touch().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = heard(stream, is_it) => {}
        () = touching => {}
    }
}
