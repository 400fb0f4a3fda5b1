//! A web server of fixed files that remembers what was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::scripted_model::http::{Connection, Request};

/// What a client of TLS says first.
const TLS: u8 = 0x16;

/// A server; it goes with this value.
#[derive(Debug)]
pub struct FileServer {
    authority: String,
    content: Arc<Mutex<Content>>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, File>,
    asked: Vec<String>,
}

#[derive(Clone, Debug)]
struct File {
    head: String,
    body: Vec<u8>,
}

impl FileServer {
    /// Starts a server without files at an address of this machine.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("a free port");
        let authority = listener.local_addr().expect("an address").to_string();
        let content = Arc::<Mutex<Content>>::default();
        let acceptor = tokio::spawn(accept(listener, content.clone()));
        Self {
            authority,
            content,
            acceptor,
        }
    }

    /// Its host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Puts a file where it is asked for, in place of any that was there; `headers` are told with
    /// it.
    pub fn put(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let file = File {
            head: lines.collect(),
            body: body.into(),
        };
        lock(&self.content).files.insert(path.to_owned(), file);
    }

    /// Every path that was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.content).asked.clone()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, content: Arc<Mutex<Content>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let content = content.clone();
        connections.spawn(async move {
            // Whoever tries TLS first is not kept waiting.
            let mut first = [0];
            if stream.peek(&mut first).await.is_ok() && first[0] != TLS {
                answer_all(stream, &content).await;
            }
        });
    }
}

async fn answer_all(stream: TcpStream, content: &Mutex<Content>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.read_request().await {
        let path = request.path.split('?').next().unwrap_or_default();
        let found = {
            let mut content = lock(content);
            content.asked.push(path.to_owned());
            content.files.get(path).cloned()
        };
        let is_last = request.header("connection") == Some("close");
        if send(&mut connection, &request, found).await.is_err() || is_last {
            return;
        }
    }
}

async fn send(
    connection: &mut Connection,
    request: &Request,
    found: Option<File>,
) -> std::io::Result<()> {
    let (status, file) = match found {
        Some(file) => ("200 OK", file),
        None => {
            let (head, body) = (String::new(), Vec::new());
            ("404 Not Found", File { head, body })
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{}\r\n",
        file.body.len(),
        file.head
    );
    connection.stream.write_all(head.as_bytes()).await?;
    match request.method.as_str() {
        "HEAD" => Ok(()),
        _ => connection.stream.write_all(&file.body).await,
    }
}
