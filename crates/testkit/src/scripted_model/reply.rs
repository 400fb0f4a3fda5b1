//! Sends an answer down a connection, as a stream or in one piece.

use std::io;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::answer::{Answer, Content, Fault};
use super::dialect::{self, Dialect, usage};
use super::http::Connection;

/// What comes of a connection after an answer.
pub(super) enum After {
    /// It may carry another request.
    KeepOpen,
    /// It is over.
    Close,
}

/// Sends `answer` to the completion request `body`, in the request's format.
pub(super) async fn send(
    connection: &mut Connection,
    answer: &Answer,
    dialect: Dialect,
    body: &Value,
) -> io::Result<After> {
    if answer.is_silent {
        connection.hung_up().await;
        return Ok(After::Close);
    }
    match &answer.content {
        Content::Json(json) => send_json(connection, answer, json).await,
        Content::Chunks(chunks) if dialect.streams(body) => {
            let pieces = chunks.iter().map(|text| dialect.text(text, body)).collect();
            send_stream(connection, answer, pieces, Some((dialect, body))).await
        }
        Content::Deltas(deltas) => {
            let pieces = deltas
                .iter()
                .map(|delta| dialect::delta(delta, body))
                .collect();
            send_stream(connection, answer, pieces, Some((Dialect::Chat, body))).await
        }
        Content::Chunks(_) => send_json(connection, answer, &completion(answer, body)).await,
        Content::Raw(pieces) => send_stream(connection, answer, pieces.clone(), None).await,
        Content::Flood(piece) => {
            send_head_of_stream(connection, answer).await?;
            loop {
                connection.write_chunk(piece).await?;
            }
        }
    }
}

/// Sends a JSON body with the answer's status and headers.
pub(super) async fn send_json(
    connection: &mut Connection,
    answer: &Answer,
    body: &Value,
) -> io::Result<After> {
    let body = body.to_string();
    let head = head(answer, "application/json");
    let message = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    connection.stream.write_all(message.as_bytes()).await?;
    Ok(After::KeepOpen)
}

/// Streams the pieces; of a completion, whose request is given, also its beginning and its end.
async fn send_stream(
    connection: &mut Connection,
    answer: &Answer,
    pieces: Vec<Bytes>,
    completion: Option<(Dialect, &Value)>,
) -> io::Result<After> {
    send_head_of_stream(connection, answer).await?;
    if let Some((dialect, request)) = completion
        && let Some(beginning) = dialect.beginning(answer, request)
    {
        connection.write_chunk(&beginning).await?;
    }
    for (sent, piece) in pieces.iter().enumerate() {
        if let Some(after) = break_at(connection, answer, sent).await? {
            return Ok(after);
        }
        if !wait_for_turn(connection, answer).await {
            return Ok(After::Close);
        }
        connection.write_chunk(piece).await?;
    }
    if let Some(after) = break_at(connection, answer, pieces.len()).await? {
        return Ok(after);
    }
    if let Some(gate) = &answer.gate {
        tokio::select! {
            () = gate.pass_end() => {}
            () = connection.hung_up() => return Ok(After::Close),
        }
    }
    if let Some((dialect, request)) = completion {
        connection
            .write_chunk(&dialect.ending(answer, request))
            .await?;
    }
    connection.write_chunk(b"").await?;
    Ok(After::KeepOpen)
}

async fn send_head_of_stream(connection: &mut Connection, answer: &Answer) -> io::Result<()> {
    let head = head(answer, "text/event-stream") + "transfer-encoding: chunked\r\n\r\n";
    connection.stream.write_all(head.as_bytes()).await
}

/// Breaks the answer here if its script says so.
async fn break_at(
    connection: &mut Connection,
    answer: &Answer,
    sent: usize,
) -> io::Result<Option<After>> {
    match answer.fault {
        Some(Fault::Reset(at)) if at == sent => {
            connection.stream.set_zero_linger()?;
            Ok(Some(After::Close))
        }
        Some(Fault::Eof(at)) if at == sent => {
            connection.write_chunk(b"").await?;
            Ok(Some(After::KeepOpen))
        }
        Some(Fault::Stall(at)) if at == sent => {
            connection.hung_up().await;
            Ok(Some(After::Close))
        }
        _ => Ok(None),
    }
}

/// Waits for pace and gate; false if the client hung up meanwhile.
async fn wait_for_turn(connection: &Connection, answer: &Answer) -> bool {
    let turn = async {
        if !answer.pace.is_zero() {
            tokio::time::sleep(answer.pace).await;
        }
        if let Some(gate) = &answer.gate {
            gate.pass_chunk().await;
        }
    };
    tokio::select! {
        biased;
        () = turn => true,
        () = connection.hung_up() => false,
    }
}

fn head(answer: &Answer, content_type: &str) -> String {
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\ncontent-type: {content_type}\r\n",
        answer.status
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

fn completion(answer: &Answer, request: &Value) -> Value {
    json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": request["model"],
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.full_text()},
            "finish_reason": answer.finish_reason,
        }],
        "usage": usage(answer),
    })
}
