//! Whatever a model's server does wrong ends in plain words, in time, and keeps what was said.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, inputs};

use crate::support::{Program, TestApp};

/// A server that waits three seconds for a model.
async fn start_impatient() -> (TestApp, TestDb) {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_MODELS__FIRST_TOKEN_SECONDS", "3");
    program.set("AGENTAREA_MODELS__IDLE_SECONDS", "3");
    (TestApp::on(program).await, db)
}

/// How a run ended: its error's kind and message, and the text and finish reason of its message.
struct End {
    kind: String,
    message: String,
    text: String,
    finish_reason: String,
}

/// Asks in a new conversation and waits for the end.
async fn ask(app: &TestApp, agent: &str) -> End {
    let conversation = app.create_conversation(agent).await;
    let run = app.ask(&conversation, "hello").await;
    let log = app.log(&conversation).await;
    let completed = log
        .iter()
        .find(|event| event.event == "message_completed")
        .expect("an end");
    let run = app.get(&format!("/runs/{run}")).await.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    End {
        kind: text(&run["error"]["kind"]),
        message: text(&run["error"]["message"]),
        text: text(&completed.data["data"]["text"]),
        finish_reason: text(&completed.data["data"]["finish_reason"]),
    }
}

/// One agent for each wire format.
async fn agents(app: &TestApp, model: &ScriptedModel) -> Vec<String> {
    let mut agents = Vec::new();
    for (kind, base_url) in [
        ("openai_compatible", model.base_url()),
        ("anthropic", model.root_url()),
        ("gemini", model.root_url()),
    ] {
        let input = json!({"name": kind, "kind": kind, "base_url": base_url, "api_key": "sk-test"});
        let connection = app.post("/model-connections", input).await.created();
        let input = inputs::agent(kind, &connection, "m");
        agents.push(app.post("/agents", input).await.created());
    }
    agents
}

#[tokio::test]
async fn every_status_becomes_words_and_bounded_tries() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agents = agents(&app, &model).await;
    for (status, kind, tries) in [
        (400, "bad_request", 1),
        (401, "authentication", 1),
        (403, "authentication", 1),
        (404, "not_found", 1),
        (408, "unavailable", 4),
        (413, "too_long", 1),
        (422, "bad_request", 1),
        (429, "rate_limited", 4),
        (500, "unavailable", 4),
        (502, "unavailable", 4),
        (503, "unavailable", 4),
        (529, "unavailable", 4),
    ] {
        model.always(Scripted::status(status));
        for agent in &agents {
            let before = model.request_count();
            let started = Instant::now();

            let end = ask(&app, agent).await;

            assert_eq!(end.kind, kind, "{status}: {}", end.message);
            assert_eq!(end.finish_reason, "error");
            assert!(end.message.len() > 20, "{}", end.message);
            assert!(!end.message.contains("sk-test"));
            assert_eq!(model.request_count() - before, tries, "{status}");
            assert!(started.elapsed() < Duration::from_secs(10), "{status}");
        }
    }
}

#[tokio::test]
async fn long_retry_after_is_told_and_not_waited_for() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let date = "Fri, 01 Jan 2038 00:00:00 GMT";
    for wait in ["3600", date] {
        model.always(Scripted::status(429).header("retry-after", wait));
        let before = model.request_count();

        let end = ask(&app, &agent).await;

        assert_eq!(end.kind, "rate_limited", "{wait}");
        assert_eq!(model.request_count() - before, 1, "{wait}");
    }
}

#[tokio::test]
async fn stalls_resets_and_early_ends_keep_the_text() {
    let (app, _db) = start_impatient().await;
    let model = ScriptedModel::start().await;
    let agents = agents(&app, &model).await;
    for agent in &agents {
        for (answer, kind, text) in [
            (Scripted::silent(), "timeout", ""),
            (Scripted::numbered(9).stall_after(0), "timeout", ""),
            (Scripted::numbered(9).stall_after(3), "timeout", "0 1 2 "),
            (
                Scripted::numbered(9).reset_after(3),
                "interrupted",
                "0 1 2 ",
            ),
            (Scripted::numbered(9).eof_after(3), "interrupted", "0 1 2 "),
        ] {
            model.next(answer);
            let before = model.request_count();
            let started = Instant::now();

            let end = ask(&app, agent).await;

            assert_eq!((end.kind.as_str(), end.text.as_str()), (kind, text));
            assert_eq!(end.finish_reason, "error");
            assert_eq!(model.request_count() - before, 1, "{kind} after {text:?}");
            assert!(started.elapsed() < Duration::from_secs(15));
        }
    }
}

#[tokio::test]
async fn server_that_is_gone_is_told_within_its_time() {
    let app = TestApp::start().await;
    let input = inputs::model_connection("Gone", "http://127.0.0.1:9/v1");
    let gone = app.post("/model-connections", input).await.created();
    let agent = app.post("/agents", inputs::agent("A", &gone, "m")).await;
    let started = Instant::now();

    let end = ask(&app, &agent.created()).await;

    assert_eq!(end.kind, "unreachable");
    assert!(end.message.contains("127.0.0.1:9"), "{}", end.message);
    assert!(started.elapsed() < Duration::from_secs(6));
}

/// Connected, and then nothing: neither an answer nor, with https, a certificate.
#[tokio::test]
async fn server_that_takes_connections_and_says_nothing_is_told_within_its_time() {
    let (app, _db) = start_impatient().await;
    for scheme in ["http", "https"] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let base_url = format!("{scheme}://{address}/v1");
        let input = inputs::model_connection(scheme, &base_url);
        let connection = app.post("/model-connections", input).await.created();
        let agent = app.post("/agents", inputs::agent(scheme, &connection, "m"));
        let agent = agent.await.created();
        let started = Instant::now();

        let end = ask(&app, &agent).await;

        let took = started.elapsed();
        assert_eq!(end.kind, "timeout", "{scheme}: {}", end.message);
        assert!(end.message.contains("nothing for 3 s"), "{}", end.message);
        assert_eq!(end.finish_reason, "error");
        assert!(took < Duration::from_secs(15), "{scheme}: {took:?}");
        listener.set_nonblocking(true).expect("a listener");
        assert!(listener.accept().is_ok(), "{scheme}: nobody connected");
    }
}

#[tokio::test]
async fn garbage_keeps_the_text_before_it() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let good = "data: {\"choices\":[{\"delta\":{\"content\":\"né漢🌍\"}}]}\n\n";
    let mut huge = vec![Bytes::from(good), Bytes::from("data: ")];
    huge.extend(std::iter::repeat_n(Bytes::from(vec![b'x'; 1024 * 1024]), 9));
    for (pieces, kind) in [
        (
            vec![good.into(), Bytes::from("data: {nonsense\n\n")],
            "malformed",
        ),
        (
            vec![good.into(), Bytes::from(&b"data: \"\xff\"\n\n"[..])],
            "malformed",
        ),
        (
            vec![good.into(), Bytes::from("data: {\"error\":\"broken\"}\n\n")],
            "provider_error",
        ),
        (huge, "too_large"),
    ] {
        model.next(Scripted::raw(pieces));

        let end = ask(&app, &agent).await;

        assert_eq!((end.kind.as_str(), end.text.as_str()), (kind, "né漢🌍"));
        assert_eq!(end.finish_reason, "error");
    }
}

#[tokio::test]
async fn every_cut_of_an_answer_gives_the_same_bytes() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let body = "\u{feff}: hi\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"né漢🌍\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n";
    let single: Vec<Bytes> = body.bytes().map(|byte| Bytes::from(vec![byte])).collect();
    model.next(Scripted::raw(single));

    let end = ask(&app, &agent).await;

    assert_eq!((end.text.as_str(), end.kind.as_str()), ("né漢🌍", ""));
    assert_eq!(end.finish_reason, "stop");
}

#[tokio::test]
async fn endless_answer_is_cut_at_8_mib_and_kept() {
    const MIB: usize = 1024 * 1024;
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    model.next(Scripted::of(vec!["x".repeat(MIB); 12]));

    let end = ask(&app, &agent).await;

    assert_eq!(end.kind, "too_large", "{}", end.message);
    assert_eq!(end.finish_reason, "error");
    assert_eq!(end.text.len(), 8 * MIB);
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn connection_that_breaks_before_the_first_word_is_tried_again() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    for broken in [
        Scripted::text("never said").reset_after(0),
        Scripted::text("never said").eof_after(0),
    ] {
        let before = model.request_count();
        model.next(broken.clone());
        model.next(Scripted::text("said"));

        let end = ask(&app, &agent).await;

        assert_eq!(
            (end.text.as_str(), end.finish_reason.as_str()),
            ("said", "stop")
        );
        assert_eq!(model.request_count() - before, 2, "{broken:?}");
    }
}

#[tokio::test]
async fn run_at_its_time_limit_ends_and_keeps_what_was_said() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let limits = json!({"max_iterations": 5, "max_seconds": 3});
    let path = format!("/agents/{agent}");
    let changed = app.patch(&path, json!({ "limits": limits })).await;
    assert_eq!(changed.status, reqwest::StatusCode::OK);
    let (answer, gate) = Scripted::numbered(10).held();
    gate.release(3);
    model.next(answer);
    let started = Instant::now();

    let end = ask(&app, &agent).await;

    assert_eq!(end.kind, "time_limit", "{}", end.message);
    assert_eq!(end.finish_reason, "error");
    assert_eq!(end.text, "0 1 2 ");
    assert!(started.elapsed() < Duration::from_secs(10));
    model.wait_for_open_streams(0).await;
}

/// Bytes that come faster than they are read leave the reader no pause.
#[tokio::test]
async fn model_that_floods_cannot_keep_a_run_beyond_its_time() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    // Time enough for what ends at a bound of its own, however busy the machine is.
    for (event, seconds, kind) in [
        // Not one event in 8 MiB.
        (":\n\n", 60, "too_large"),
        ("data: {\"choices\":[]}\n\n", 2, "time_limit"),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n",
            2,
            "time_limit",
        ),
        (
            // Thinks without end, of which there is a bound.
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"so \"}}]}\n\n",
            60,
            "malformed",
        ),
    ] {
        let limits = json!({"max_iterations": 5, "max_seconds": seconds});
        let changed = app
            .patch(&format!("/agents/{agent}"), json!({ "limits": limits }))
            .await;
        assert_eq!(changed.status, reqwest::StatusCode::OK);
        model.next(Scripted::flood(event.repeat(4_096).into()));
        let started = Instant::now();

        let end = ask(&app, &agent).await;

        let took = started.elapsed();
        assert_eq!(end.kind, kind, "{event}: {}", end.message);
        assert!(
            took < Duration::from_secs(seconds + 20),
            "{event}: {took:?}"
        );
        model.wait_for_open_streams(0).await;
    }
}
