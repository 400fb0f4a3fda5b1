//! A plain HTTP/1.1 client that shows the bytes as they come.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A streamed completion, request sent.
pub struct Completion {
    pub stream: TcpStream,
    pub received: Vec<u8>,
}

impl Completion {
    pub async fn ask(base_url: &str, is_streamed: bool) -> Self {
        let host: SocketAddr = base_url
            .trim_start_matches("http://")
            .trim_end_matches("/v1")
            .parse()
            .unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let body = json!({
            "model": "scripted-large",
            "stream": is_streamed,
            "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "hello"}],
        })
        .to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer sk-test\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Reads until `end` has arrived; panics if the connection ends first.
    pub async fn read_until(&mut self, end: &str) -> String {
        while !self.text().contains(end) {
            let read = self.stream.read_buf(&mut self.received).await.unwrap();
            assert_ne!(read, 0, "no {end:?} in {}", self.text());
        }
        self.text()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// The text of the chunks so far.
    pub fn content(&self) -> String {
        self.chunks()
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .collect()
    }

    /// The `data:` lines so far that are JSON.
    pub fn chunks(&self) -> Vec<Value> {
        self.text()
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }
}
