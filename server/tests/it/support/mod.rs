//! `TestApp`: the real program on a database of its own, and a client that is signed in.

mod answer;
mod held_table;
mod program;

pub use answer::Answer;
pub use held_table::HeldTable;
pub use program::Program;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::{EventStream, ScriptedModel, SseEvent, TestDb, inputs};

use crate::openapi;

/// Longest wait for a server to be ready, or for anything else a test awaits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed when dropped.
pub struct TestApp {
    program: Program,
    pub client: reqwest::Client,
    pub key: String,
    /// Kept alive for as long as the server.
    _db: Option<TestDb>,
}

impl TestApp {
    /// A server on a fresh database, set up, with an API key of Ada's.
    pub async fn start() -> Self {
        let db = TestDb::create().await;
        let mut app = Self::on(Program::new(Some(db.url()))).await;
        app._db = Some(db);
        app
    }

    /// A server with its own embedded database, set up.
    pub async fn start_embedded() -> Self {
        Self::on(Program::new(None)).await
    }

    /// Starts a program, sets it up and makes a key.
    pub async fn on(mut program: Program) -> Self {
        program.set("AGENTAREA_LIMITS__REQUESTS_PER_MINUTE", "1000000");
        program.start().await;
        let mut app = Self {
            client: client(),
            key: String::new(),
            program,
            _db: None,
        };
        let set_up = app.client.post(app.url("/api/v1/setup"));
        let answer = set_up.json(&inputs::set_up()).send().await.expect("set up");
        assert_eq!(answer.status(), StatusCode::CREATED);
        app.key = app.create_key(inputs::ADA, inputs::ACME);
        app
    }

    /// A program that runs and was set up already, with a key of it.
    pub fn of(program: Program, key: &str) -> Self {
        Self {
            client: client(),
            key: key.to_owned(),
            program,
            _db: None,
        }
    }

    /// Starts another server of the same installation: same database, same keys.
    pub async fn beside(&self, mut program: Program) -> Self {
        let keys = self.program.data_dir.path().join("master.key");
        std::fs::copy(keys, program.data_dir.path().join("master.key")).expect("share the key");
        program.set("AGENTAREA_LIMITS__REQUESTS_PER_MINUTE", "1000000");
        program.start().await;
        Self {
            client: client(),
            key: self.key.clone(),
            program,
            _db: None,
        }
    }

    /// Makes an account with the usual password, and its workspace if that is new.
    pub fn create_user(&self, email: &str, workspace: &str) {
        let arguments = [
            "admin",
            "create-user",
            "--email",
            email,
            "--workspace",
            workspace,
        ];
        let output = self
            .command(&arguments)
            .env("AGENTAREA_PASSWORD", inputs::PASSWORD)
            .output()
            .expect("run admin create-user");
        assert!(output.status.success(), "{output:?}");
    }

    /// Makes an API key by the command line.
    pub fn create_key(&self, email: &str, workspace: &str) -> String {
        let arguments = [
            "admin",
            "create-api-key",
            "--email",
            email,
            "--workspace",
            workspace,
        ];
        let output = self.program.command(&arguments).output();
        let output = output.expect("run admin create-api-key");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    /// A command of the program, with this server's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program.command(arguments)
    }

    /// What a browser on this server's pages sends as `Origin`.
    pub fn origin(&self) -> String {
        self.url("")
    }

    pub fn data_dir(&self) -> &std::path::Path {
        self.program.data_dir.path()
    }

    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    pub fn url(&self, path: &str) -> String {
        self.program.url(path)
    }

    /// What a health route answers: the status, and its word.
    pub async fn health(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.url(path)).send().await;
        let answer = Answer::read(answer.expect("an answer")).await;
        let word = answer.body["status"].as_str().expect("a status");
        (answer.status, word.to_owned())
    }

    /// Waits until `/health/redis` says so, which it does within 10 s.
    pub async fn wait_for_redis(&self, word: &str) {
        let begun = Instant::now();
        while self.health("/health/redis").await.1 != word {
            assert!(begun.elapsed() < Duration::from_secs(10), "never {word}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Sends a request below `/api/v1` with Ada's key.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut req = self
            .client
            .request(method.clone(), self.url(&format!("/api/v1{path}")))
            .bearer_auth(&self.key);
        for (name, value) in headers {
            req = req.header(*name, *value);
        }
        if let Some(body) = body {
            req = req.json(&body);
        }
        let answer = Answer::read(req.send().await.expect("an answer")).await;
        openapi::check(&method, path, answer.status, &answer.headers, &answer.body);
        answer
    }

    /// An agent that asks a scripted model; gives its id.
    pub async fn create_agent(&self, model: &ScriptedModel) -> String {
        let input = inputs::model_connection("Scripted", &model.base_url());
        let connection = self.post("/model-connections", input).await.created();
        let input = inputs::agent("Release Scout", &connection, "scripted-large");
        self.post("/agents", input).await.created()
    }

    /// A conversation with an agent; gives its id.
    pub async fn create_conversation(&self, agent: &str) -> String {
        let input = inputs::conversation(agent);
        self.post("/conversations", input).await.created()
    }

    /// Posts a message; gives the id of its run.
    pub async fn ask(&self, conversation: &str, text: &str) -> String {
        let path = format!("/conversations/{conversation}/messages");
        let answer = self.post(&path, inputs::message(text)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.body["run_id"].as_str().expect("run_id").to_owned()
    }

    /// Opens a conversation's stream; `query` begins with `?` or is empty.
    pub async fn events(&self, conversation: &str, query: &str) -> EventStream {
        let url = self.url(&format!(
            "/api/v1/conversations/{conversation}/events{query}"
        ));
        EventStream::open(&url, &self.key).await.expect("a stream")
    }

    /// The conversation's whole log, once it is idle.
    pub async fn log(&self, conversation: &str) -> Vec<SseEvent> {
        let mut stream = self.events(conversation, "?until=idle").await;
        let events = stream.collect_all().await.expect("the whole log");
        events
            .into_iter()
            .filter(|event| event.id.is_some())
            .collect()
    }
}

/// A client that follows no redirects and keeps no cookies.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

/// Signs in; gives the value of the `Cookie` header.
pub async fn sign_in(app: &TestApp, email: &str) -> String {
    let answer = client().post(app.url("/api/v1/session"));
    let answer = answer.json(&inputs::sign_in(email)).send().await;
    let headers = answer.expect("an answer").headers().clone();
    let cookie = headers["set-cookie"].to_str().expect("text");
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().expect("a pair").to_owned()
}

/// Weights of the built-in model, where the set-up puts them.
pub fn weights() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let path = home.join(".cache/agentarea/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    path.is_file().then_some(path)
}

/// The middle of several times: a busy machine spoils some of them, a fault all.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Wants a deed, which gets its number, to take less than 250 ms in the median of thirteen; a machine
/// that was busy meanwhile has three tries. Whoever only looks every second passes with one of fourteen.
pub async fn at_once(mut deed: impl AsyncFnMut(usize) -> Duration) {
    let mut medians = Vec::new();
    for first in [0, 13, 26] {
        let mut times = Vec::new();
        for number in first..first + 13 {
            times.push(deed(number).await);
        }
        let usual = median(times);
        if usual < Duration::from_millis(250) {
            return;
        }
        medians.push(usual);
    }
    panic!("not at once, but after {medians:?}");
}

/// Asks again until the answer is yes; `false` if it never is within 30 s.
pub async fn eventually(question: impl AsyncFn() -> bool) -> bool {
    let asked = async {
        while !question().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, asked).await.is_ok()
}
