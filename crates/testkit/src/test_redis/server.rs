//! A Redis server on a port of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::wire::{PATIENCE, Reply, Subscriber, ask};
use crate::free_port;
use crate::processes::{go_on, signal, stand_still};

/// Starts the server and waits for the test process to go: its end of the pipe closes however it
/// dies. `KILL`, because the server may be frozen.
const WATCHDOG: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 &
server=$!
echo "$server" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
read -r _
kill -KILL "$server" 2>/dev/null
rm -rf "$dir"
"#;

/// A running server on a free port. It goes with the test process, or when dropped.
#[derive(Debug)]
pub struct TestRedis {
    port: u16,
    kind: Kind,
    /// Further lines of its configuration.
    settings: Vec<String>,
    running: Option<Running>,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It keeps data.
    Data,
    /// It watches over others.
    Sentinel,
}

#[derive(Debug)]
struct Running {
    /// Its standard input is the pipe that keeps the server alive.
    _watchdog: Child,
    pid: u32,
}

impl TestRedis {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// If Redis is not installed or does not start; says how to install it.
    pub async fn start() -> Self {
        Self::start_as(Kind::Data, Vec::new()).await
    }

    pub(super) async fn start_as(kind: Kind, settings: Vec<String>) -> Self {
        let mut redis = Self {
            port: free_port(),
            kind,
            settings,
            running: None,
        };
        redis.restart().await;
        redis
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server as a crash would; connections are refused from then on.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            signal("KILL", running.pid);
        }
    }

    /// Starts the server again on the same port, empty.
    pub async fn restart(&mut self) {
        self.kill();
        self.running = Some(self.try_start().await.expect("a Redis server"));
    }

    /// Stops the server in the middle of whatever it does: it takes connections and says nothing.
    pub fn freeze(&self) {
        stand_still(self.running().pid);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        go_on(self.running().pid);
    }

    /// Has the server refuse every write that needs memory.
    pub async fn fill(&self) {
        self.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
            .await;
        self.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    }

    /// Lets the server take writes again.
    pub async fn empty(&self) {
        self.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    }

    /// Sends a command and gives the answer.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn ask(&self, words: &[&str]) -> Reply {
        let answer = tokio::time::timeout(PATIENCE, ask(self.port, words)).await;
        answer.expect("an answer in time").expect("an answer")
    }

    /// Keys that match a pattern, sorted.
    pub async fn keys(&self, pattern: &str) -> Vec<String> {
        let Reply::List(keys) = self.ask(&["KEYS", pattern]).await else {
            panic!("KEYS gives a list");
        };
        let mut keys: Vec<String> = keys.into_iter().map(Reply::text).collect();
        keys.sort();
        keys
    }

    /// Hears what is published on a channel from now on.
    pub async fn subscribe(&self, channel: &str) -> Subscriber {
        Subscriber::of(self.port, channel).await
    }

    /// Waits until somebody hears what is published on a channel.
    ///
    /// # Panics
    /// If nobody does before long.
    pub async fn wait_for_hearer(&self, channel: &str) {
        eventually("somebody who hears", async || {
            let answer = self.ask(&["PUBSUB", "NUMSUB", channel]).await;
            matches!(answer, Reply::List(list) if matches!(list[..], [_, Reply::Number(1..)]))
        })
        .await;
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    fn configuration(&self, dir: &Path) -> String {
        let (port, dir) = (self.port, dir.display());
        let mut lines = vec![
            format!("port {port}"),
            format!("dir {dir}"),
            "bind 127.0.0.1".to_owned(),
            "save \"\"".to_owned(),
            "appendonly no".to_owned(),
        ];
        lines.extend_from_slice(&self.settings);
        lines.join("\n") + "\n"
    }

    async fn try_start(&self) -> anyhow::Result<Running> {
        let dir = tempfile::Builder::new()
            .prefix("aa-redis-")
            .tempdir()
            .context("making a folder for Redis")?
            .keep();
        let configuration = dir.join("redis.conf");
        std::fs::write(&configuration, self.configuration(&dir))?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .arg(find()?)
            .arg(&configuration)
            .args((self.kind == Kind::Sentinel).then_some("--sentinel"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting Redis")?;
        let begun = Instant::now();
        loop {
            if let Ok(pid) = std::fs::read_to_string(dir.join("pid"))
                && matches!(ask(self.port, &["PING"]).await, Ok(Reply::Text(text)) if text == "PONG")
            {
                return Ok(Running {
                    _watchdog: watchdog,
                    pid: pid.trim().parse().context("the number of its process")?,
                });
            }
            let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            ensure!(
                begun.elapsed() < PATIENCE,
                "Redis does not answer:\n{}",
                log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn find() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join("redis-server"))
        .find(|program| program.is_file());
    found.context("Redis is not installed; try apt-get install redis-server")
}

/// Asks again until the answer is yes.
pub(super) async fn eventually(what: &str, question: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !question().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
