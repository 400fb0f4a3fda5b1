//! What the model says, how fast, and where it breaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

/// One scripted answer. Without further calls: at once, whole, 10 tokens in, 20 out, `stop`.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: Content,
    pub(super) pace: Duration,
    pub(super) gate: Option<Gate>,
    pub(super) fault: Option<Fault>,
    pub(super) is_silent: bool,
    pub(super) finish_reason: String,
    pub(super) usage: (u64, u64),
    pub(super) cached: u64,
}

/// What the body is made of.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Pieces of text, each its own chunk of the completion.
    Chunks(Vec<String>),
    /// What each chunk adds, in OpenAI's form.
    Deltas(Vec<Value>),
    /// A JSON body, for answers that are no completion.
    Json(Value),
    /// Bytes as they are, each piece written by itself.
    Raw(Vec<Bytes>),
    /// The same bytes again and again.
    Flood(Bytes),
}

/// Where an answer breaks, counted in chunks sent before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The connection is reset.
    Reset(usize),
    /// The body ends well, but without finish reason and `[DONE]`.
    Eof(usize),
    /// Nothing more comes until the client hangs up.
    Stall(usize),
}

/// Holds the chunks of an answer back until the test lets them go.
///
/// Every request that gets the same answer waits at the same gate, and each chunk goes to one of
/// them, so give a held answer to one request.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Answer {
    /// Says `text`, one chunk for each word.
    pub fn text(text: &str) -> Self {
        Self::of(text.split_inclusive(' ').map(str::to_owned).collect())
    }

    /// Says the chunks `0 `, `1 `, … `count-1 `: an answer in which any gap or repetition shows.
    pub fn numbered(count: usize) -> Self {
        Self::of((0..count).map(|i| format!("{i} ")).collect())
    }

    /// Says these chunks.
    pub fn of(chunks: Vec<String>) -> Self {
        Self::new(200, Content::Chunks(chunks))
    }

    /// Asks for tools: `(id, name, arguments)`. The arguments come in pieces, as they really do.
    pub fn tool_calls(calls: &[(&str, &str, &str)]) -> Self {
        let mut deltas = Vec::new();
        for (index, (id, name, arguments)) in calls.iter().enumerate() {
            deltas.push(serde_json::json!({"tool_calls": [{
                "index": index, "id": id, "type": "function",
                "function": {"name": name, "arguments": ""},
            }]}));
            let letters: Vec<char> = arguments.chars().collect();
            deltas.extend(letters.chunks(7).map(|piece| {
                let piece: String = piece.iter().collect();
                serde_json::json!({"tool_calls": [{
                    "index": index, "function": {"arguments": piece},
                }]})
            }));
        }
        Self::new(200, Content::Deltas(deltas)).finish_reason("tool_calls")
    }

    /// Says `text`, then asks for tools.
    pub fn text_and_tool_calls(text: &str, calls: &[(&str, &str, &str)]) -> Self {
        let mut answer = Self::tool_calls(calls);
        if let Content::Deltas(deltas) = &mut answer.content {
            deltas.insert(0, serde_json::json!({ "content": text }));
        }
        answer
    }

    /// Thinks `thought`, then says `text`, one piece for each word.
    pub fn thinking(thought: &str, text: &str) -> Self {
        let thoughts = thought
            .split_inclusive(' ')
            .map(|word| serde_json::json!({ "reasoning_content": word }));
        let words = text
            .split_inclusive(' ')
            .map(|word| serde_json::json!({ "content": word }));
        Self::new(200, Content::Deltas(thoughts.chain(words).collect()))
    }

    /// Refuses with a status and a body in OpenAI's form.
    pub fn status(status: u16) -> Self {
        let error = serde_json::json!({
            "error": {"message": "scripted failure", "type": "scripted", "code": null}
        });
        Self::new(status, Content::Json(error))
    }

    /// Sends these bytes as the body of an event stream, piece by piece, and ends it well.
    pub fn raw(pieces: Vec<Bytes>) -> Self {
        Self::new(200, Content::Raw(pieces))
    }

    /// Sends these bytes again and again, as fast as they are taken, until the client hangs up.
    pub fn flood(piece: Bytes) -> Self {
        Self::new(200, Content::Flood(piece))
    }

    /// Takes the request and never answers; the client has to give up.
    pub fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::of(Vec::new())
        }
    }

    /// Replaces the chunks.
    pub fn chunks(mut self, chunks: Vec<String>) -> Self {
        self.content = Content::Chunks(chunks);
        self
    }

    /// Replaces the body by a JSON value.
    pub fn json(mut self, body: Value) -> Self {
        self.content = Content::Json(body);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits this long before each chunk.
    pub fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Holds every chunk, and the end, until the gate is opened for it. The head is sent at once.
    pub fn held(mut self) -> (Self, Gate) {
        let gate = Gate(Arc::new(Semaphore::new(0)));
        self.gate = Some(gate.clone());
        (self, gate)
    }

    /// Ends with this reason instead of `stop`.
    pub fn finish_reason(mut self, reason: &str) -> Self {
        self.finish_reason = reason.to_owned();
        self
    }

    /// Reports these tokens.
    pub fn usage(mut self, input_tokens: u64, output_tokens: u64) -> Self {
        self.usage = (input_tokens, output_tokens);
        self
    }

    /// Reports that so many of the input tokens came from the provider's cache.
    pub fn cached(mut self, tokens: u64) -> Self {
        self.cached = tokens;
        self
    }

    /// Resets the connection after `count` chunks (TCP RST).
    pub fn reset_after(mut self, count: usize) -> Self {
        self.fault = Some(Fault::Reset(count));
        self
    }

    /// Ends the body after `count` chunks, without finish reason and `[DONE]`.
    pub fn eof_after(mut self, count: usize) -> Self {
        self.fault = Some(Fault::Eof(count));
        self
    }

    /// Goes quiet after `count` chunks, with the connection open, until the client hangs up.
    pub fn stall_after(mut self, count: usize) -> Self {
        self.fault = Some(Fault::Stall(count));
        self
    }

    /// The whole text it says, empty if it is no completion.
    pub fn full_text(&self) -> String {
        match &self.content {
            Content::Chunks(chunks) => chunks.concat(),
            _ => String::new(),
        }
    }

    fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content,
            pace: Duration::ZERO,
            gate: None,
            fault: None,
            is_silent: false,
            finish_reason: "stop".to_owned(),
            usage: (10, 20),
            cached: 0,
        }
    }
}

impl Gate {
    /// Lets `count` more chunks out. The end of the answer needs [`Gate::finish`].
    pub fn release(&self, count: usize) {
        self.0.add_permits(count);
    }

    /// Lets everything out, the end too, now and for good.
    pub fn finish(&self) {
        self.0.close();
    }

    pub(super) async fn pass_chunk(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }

    pub(super) async fn pass_end(&self) {
        // More permits than can ever be given: only closing the gate ends the wait.
        let _closed = self.0.acquire_many(u32::MAX).await;
    }
}
