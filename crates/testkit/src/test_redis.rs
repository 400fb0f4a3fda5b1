//! A private Redis server for a test, and everything bad that can happen to it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for the server to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

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
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Its standard input is the pipe that keeps the server alive.
    _watchdog: Child,
    pid: String,
}

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A text, a status or an error.
    Text(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nil,
    /// Several answers.
    List(Vec<Reply>),
}

impl TestRedis {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// If Redis is not installed or does not start; says how to install it.
    pub async fn start() -> Self {
        let port = free_port().await;
        let mut redis = Self {
            port,
            running: None,
        };
        redis.restart().await;
        redis
    }

    /// Address for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server as a crash would; connections are refused from then on.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal("KILL");
        }
    }

    /// Starts the server again on the same port, empty.
    pub async fn restart(&mut self) {
        self.kill();
        self.running = Some(self.try_start().await.expect("a Redis server"));
    }

    /// Stops the server in the middle of whatever it does: it takes connections and says nothing.
    pub fn freeze(&self) {
        self.running().signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.running().signal("CONT");
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
        let mut stream = connect(self.port).await.expect("connect");
        write(&mut stream, &["SUBSCRIBE", channel])
            .await
            .expect("subscribe");
        let mut subscriber = Subscriber {
            stream: BufReader::new(stream),
        };
        subscriber.next_list().await;
        subscriber
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    async fn try_start(&self) -> anyhow::Result<Running> {
        let dir = tempfile::Builder::new()
            .prefix("aa-redis-")
            .tempdir()
            .context("making a folder for Redis")?
            .keep();
        let port = self.port.to_string();
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .arg(find()?)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(&dir)
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
                    pid: pid.trim().to_owned(),
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

impl Running {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid])
            .status();
        assert!(sent.expect("run kill").success(), "send SIG{name}");
    }
}

/// Hears a channel.
#[derive(Debug)]
pub struct Subscriber {
    stream: BufReader<TcpStream>,
}

impl Subscriber {
    /// The next message.
    ///
    /// # Panics
    /// After 30 s without one.
    pub async fn next(&mut self) -> String {
        let message = self.next_list().await.pop().expect("a message");
        message.text()
    }

    async fn next_list(&mut self) -> Vec<Reply> {
        let reply = tokio::time::timeout(PATIENCE, read(&mut self.stream)).await;
        match reply.expect("a message in time").expect("a message") {
            Reply::List(items) => items,
            other => panic!("{other:?} is no message"),
        }
    }
}

impl Reply {
    /// The text.
    ///
    /// # Panics
    /// If it is none.
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    /// The number.
    ///
    /// # Panics
    /// If it is none.
    pub fn number(self) -> i64 {
        match self {
            Self::Number(number) => number,
            other => panic!("{other:?} is no number"),
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

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address").port()
}

async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    Ok(TcpStream::connect(("127.0.0.1", port)).await?)
}

async fn ask(port: u16, words: &[&str]) -> anyhow::Result<Reply> {
    let mut stream = connect(port).await?;
    write(&mut stream, words).await?;
    read(&mut BufReader::new(stream)).await
}

async fn write(stream: &mut TcpStream, words: &[&str]) -> anyhow::Result<()> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    Ok(stream.write_all(command.as_bytes()).await?)
}

async fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Reply> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line).await? > 0, "the server hung up");
    let line = line.trim_end();
    let (kind, rest) = line.split_at(1);
    match kind {
        "+" | "-" => Ok(Reply::Text(rest.to_owned())),
        ":" => Ok(Reply::Number(rest.parse()?)),
        "$" | "*" if rest == "-1" => Ok(Reply::Nil),
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>()? + 2];
            stream.read_exact(&mut bytes).await?;
            bytes.truncate(bytes.len() - 2);
            Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..rest.parse::<usize>()? {
                items.push(Box::pin(read(stream)).await?);
            }
            Ok(Reply::List(items))
        }
        _ => bail!("not understood: {line}"),
    }
}
