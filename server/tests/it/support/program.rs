//! How to start the real program, and its process.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use testkit::{free_port, signal};

use super::{PATIENCE, client};

/// Settings without a prefix, which a test must not take over from where it runs.
const OUTSIDE: [&str; 4] = [
    "DATABASE_URL",
    "DOCKER_HOST",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "REDIS_URL",
];

/// How to start a server, and the process if it runs.
pub struct Program {
    pub address: String,
    pub data_dir: tempfile::TempDir,
    database_url: Option<String>,
    variables: Vec<(String, String)>,
    log: Option<PathBuf>,
    child: Option<Child>,
}

impl Program {
    /// A server that is not started yet.
    pub fn new(database_url: Option<String>) -> Self {
        Self {
            address: format!("127.0.0.1:{}", free_port()),
            data_dir: tempfile::tempdir().expect("temporary folder"),
            database_url,
            variables: Vec::new(),
            log: None,
            child: None,
        }
    }

    /// Sets a variable of the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Writes what the next start logs into a file.
    pub fn log_to(&mut self, path: PathBuf) {
        self.log = Some(path);
    }

    /// A command of the program, with this server's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentarea"));
        for (name, _) in std::env::vars() {
            if name.starts_with("AGENTAREA_") || OUTSIDE.contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("AGENTAREA_LISTEN", &self.address)
            .env("AGENTAREA_DATA_DIR", self.data_dir.path())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null());
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(&mut self) {
        self.start_within(PATIENCE).await;
    }

    /// The same where something has to be fetched first.
    pub async fn start_within(&mut self, patience: Duration) {
        let mut command = self.command(&["serve"]);
        if let Some(path) = &self.log {
            command.stderr(File::create(path).expect("make the log"));
        }
        let child = command.stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("start the server"));
        let client = client();
        let started = Instant::now();
        loop {
            let health = client.get(self.url("/health")).send().await;
            if health.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok()?);
            assert!(ended.is_none(), "the server ended: {ended:?}");
            assert!(started.elapsed() < patience, "the server is not ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the server as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill the server");
            child.wait().expect("the server ends");
        }
    }

    /// Asks the server to stop and waits; tells whether it ended well.
    pub fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else {
            return true;
        };
        signal("TERM", child.id());
        child.wait().expect("the server ends").success()
    }

    /// Most memory that the server ever had, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        let pid = self.child.as_ref().expect("a running server").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    /// The process, which must be running.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Whether the server that was started still runs.
    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().expect("its state").is_none()
    }

    /// Another server on the same database with the same key, not started yet.
    pub fn beside(&self) -> Self {
        let mut other = Self::new(self.database_url.clone());
        other.variables.clone_from(&self.variables);
        let key = self.data_dir.path().join("master.key");
        std::fs::copy(key, other.data_dir.path().join("master.key")).expect("share the key");
        other
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        match self.database_url {
            Some(_) => self.kill(),
            // Lets the embedded database go as well.
            None => {
                self.stop();
            }
        }
    }
}
