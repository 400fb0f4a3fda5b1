//! A model server that says exactly the given bytes, in the given pieces.

#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use futures::StreamExt;
use llm::openai::OpenAi;
use llm::{ChatModel, ModelError, ModelEvent, ModelMessage, ModelRequest};
use outbound::{Outbound, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// What the server does after its last piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Ends the body as HTTP wants.
    End,
    /// Closes in the middle of the body.
    Reset,
    /// Says nothing more.
    Stall,
}

/// A server for one request; the handle gives the request's text.
pub async fn serve(head: &str, pieces: Vec<Vec<u8>>, then: Then) -> (OpenAi, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let head = head.to_owned();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a caller");
        let request = read_request(&mut socket).await;
        // The caller may hang up at any time.
        let _ = say(&mut socket, &head, pieces, then).await;
        request
    });
    (client(port), server)
}

/// A client with short deadlines.
pub fn client(port: u16) -> OpenAi {
    let outbound = Outbound::new(Policy::new(None, true)).expect("a client");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/v1")).expect("a URL");
    let mut model = OpenAi::new(outbound, url, Some("sk-secret".to_owned().into()));
    model.deadlines.first_byte = Duration::from_millis(1500);
    model.deadlines.idle = Duration::from_millis(300);
    model.deadlines.list = Duration::from_millis(1500);
    model
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = socket.read(&mut buffer).await.expect("a request");
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().expect("a length"));
        if body.len() >= length || read == 0 {
            return text.into_owned();
        }
    }
}

async fn say(
    socket: &mut TcpStream,
    head: &str,
    pieces: Vec<Vec<u8>>,
    then: Then,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let head = format!("HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend(piece);
        chunk.extend(b"\r\n");
        socket.write_all(&chunk).await?;
        tokio::task::yield_now().await;
    }
    match then {
        Then::End => socket.write_all(b"0\r\n\r\n").await?,
        Then::Reset => return Ok(()),
        Then::Stall => {}
    }
    // Until the caller hangs up.
    while socket.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// A request that says hello.
pub fn hello() -> ModelRequest {
    ModelRequest {
        model: "m".to_owned(),
        instructions: "Be kind.".to_owned(),
        messages: vec![ModelMessage::user("Hello")],
        temperature: None,
        max_output_tokens: None,
        tools: Default::default(),
    }
}

/// The answer's text and how it ended.
pub async fn answer(model: &dyn ChatModel) -> (String, Result<ModelEvent, ModelError>) {
    let mut text = String::new();
    let mut stream = match model.stream(hello()).await {
        Ok(stream) => stream,
        Err(error) => return (text, Err(error)),
    };
    while let Some(event) = stream.next().await {
        match event {
            Ok(ModelEvent::Text(piece)) => text += &piece,
            end => {
                assert!(stream.next().await.is_none(), "something follows the end");
                return (text, end);
            }
        }
    }
    panic!("the stream ends without an end");
}

/// The answer of a server that sends these bytes as a good event stream.
pub async fn answer_to(
    pieces: Vec<Vec<u8>>,
    then: Then,
) -> (String, Result<ModelEvent, ModelError>) {
    let (model, _server) = serve("200 OK\r\ncontent-type: text/event-stream", pieces, then).await;
    answer(&model).await
}

/// An event that carries text.
pub fn event(text: &str) -> String {
    let text = serde_json::to_string(text).expect("JSON");
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// A good end.
pub const STOP: &str =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
