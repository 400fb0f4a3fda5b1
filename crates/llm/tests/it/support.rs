//! A model server that says exactly the given bytes, in the given pieces.

use std::time::Duration;

use futures::StreamExt;
use llm::anthropic::Anthropic;
use llm::gemini::Gemini;
use llm::openai::OpenAi;
use llm::responses::Responses;
use llm::{ChatModel, Deadlines, ModelError, ModelEvent, ModelMessage, ModelRequest};
use outbound::{Outbound, Policy};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// The head of a good event stream.
pub const GOOD: &str = "200 OK\r\ncontent-type: text/event-stream";

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
    let (port, server) = listen(head, pieces, then).await;
    (client(port), server)
}

/// The same with its port, for any client.
pub async fn listen(head: &str, pieces: Vec<Vec<u8>>, then: Then) -> (u16, JoinHandle<String>) {
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
    (port, server)
}

/// A server that gives these heads and bodies, each to a request of its own; the handle gives the
/// requests' texts.
pub async fn listen_each(answers: Vec<(&'static str, String)>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (head, body) in answers {
            let (mut socket, _) = listener.accept().await.expect("a caller");
            requests.push(read_request(&mut socket).await);
            let head = format!("{head}\r\nconnection: close");
            let _ = say(&mut socket, &head, vec![body.into()], Then::End).await;
        }
        requests
    });
    (port, server)
}

/// A client with short deadlines.
pub fn client(port: u16) -> OpenAi {
    OpenAi::new(outbound(), url(port, "/v1"), key()).with_deadlines(SHORT)
}

/// Deadlines that a test can wait for.
pub const SHORT: Deadlines = Deadlines {
    first_byte: Duration::from_secs(3),
    idle: Duration::from_millis(900),
    list: Duration::from_secs(3),
};

/// A client of this machine.
pub fn outbound() -> Outbound {
    Outbound::new(Policy::new(None, true)).expect("a client")
}

/// An address of this machine.
pub fn url(port: u16, path: &str) -> Url {
    Url::parse(&format!("http://127.0.0.1:{port}{path}")).expect("a URL")
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
        output_tokens_left: None,
        supports_reasoning: None,
        tools: Default::default(),
        output_schema: None,
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
            Ok(ModelEvent::Reasoning(_) | ModelEvent::ToolCall(_) | ModelEvent::Carry(_)) => {}
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
    let (model, _server) = serve(GOOD, pieces, then).await;
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

/// A client of Anthropic's Messages with short deadlines.
pub fn anthropic(port: u16) -> Anthropic {
    Anthropic::new(outbound(), url(port, ""), key()).with_deadlines(SHORT)
}

/// A client of Gemini with short deadlines.
pub fn gemini(port: u16) -> Gemini {
    Gemini::new(outbound(), url(port, ""), key()).with_deadlines(SHORT)
}

/// A client of OpenAI's Responses with short deadlines.
pub fn responses(port: u16) -> Responses {
    Responses::new(outbound(), url(port, "/v1"), key()).with_deadlines(SHORT)
}

fn key() -> Option<SecretString> {
    Some("sk-secret".to_owned().into())
}

/// What a server sees of a request, and what comes of its answer, which is a good event stream.
pub async fn ask<M: ChatModel>(
    model: impl FnOnce(u16) -> M,
    request: ModelRequest,
    answer: &str,
) -> (String, Vec<ModelEvent>) {
    let (port, server) = listen(GOOD, vec![answer.into()], Then::End).await;
    let model = model(port);
    let events = said(&model, request).await;
    drop(model);
    (server.await.expect("the server"), events)
}

/// Everything that the model says, the end included.
pub async fn said(model: &dyn ChatModel, request: ModelRequest) -> Vec<ModelEvent> {
    let stream = model.stream(request).await.expect("an answer");
    let events: Vec<_> = stream.collect().await;
    events
        .into_iter()
        .map(|event| event.expect("no error"))
        .collect()
}

/// The JSON body of a request's text.
pub fn body_of(request: &str) -> serde_json::Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}
