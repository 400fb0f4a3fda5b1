//! Traces reach a collector, and say nothing they should not.

use std::time::Duration;

use serde_json::Value;
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, inputs};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Program, TestApp};

/// What the collector is sent first, longest wait.
const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector of traces that takes one request for each connection.
struct Collector {
    listener: TcpListener,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self {
            listener: listener.expect("a free port"),
        }
    }

    fn url(&self) -> String {
        let address = self.listener.local_addr().expect("an address");
        format!("http://{address}")
    }

    /// Path and spans of the next request.
    async fn next(&self) -> (String, Vec<Value>, String) {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        let (path, body) = read(stream).await;
        let json: Value = serde_json::from_str(&body).expect("JSON");
        let spans = &json["resourceSpans"][0]["scopeSpans"][0]["spans"];
        (path, spans.as_array().expect("spans").clone(), body)
    }
}

async fn read(stream: TcpStream) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("a request");
    let path = line.split(' ').nth(1).expect("a path").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.expect("a header");
        let header = line.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    stream.write_all(answer).await.expect("answer");
    (path, String::from_utf8(body).expect("text"))
}

#[tokio::test]
async fn request_and_its_run_are_one_trace_that_goes_on_the_callers() {
    let db = TestDb::create().await;
    let collector = Collector::start().await;
    let mut program = Program::new(Some(db.url()));
    program.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    let gathering = tokio::spawn(async move {
        let (mut all, mut texts) = (Vec::new(), String::new());
        loop {
            let (path, spans, body) = collector.next().await;
            assert_eq!(path, "/v1/traces");
            all.extend(spans);
            texts.push_str(&body);
            if all.iter().any(|span| span["name"] == "run") {
                return (all, texts);
            }
        }
    });
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("a secret answer"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    let path = format!("/conversations/{conversation}/messages");
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let message = Some(inputs::message("a secret question"));
    let headers = [("traceparent", parent.as_str())];
    let answer = app
        .send(reqwest::Method::POST, &path, message, &headers)
        .await;
    app.log(&conversation).await;
    let gathered = tokio::time::timeout(PATIENCE, gathering).await;
    let (spans, texts) = gathered.expect("traces in time").expect("traces");

    let run_id = answer.body["run_id"].as_str().expect("a run");
    let find = |name: &str| {
        let mut named = spans.iter().filter(|span| span["name"] == name);
        named
            .next()
            .unwrap_or_else(|| panic!("no span {name}"))
            .clone()
    };
    let request = find("POST /api/v1/conversations/{id}/messages");
    let run = find("run");
    assert_eq!(request["traceId"], TRACE);
    assert_eq!(request["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(request["kind"], 2);
    assert_eq!(run["traceId"], TRACE);
    assert_eq!(run["parentSpanId"], request["spanId"]);
    let attributes = run["attributes"].to_string();
    assert!(attributes.contains(run_id), "{attributes}");
    for secret in ["a secret", "sk-test", inputs::PASSWORD, app.key.as_str()] {
        assert!(
            !texts.contains(secret),
            "{secret} was sent to the collector"
        );
    }
}

#[tokio::test]
async fn collector_that_is_away_disturbs_nobody() {
    let db = TestDb::create().await;
    let away = Collector::start().await.url();
    let mut program = Program::new(Some(db.url()));
    program.set("OTEL_EXPORTER_OTLP_ENDPOINT", &away);
    let app = TestApp::on(program).await;

    for _ in 0..20 {
        let answer = app.get("/agents").await;
        assert_eq!(answer.status, reqwest::StatusCode::OK);
    }
}
