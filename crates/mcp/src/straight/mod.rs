//! Calls of tools that need nothing but their own exchange: one request and its answer, and no task
//! between them.
//!
//! Only for servers of 2026-07-28 over HTTP, where each request stands for itself. Everything else
//! goes through rmcp's connection, which keeps sessions, hears of changes and repeats arguments in
//! headers.

mod events;
mod heard;
mod request;
mod wires;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, GetMeta, ProgressToken, ProtocolVersion, RequestId};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::events::Events;
use self::heard::{Heard, answer_of, read};
use self::wires::Exchange;
pub(crate) use self::wires::{Dial, Wires};
use crate::ask::{Answer, Ask, Subject, nonsense};
use crate::clock::Clock;
use crate::connection::{CallOptions, MAX_MESSAGE_BYTES};
use crate::error::{CallError, ConnectError};
use crate::handler::{Aside, Handler};

const METHOD: &str = "tools/call";
/// Requests of the connection itself count from zero.
const FIRST_ID: i64 = 1 << 32;
/// How long the end of an answer's stream is waited for, so that its connection can be used again.
const END_TIMEOUT: Duration = Duration::from_millis(50);

/// The way to one server.
pub(crate) struct Straight {
    client: reqwest::Client,
    /// The shorter way, where there is no TLS.
    wires: Option<Wires>,
    uri: Arc<str>,
    headers: HashMap<HeaderName, HeaderValue>,
    limits: StreamableHttpResponseLimits,
    ids: AtomicI64,
    places: Semaphore,
    /// Tools that want arguments repeated in headers.
    left_out: Mutex<HashSet<String>>,
}

/// What comes back for a request.
enum Posted {
    Answer(Result<Answer, CallError>),
    Events(Stream),
}

/// The messages that come before the answer, and that.
enum Stream {
    Wire(Events),
    Client(BoxStream<'static, Result<String, CallError>>),
}

impl Straight {
    pub(crate) fn new(
        client: reqwest::Client,
        wires: Option<Wires>,
        config: &StreamableHttpClientTransportConfig,
    ) -> Self {
        let mut headers = config.custom_headers.clone();
        let version = ProtocolVersion::V_2026_07_28;
        for (name, value) in [
            ("mcp-protocol-version", version.as_str()),
            ("mcp-method", METHOD),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Self {
            client,
            wires: wires.map(|wires| wires.with_headers(headers.iter())),
            uri: config.uri.clone(),
            headers,
            limits: limits(config),
            ids: AtomicI64::new(FIRST_ID),
            places: Semaphore::new(config.max_concurrent_requests.max(1)),
            left_out: Mutex::default(),
        }
    }

    /// Lets calls of a tool go the long way.
    pub(crate) fn leave_out(&self, tool: &str) {
        self.lock().insert(tool.to_owned());
    }

    /// Whether this is the way for a request.
    pub(crate) fn takes(&self, ask: &Ask) -> bool {
        ask.subject() == Subject::Tool
            && ask.method() == METHOD
            && is_plain(ask.name())
            && !self.lock().contains(ask.name())
    }

    /// Calls a tool and waits for its answer; see [`crate::Connection::ask`].
    pub(crate) async fn ask(
        &self,
        ask: Ask,
        options: CallOptions<'_>,
        handler: &Handler,
    ) -> Result<Answer, CallError> {
        let mut clock = Clock::new(options.patience);
        let timeout = tokio::time::sleep_until(clock.end());
        tokio::pin!(timeout);
        let too_late = |clock: &Clock| CallError::Timeout {
            seconds: clock.seconds(),
        };
        let id = RequestId::Number(self.ids.fetch_add(1, Ordering::Relaxed));
        let response = tokio::select! {
            biased;
            response = self.post(ask, id.clone()) => response?,
            () = options.cancel.cancelled() => return Err(CallError::Cancelled),
            () = &mut timeout => return Err(too_late(&clock)),
        };
        let (_place, response) = response;
        let mut events = match response {
            Posted::Answer(answer) => return answer,
            Posted::Events(events) => events,
        };
        loop {
            let event = tokio::select! {
                biased;
                () = options.cancel.cancelled() => return Err(CallError::Cancelled),
                // Before what is said: whoever talks without end has an end, too.
                () = &mut timeout => return Err(too_late(&clock)),
                event = events.next() => event,
            };
            let Some(data) = event else {
                return Err(CallError::Lost("it closed the connection".to_owned()));
            };
            match read(&data?, &id) {
                Heard::Answer(answer) => {
                    events.let_end();
                    return answer;
                }
                Heard::Aside(aside) => {
                    clock.heard(&aside);
                    timeout.as_mut().reset(clock.end());
                    match aside {
                        Aside::Step(step) => {
                            options.on_progress.inspect(|tell| tell(step));
                        }
                        Aside::Log(line) => {
                            options.on_log.inspect(|tell| tell(line));
                        }
                        Aside::Question(_) | Aside::Answered => {}
                    }
                }
                Heard::Changed => handler.changed.notify_one(),
                Heard::Nothing => {}
            }
        }
    }

    async fn post(
        &self,
        ask: Ask,
        id: RequestId,
    ) -> Result<(SemaphorePermit<'_>, Posted), CallError> {
        let closed = |_| CallError::Lost("it closed the connection".to_owned());
        let place = self.places.acquire().await.map_err(closed)?;
        let name = HeaderValue::from_str(ask.name()).ok();
        if let Some(wires) = &self.wires {
            let body = request::body(&ask, &id)?;
            let (head, exchange) = wires.post(body.into(), name.clone()).await?;
            // Whoever is sent elsewhere, or has to sign in, was not answered: the other way knows how.
            let is_refused = head.status.is_redirection()
                || matches!(
                    head.status,
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                );
            if !is_refused {
                return Ok((place, Posted::read(&head, exchange, &id).await?));
            }
        }
        let posted = Box::pin(self.post_by_client(ask, name, &id)).await?;
        Ok((place, posted))
    }

    /// Posts by the one HTTP client, which goes where it is sent.
    async fn post_by_client(
        &self,
        ask: Ask,
        name: Option<HeaderValue>,
        id: &RequestId,
    ) -> Result<Posted, CallError> {
        let mut meta = ask.meta();
        meta.extend(request::ABOUT_US.clone());
        meta.set_progress_token(ProgressToken(id.clone()));
        let mut request = ask.into_request()?;
        request.get_meta_mut().extend(meta);
        let message = ClientJsonRpcMessage::request(request, id.clone());
        let mut headers = self.headers.clone();
        headers.extend(name.map(|name| (HeaderName::from_static("mcp-name"), name)));
        let (client, uri) = (&self.client, self.uri.clone());
        let posted = client.post_message_with_response_limits(
            uri,
            message,
            None,
            None,
            headers,
            self.limits,
        );
        match posted.await {
            Ok(StreamableHttpPostResponse::Json(message, _)) => {
                Ok(Posted::Answer(answer_of(message, id)))
            }
            Ok(StreamableHttpPostResponse::Sse(events, _)) => {
                // Events of other kinds are passed over.
                let data = events.filter_map(|event| {
                    std::future::ready(match event {
                        Ok(event) => {
                            let kind = event.event.as_deref().unwrap_or_default();
                            let is_message = matches!(kind, "" | "message");
                            event.data.filter(|_| is_message).map(Ok)
                        }
                        Err(error) => Some(Err(broken(&error))),
                    })
                });
                Ok(Posted::Events(Stream::Client(data.boxed())))
            }
            Ok(_) => Err(nonsense()),
            Err(error) => Err(CallError::from_transport(&error)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Posted {
    /// By what came over a wire.
    async fn read(
        head: &http::response::Parts,
        exchange: Exchange,
        id: &RequestId,
    ) -> Result<Self, CallError> {
        let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is = |wanted: &str| {
            let kind = kind.and_then(|kind| std::str::from_utf8(kind).ok());
            let kind = kind.and_then(|kind| kind.split(';').next());
            kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
        };
        if head.status.is_success() && is("text/event-stream") {
            return Ok(Self::Events(Stream::Wire(Events::new(exchange))));
        }
        let status = head.status.as_u16();
        match status {
            202 | 204 => return Err(nonsense()),
            429 => return Err(CallError::from_status(status)),
            _ if is("application/json") => {}
            200..=299 => {
                let kind = String::from_utf8_lossy(kind.unwrap_or(b"nothing"));
                return Err(ConnectError::answers_with(&kind).into());
            }
            _ => return Err(CallError::from_status(status)),
        }
        let body = whole(exchange).await?;
        let message = std::str::from_utf8(&body).ok().map(|body| read(body, id));
        match message {
            Some(Heard::Answer(answer)) => Ok(Self::Answer(answer)),
            _ if head.status.is_success() => Err(nonsense()),
            _ => Err(CallError::from_status(status)),
        }
    }
}

impl Stream {
    async fn next(&mut self) -> Option<Result<String, CallError>> {
        match self {
            Self::Wire(events) => events.next().await,
            Self::Client(events) => events.next().await,
        }
    }

    /// Reads it to its end, so that its connection is used again.
    fn let_end(self) {
        let mut events = match self {
            Self::Wire(events) => return events.give_back(),
            Self::Client(events) => events,
        };
        if let Some(None) = events.next().now_or_never() {
            return;
        }
        tokio::spawn(async move {
            let reading = async { while events.next().await.is_some() {} };
            let _ = tokio::time::timeout(END_TIMEOUT, reading).await;
        });
    }
}

impl fmt::Debug for Straight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Straight").finish_non_exhaustive()
    }
}

/// Whether a tool, in JSON, wants arguments repeated in headers.
pub(crate) fn has_headers(tool: &str) -> bool {
    tool.contains("x-mcp-header")
}

/// Whether a name stands in a header as it is.
fn is_plain(name: &str) -> bool {
    !name.starts_with("=?") && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn limits(config: &StreamableHttpClientTransportConfig) -> StreamableHttpResponseLimits {
    let mut limits = StreamableHttpResponseLimits::default();
    limits.max_sse_event_size = config.max_sse_event_size;
    limits.max_json_response_size = config.max_json_response_size;
    limits.max_error_response_size = config.max_error_response_size;
    limits
}

/// All of an answer, which is at most 4 MiB.
async fn whole(mut exchange: Exchange) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = exchange.next().await {
        let piece: Bytes = piece?;
        if body.len() + piece.len() > MAX_MESSAGE_BYTES {
            let what = "answers with more than 4 MiB".to_owned();
            return Err(ConnectError::TooMuch(what).into());
        }
        body.extend_from_slice(&piece);
    }
    exchange.give_back();
    Ok(body)
}

/// A stream that broke off, or says more than is read.
fn broken(error: &dyn std::error::Error) -> CallError {
    let mut source = Some(error);
    while let Some(current) = source {
        // The reader's own error is nobody else's to name.
        if current.to_string().contains("exceeded the maximum size") {
            let what = "sends a message that is too large: more than 4 MiB";
            return CallError::Connect(ConnectError::TooMuch(what.to_owned()));
        }
        source = current.source();
    }
    CallError::Lost("the connection broke off".to_owned())
}
