//! Reads a conversation's event stream, and checks what the contract promises of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// How long what a test waits for may take to come; then something is wrong.
const PATIENCE: Duration = Duration::from_secs(240);

/// One event as it came down the line.
#[derive(Clone, Debug, PartialEq)]
pub struct SseEvent {
    /// The `id:` line; `None` for live text that is not in the log.
    pub id: Option<u64>,
    /// The `event:` line, `message` without one.
    pub event: String,
    /// The `data:` lines.
    pub data: Value,
}

/// An open event stream. Dropping it hangs up.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    connection: JoinHandle<()>,
    buffer: Vec<u8>,
    ready: VecDeque<SseEvent>,
    comments: usize,
    retry: Option<Duration>,
}

impl EventStream {
    /// Opens `url` (`http://…`, with any query) with an API key.
    ///
    /// # Errors
    /// If the server does not answer, or not with 200 and `text/event-stream`.
    pub async fn open(url: &str, api_key: &str) -> anyhow::Result<Self> {
        Self::send(url, api_key, None).await
    }

    /// Opens `url` with a `Last-Event-ID`: goes on after that event.
    ///
    /// # Errors
    /// As [`EventStream::open`].
    pub async fn resume(url: &str, api_key: &str, last_event_id: u64) -> anyhow::Result<Self> {
        Self::send(url, api_key, Some(last_event_id)).await
    }

    /// The next event; `None` when the server has ended the stream. Safe to cancel.
    ///
    /// # Errors
    /// If the connection breaks, or an event is no JSON.
    pub async fn next(&mut self) -> anyhow::Result<Option<SseEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Waits for the next sign of life between events.
    ///
    /// # Errors
    /// As [`EventStream::next`], and if an event or the end comes before.
    pub async fn next_comment(&mut self) -> anyhow::Result<()> {
        let before = self.comments;
        let deadline = Instant::now() + PATIENCE;
        while self.comments == before {
            let read = timeout_at(deadline, self.read()).await;
            ensure!(read.context("no comment came")??, "the stream ended");
            ensure!(self.ready.is_empty(), "{:?} came", self.ready);
        }
        Ok(())
    }

    /// Reads on; `false` at the end of the stream. Safe to cancel.
    async fn read(&mut self) -> anyhow::Result<bool> {
        let Some(frame) = self.body.frame().await else {
            return Ok(false);
        };
        if let Some(piece) = frame.context("reading the stream")?.data_ref() {
            self.buffer.extend_from_slice(piece);
            self.parse()?;
        }
        Ok(true)
    }

    /// Collects events up to and including the first that `is_last` holds of.
    ///
    /// # Errors
    /// As [`EventStream::next`], and if the stream ends before.
    pub async fn collect_until(
        &mut self,
        is_last: impl Fn(&SseEvent) -> bool,
    ) -> anyhow::Result<Vec<SseEvent>> {
        let mut events = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = self.next_before(deadline).await? {
            let is_done = is_last(&event);
            events.push(event);
            if is_done {
                return Ok(events);
            }
        }
        bail!("the stream ended early, after {} events", events.len());
    }

    /// Collects events until early text reaches `end`, in bytes of its message. How many pieces it
    /// comes in is up to the server.
    ///
    /// # Errors
    /// As [`EventStream::collect_until`].
    pub async fn collect_until_live(&mut self, end: usize) -> anyhow::Result<Vec<SseEvent>> {
        let reaches = |event: &SseEvent| {
            let offset = event.data["offset"].as_u64().unwrap_or_default();
            let text = event.data["text"].as_str().unwrap_or_default();
            event.event == "text_live" && offset as usize + text.len() >= end
        };
        self.collect_until(reaches).await
    }

    /// Collects events until the server ends the stream, as it does with `?until=idle`.
    ///
    /// # Errors
    /// As [`EventStream::next`].
    pub async fn collect_all(&mut self) -> anyhow::Result<Vec<SseEvent>> {
        let mut events = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = self.next_before(deadline).await? {
            events.push(event);
        }
        Ok(events)
    }

    async fn next_before(&mut self, deadline: Instant) -> anyhow::Result<Option<SseEvent>> {
        let next = timeout_at(deadline, self.next()).await;
        next.with_context(|| format!("what was waited for did not come within {PATIENCE:?}"))?
    }

    /// Comment lines so far: the signs of life between events.
    pub fn comments(&self) -> usize {
        self.comments
    }

    /// When the server last said to come back after the end.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    async fn send(url: &str, api_key: &str, last_id: Option<u64>) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("parsing {url}"))?;
        let host = uri.authority().context("the address has no host")?.as_str();
        let stream = TcpStream::connect(host)
            .await
            .with_context(|| format!("connecting to {host}"))?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // The body reports how the connection ended.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path)
            .header("host", host)
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {api_key}"));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = sender
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await?;
        let status = response.status();
        let kind = response.headers().get("content-type").cloned();
        if status != 200
            || !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
        {
            let body = response.into_body().collect().await?.to_bytes();
            bail!(
                "{url} answered {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(Self {
            body: response.into_body(),
            connection,
            buffer: Vec::new(),
            ready: VecDeque::new(),
            comments: 0,
            retry: None,
        })
    }

    /// Takes every whole block (ended by a blank line) out of the buffer.
    fn parse(&mut self) -> anyhow::Result<()> {
        while let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..at + 2).collect();
            let block = String::from_utf8(block).context("the stream is not UTF-8")?;
            let mut event = SseEvent {
                id: None,
                event: "message".to_owned(),
                data: Value::Null,
            };
            let mut data = Vec::new();
            for line in block.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "" if !line.is_empty() => self.comments += 1,
                    "id" => event.id = Some(value.parse().context("an id is no number")?),
                    "event" => event.event = value.to_owned(),
                    "retry" => {
                        let pause_ms = value.parse().context("a pause is no number")?;
                        self.retry = Some(Duration::from_millis(pause_ms));
                    }
                    "data" => data.push(value),
                    _ => {}
                }
            }
            if !data.is_empty() {
                let data = data.join("\n");
                event.data = serde_json::from_str(&data).with_context(|| data.clone())?;
                self.ready.push_back(event);
            }
        }
        Ok(())
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Checks that the logged events are numbered 1, 2, 3 … and that envelope and frame agree.
///
/// # Errors
/// Says where the numbers break.
pub fn check_gapless(events: &[SseEvent]) -> anyhow::Result<()> {
    check_gapless_after(events, 0)
}

/// Checks the same of a stream that went on after event `seq`.
///
/// # Errors
/// Says where the numbers break.
pub fn check_gapless_after(events: &[SseEvent], seq: u64) -> anyhow::Result<()> {
    let mut last = seq;
    for event in events {
        let Some(id) = event.id else { continue };
        ensure!(
            id == last + 1,
            "event {id} ({}) follows {last}",
            event.event
        );
        let (seq, kind) = (&event.data["seq"], &event.data["type"]);
        ensure!(seq == id, "the envelope of event {id} says seq {seq}");
        ensure!(
            kind == event.event.as_str(),
            "the envelope of event {id} says type {kind}"
        );
        last = id;
    }
    Ok(())
}

/// The text of each message by its id, put together from the logged events alone.
///
/// # Errors
/// If a delta leaves a gap or overlaps, a truncation points outside, or the pieces differ from
/// the text of `message_completed`.
pub fn texts(events: &[SseEvent]) -> anyhow::Result<HashMap<String, String>> {
    let mut texts: HashMap<String, String> = HashMap::new();
    for event in events.iter().filter(|event| event.id.is_some()) {
        apply(&mut texts, event).with_context(|| format!("event {:?}", event.id))?;
    }
    Ok(texts)
}

fn apply(texts: &mut HashMap<String, String>, event: &SseEvent) -> anyhow::Result<()> {
    let data = &event.data["data"];
    if event.event == "message_created" {
        let message = &data["message"];
        let id = message["id"].as_str().context("no message id")?;
        let text = message["text"].as_str().unwrap_or_default();
        ensure!(!texts.contains_key(id), "message {id} is created twice");
        texts.insert(id.to_owned(), text.to_owned());
        return Ok(());
    }
    if !matches!(
        event.event.as_str(),
        "text_delta" | "text_truncated" | "message_completed"
    ) {
        return Ok(());
    }
    let id = data["message_id"].as_str().context("no message id")?;
    let message = texts
        .get_mut(id)
        .with_context(|| format!("message {id} was not created"))?;
    let text = data["text"].as_str();
    let offset = data["offset"]
        .as_u64()
        .and_then(|offset| usize::try_from(offset).ok());
    match event.event.as_str() {
        "text_delta" => {
            let (offset, length) = (offset.context("no offset")?, message.len());
            ensure!(
                offset == length,
                "a delta at {offset}, the message has {length} bytes"
            );
            message.push_str(text.context("no text")?);
        }
        "text_truncated" => {
            let offset = offset.context("no offset")?;
            ensure!(
                message.is_char_boundary(offset),
                "no character ends at {offset}"
            );
            message.truncate(offset);
        }
        _ => {
            let text = text.context("no text")?;
            ensure!(
                message == text,
                "pieces make {message:?}, the whole is {text:?}"
            );
        }
    }
    Ok(())
}
