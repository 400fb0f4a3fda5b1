//! An engine with one image, and a client that speaks JSON lines.

use std::time::Duration;

use domain::WorkspaceId;
use outbound::{AllowedHost, Dialler, Policy};
use provisioner::{
    Base, Docker, DockerConfig, Fetched, Limits, PackageConfig, Provisioner, Reader, Running, Spec,
    Started, Writer,
};
use serde_json::{Value, json};
use testkit::TestEngine;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use uuid::Uuid;

pub const IMAGE: &str = "agentarea-test/tool-server:1";
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine of its own, and our view of it.
pub struct Bench {
    pub engine: TestEngine,
    pub docker: Docker,
    pub image: String,
}

impl Bench {
    /// `None` where the machine is said to have no engine.
    pub async fn start() -> Option<Self> {
        Self::start_allowing(&[]).await
    }

    /// Lets private hosts through, as an administrator may.
    pub async fn start_allowing(hosts: &[&str]) -> Option<Self> {
        let engine = TestEngine::start().await?;
        let image = engine.import_tool_server(IMAGE).await;
        let docker = docker(&engine, "test", hosts);
        Some(Self {
            engine,
            docker,
            image,
        })
    }

    /// Starts a server that speaks on stdio.
    pub async fn start_session(&self, spec: &Spec) -> Session {
        Session::new(self.docker.start(spec).await.unwrap())
    }
}

/// A view of an engine as an installation of this name has it.
pub fn docker(engine: &TestEngine, installation: &str, allowed: &[&str]) -> Docker {
    let allowed: Vec<AllowedHost> = allowed.iter().map(|host| host.parse().unwrap()).collect();
    Docker::new(DockerConfig {
        addresses: vec![engine.address()],
        certificates: None,
        registries: None,
        installation: installation.to_owned(),
        dialler: Dialler::new(Policy::new(Some(allowed), false)),
    })
}

/// Removes what is not used; how many servers that were.
pub async fn sweep(docker: &Docker, is_used: impl Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for held in docker.list_held().await.unwrap() {
        if !is_used(&held.id) {
            docker.discard(&held).await.unwrap();
            count += usize::from(held.is_server);
        }
    }
    count
}

/// What the installation has fetched, where packages are installed in images that are not there.
pub async fn fetched(bench: &Bench) -> Vec<Fetched> {
    let none = Base::Given("localhost/none:1".to_owned());
    let config = PackageConfig {
        node: none.clone(),
        python: none,
        npm_registry: String::new(),
        pypi_index: String::new(),
        egress: Vec::new(),
    };
    bench.docker.list_fetched(&config).await.unwrap()
}

/// A small server without network.
pub fn spec(id: &str) -> Spec {
    Spec {
        id: id.to_owned(),
        workspace: WorkspaceId::from(Uuid::now_v7()),
        revision: "1".to_owned(),
        fence: 1,
        image: IMAGE.to_owned(),
        command: Vec::new(),
        env: Default::default(),
        secrets: Default::default(),
        limits: Limits {
            memory_bytes: 32 << 20,
            pids: 16,
            grace: Duration::from_secs(1),
            ..Limits::default()
        },
        egress: Vec::new(),
        port: None,
    }
}

/// A conversation with a server.
pub struct Session {
    pub running: Running,
    input: Writer,
    output: BufReader<Reader>,
    last: u64,
}

impl Session {
    fn new(started: Started) -> Self {
        let Started {
            running,
            input,
            output,
        } = started;
        Self {
            running,
            input,
            output: BufReader::new(output),
            last: 0,
        }
    }

    /// Calls a tool: its text, or its error's text.
    pub async fn call(&mut self, tool: &str, value: &str) -> Result<String, String> {
        let answer = self.try_call(tool, value).await.expect("an answer");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        match answer["result"]["isError"].as_bool() {
            Some(false) => Ok(text.to_owned()),
            _ => Err(text.to_owned()),
        }
    }

    /// Greets the server; what it calls itself.
    pub async fn initialize(&mut self) -> String {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = self.request("initialize", params).await;
        let name = answer
            .as_ref()
            .and_then(|answer| answer["result"]["serverInfo"]["name"].as_str());
        name.unwrap_or_default().to_owned()
    }

    /// Calls a tool; `None` if the server ends before it answers.
    pub async fn try_call(&mut self, tool: &str, value: &str) -> Option<Value> {
        let params = json!({"name": tool, "arguments": {"value": value}});
        self.request("tools/call", params).await
    }

    async fn request(&mut self, method: &str, params: Value) -> Option<Value> {
        self.last += 1;
        let id = self.last;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let exchange = async {
            let line = format!("{request}\n");
            self.input.write_all(line.as_bytes()).await.ok()?;
            self.input.flush().await.ok()?;
            let mut answer = String::new();
            self.output.read_line(&mut answer).await.ok()?;
            serde_json::from_str(&answer).ok()
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .expect("in time")
    }
}
