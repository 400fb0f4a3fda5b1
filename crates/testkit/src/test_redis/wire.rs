//! What is said to Redis, and what it answers.

use std::time::Duration;

use anyhow::{bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest wait for the server to answer, or to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

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

/// Hears a channel.
#[derive(Debug)]
pub struct Subscriber {
    stream: BufReader<TcpStream>,
}

impl Subscriber {
    pub(super) async fn of(port: u16, channel: &str) -> Self {
        let mut stream = connect(port).await.expect("connect");
        write(&mut stream, &["SUBSCRIBE", channel])
            .await
            .expect("subscribe");
        let mut subscriber = Self {
            stream: BufReader::new(stream),
        };
        subscriber.next_list().await;
        subscriber
    }

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

    /// The first of several answers.
    ///
    /// # Panics
    /// If there are none.
    pub fn first(self) -> Self {
        match self {
            Self::List(items) => items.into_iter().next().expect("an answer"),
            other => panic!("{other:?} is no list"),
        }
    }

    /// How many answers these are; 0 of a single one.
    pub fn count(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            _ => 0,
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

async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    Ok(TcpStream::connect(("127.0.0.1", port)).await?)
}

pub(super) async fn ask(port: u16, words: &[&str]) -> anyhow::Result<Reply> {
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
