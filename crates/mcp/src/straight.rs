//! Calls of tools that need nothing but their own exchange: one request and its answer, and no task
//! between them.
//!
//! Only for servers of 2026-07-28 over HTTP, where each request stands for itself. Everything else
//! goes through rmcp's connection, which keeps sessions, hears of changes and repeats arguments in
//! headers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use http::{HeaderName, HeaderValue};
use rmcp::model::{
    CallToolResult, ClientJsonRpcMessage, GetMeta, JsonRpcMessage, ProgressToken, ProtocolVersion,
    RequestId, ServerJsonRpcMessage, ServerNotification, ServerResult,
};
use rmcp::service::ServiceError;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ask::{Answer, Ask, LogLine, Subject, nonsense};
use crate::clock::Clock;
use crate::connection::{CallOptions, Progress};
use crate::error::{CallError, ConnectError};
use crate::handler::{Aside, Handler, who_we_are};

const METHOD: &str = "tools/call";
/// Requests of the connection itself count from zero.
const FIRST_ID: i64 = 1 << 32;
/// How long the end of an answer's stream is waited for, so that its connection can be used again.
const END_TIMEOUT: Duration = Duration::from_millis(50);

/// The way to one server.
pub(crate) struct Straight {
    client: reqwest::Client,
    uri: Arc<str>,
    headers: HashMap<HeaderName, HeaderValue>,
    limits: StreamableHttpResponseLimits,
    ids: AtomicI64,
    places: Semaphore,
    /// Tools that want arguments repeated in headers.
    left_out: Mutex<HashSet<String>>,
}

/// What one message of an answer's stream is.
enum Heard {
    Answer(Result<Answer, CallError>),
    Aside(Aside),
    /// The server's lists have changed.
    Changed,
    Nothing,
}

impl Straight {
    pub(crate) fn new(
        client: reqwest::Client,
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
            StreamableHttpPostResponse::Json(message, _) => return answer_of(message, &id),
            StreamableHttpPostResponse::Sse(events, _) => events,
            _ => return Err(nonsense()),
        };
        loop {
            let event = tokio::select! {
                biased;
                () = options.cancel.cancelled() => return Err(CallError::Cancelled),
                // Before what is said: whoever talks without end has an end, too.
                () = &mut timeout => return Err(too_late(&clock)),
                event = events.next() => event,
            };
            let Some(event) = event else {
                return Err(CallError::Lost("it closed the connection".to_owned()));
            };
            let event = event.map_err(|error| broken(&error))?;
            let is_message = matches!(event.event.as_deref(), None | Some("" | "message"));
            let Some(data) = event.data.filter(|_| is_message) else {
                continue;
            };
            match read(&data, &id) {
                Heard::Answer(answer) => {
                    let_end(events);
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
    ) -> Result<(SemaphorePermit<'_>, StreamableHttpPostResponse), CallError> {
        let closed = |_| CallError::Lost("it closed the connection".to_owned());
        let place = self.places.acquire().await.map_err(closed)?;
        let mut headers = self.headers.clone();
        if let Ok(name) = HeaderValue::from_str(ask.name()) {
            headers.insert(HeaderName::from_static("mcp-name"), name);
        }
        let mut meta = ask.meta();
        meta.set_protocol_version(ProtocolVersion::V_2026_07_28);
        meta.set_client_info(who_we_are());
        meta.set_progress_token(ProgressToken(id.clone()));
        let mut request = ask.into_request()?;
        request.get_meta_mut().extend(meta);
        let posted = self.client.post_message_with_response_limits(
            self.uri.clone(),
            ClientJsonRpcMessage::request(request, id),
            None,
            None,
            headers,
            self.limits,
        );
        match posted.await {
            Ok(response) => Ok((place, response)),
            Err(error) => Err(CallError::from_transport(&error)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
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

fn read(data: &str, id: &RequestId) -> Heard {
    if let Some(answer) = read_result(data, id) {
        return Heard::Answer(Ok(answer));
    }
    // What makes no sense is passed over, as servers send all kinds of things.
    let Ok(message) = serde_json::from_str::<ServerJsonRpcMessage>(data) else {
        return Heard::Nothing;
    };
    let notice = match message {
        JsonRpcMessage::Notification(notice) => notice.notification,
        JsonRpcMessage::Request(_) => return Heard::Nothing,
        answer => return Heard::Answer(answer_of(answer, id)),
    };
    match notice {
        ServerNotification::ProgressNotification(step) => {
            let step = step.params;
            match step.progress_token.0 == *id {
                true => Heard::Aside(Aside::Step(Progress {
                    progress: step.progress,
                    total: step.total,
                    message: step.message,
                })),
                false => Heard::Nothing,
            }
        }
        ServerNotification::LoggingMessageNotification(line) => {
            Heard::Aside(Aside::Log(LogLine(line.params)))
        }
        ServerNotification::ToolListChangedNotification(_)
        | ServerNotification::PromptListChangedNotification(_)
        | ServerNotification::ResourceListChangedNotification(_) => Heard::Changed,
        _ => Heard::Nothing,
    }
}

/// The usual answer, without trying what else it could be.
fn read_result(data: &str, id: &RequestId) -> Option<Answer> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Usual<'a> {
        #[serde(rename = "jsonrpc")]
        _version: &'a str,
        id: RequestId,
        #[serde(borrow)]
        result: &'a RawValue,
    }
    let usual: Usual<'_> = serde_json::from_str(data).ok()?;
    let result: CallToolResult = serde_json::from_str(usual.result.get()).ok()?;
    (usual.id == *id).then_some(Answer(ServerResult::CallToolResult(result)))
}

fn answer_of(message: ServerJsonRpcMessage, id: &RequestId) -> Result<Answer, CallError> {
    match message {
        JsonRpcMessage::Response(response) if response.id == *id => Ok(Answer(response.result)),
        JsonRpcMessage::Error(error) if error.id.as_ref().is_none_or(|it| it == id) => {
            Err(ServiceError::McpError(error.error).into())
        }
        _ => Err(nonsense()),
    }
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

/// Reads a stream to its end, so that its connection is used again.
fn let_end<S>(mut events: S)
where
    S: Stream + Send + Unpin + 'static,
{
    if let Some(None) = events.next().now_or_never() {
        return;
    }
    tokio::spawn(async move {
        let reading = async { while events.next().await.is_some() {} };
        let _ = tokio::time::timeout(END_TIMEOUT, reading).await;
    });
}
