//! A web server on this machine that reads each request whole and sends what it is told to.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::scripted_model::http::{Connection, Request};

/// What a client of TLS says first.
const TLS: u8 = 0x16;

/// A server; it goes with this value, and its connections with it.
#[derive(Debug)]
pub(crate) struct WebServer {
    authority: String,
    acceptor: JoinHandle<()>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Left out of the answer to HEAD, but for its length.
    pub(crate) body: Vec<u8>,
}

impl WebServer {
    /// Starts a server at an address of this machine. A request for which there is no reply waits for
    /// ever.
    ///
    /// # Panics
    /// If there is no free port.
    pub(crate) async fn start<A>(address: &str, answer: A) -> Self
    where
        A: Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((address, 0)).await.expect("a free port");
        let authority = listener.local_addr().expect("an address").to_string();
        Self {
            authority,
            acceptor: tokio::spawn(accept(listener, Arc::new(answer))),
        }
    }

    /// Its host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

async fn accept<A>(listener: TcpListener, answer: Arc<A>)
where
    A: Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let answer = answer.clone();
        connections.spawn(async move {
            // Whoever tries TLS first is not kept waiting.
            let mut first = [0];
            if stream.peek(&mut first).await.is_ok() && first[0] != TLS {
                answer_all(stream, &*answer).await;
            }
        });
    }
}

async fn answer_all(stream: TcpStream, answer: impl Fn(&Request) -> Option<Reply>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.read_request().await {
        let Some(reply) = answer(&request) else {
            return std::future::pending().await;
        };
        let is_last = request.header("connection") == Some("close");
        if send(&mut connection, &request, reply).await.is_err() || is_last {
            return;
        }
    }
}

async fn send(connection: &mut Connection, request: &Request, reply: Reply) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} -\r\ncontent-length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    connection.stream.write_all(head.as_bytes()).await?;
    match request.method.as_str() {
        "HEAD" => Ok(()),
        _ => connection.stream.write_all(&reply.body).await,
    }
}
