//! Why a server is not ready or a call failed, in words for people and models.
//!
//! None of it repeats what a server wrote into an error page: that is a stranger's text.

use std::error::Error;

use outbound::{Refused, refusal};
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpError,
};
use serde_json::Value;

/// Longest message of a server's own that is passed on.
const MAX_MESSAGE_CHARS: usize = 500;

/// Errors that clients treat by their number: wrong parameters, no such resource, an ability of the
/// client's that is missing, a page that a person must visit first.
const PASSED_ON: [i32; 4] = [-32602, -32002, -32021, -32042];

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The address is not called.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// Nobody is there.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// It wants credentials, or others.
    #[error(
        "the server refuses the credentials (HTTP {status}); add or correct the header that it \
         asks for, usually Authorization"
    )]
    Unauthorized {
        /// 401 or 403.
        status: u16,
    },
    /// It wants a person to sign in.
    #[error("{0}")]
    SignInNeeded(String),
    /// It wants more rights than a person gave when they signed in.
    #[error("the server wants the right {scope}; sign in again to give it")]
    MoreRightsNeeded {
        /// The rights, with spaces between them.
        scope: String,
    },
    /// It took too long.
    #[error("the server did not answer within {seconds} s")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// What it runs on does not answer, which passes.
    #[error("{0}")]
    Unavailable(String),
    /// It answers, but not as a tool server.
    #[error("{0}")]
    Protocol(String),
    /// It says more than is read.
    #[error("the server {0}")]
    TooMuch(String),
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server cannot be used.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// There is no such tool, or no longer.
    #[error("there is no tool of that name")]
    NoSuchTool,
    /// Its definition has changed and waits to be accepted.
    #[error(
        "the tool's definition has changed; an administrator must accept the change before it can \
         be called"
    )]
    Quarantined,
    /// The arguments do not match the tool's schema.
    #[error("the arguments do not match the tool's schema: {0}")]
    InvalidArguments(String),
    /// It took too long; whether it was done is unknown.
    #[error("the tool did not answer within {seconds} s; whether it was done is unknown")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// The caller gave up; whether it was done is unknown.
    #[error("the call was cancelled")]
    Cancelled,
    /// The server says that the call failed.
    #[error("the server answers with an error: {0}")]
    Server(String),
    /// The server refuses with an error that the caller's client knows how to treat.
    #[error("the server answers with an error: {message}")]
    Refused {
        /// The protocol's number of it.
        code: i32,
        /// In the server's words, one line.
        message: String,
        /// What goes with it.
        data: Option<Value>,
    },
    /// The connection was lost; whether it was done is unknown.
    #[error("the connection to the server was lost: {0}; whether it was done is unknown")]
    Lost(String),
    /// No result, and something that may be why.
    #[error("{error}. {note}")]
    Noted {
        /// What became of the call.
        error: Box<CallError>,
        /// What happened meanwhile, a sentence.
        note: String,
    },
    /// More calls wait for the server than are let in.
    #[error("too many calls of this server are waiting; try again later")]
    Busy,
    /// The call costs more than may still be spent.
    #[error("{0}; the call was not made")]
    NoMoney(String),
    /// Something of ours does not answer.
    #[error("the platform cannot look up the tool right now; try again later")]
    Unavailable,
}

impl CallError {
    /// Whether the tool may have been at work before the call failed.
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Noted { error, .. } => error.may_have_acted(),
            error => matches!(
                error,
                Self::Timeout { .. }
                    | Self::Cancelled
                    | Self::Lost(_)
                    | Self::Server(_)
                    | Self::Refused { .. }
            ),
        }
    }

    /// The same, and what happened while the call was made.
    pub fn noted(self, note: &str) -> Self {
        Self::Noted {
            error: Box::new(self),
            note: note.to_owned(),
        }
    }

    /// What became of a request that was sent, or could not be.
    pub(crate) fn from_transport(error: &(dyn Error + Send + Sync + 'static)) -> Self {
        match from_source(error) {
            ConnectError::Unreachable(reason) if !was_never_sent(error) => Self::Lost(reason),
            other => Self::Connect(other),
        }
    }

    /// What became of a request that was answered with a status alone.
    pub(crate) fn from_status(status: u16) -> Self {
        match from_status(status) {
            ConnectError::Unreachable(reason) => Self::Lost(reason),
            other => Self::Connect(other),
        }
    }

    /// Whether the connection should not be used again.
    pub fn spoils_connection(&self) -> bool {
        match self {
            Self::Noted { error, .. } => error.spoils_connection(),
            error => matches!(
                error,
                Self::Timeout { .. }
                    | Self::Lost(_)
                    | Self::Connect(ConnectError::SignInNeeded(_) | ConnectError::Unreachable(_))
            ),
        }
    }
}

impl From<ClientInitializeError> for ConnectError {
    fn from(error: ClientInitializeError) -> Self {
        match error {
            ClientInitializeError::LegacyFallbackFailed { fallback, .. } => (*fallback).into(),
            ClientInitializeError::TransportError { error, .. } => {
                from_source(error.error.as_ref())
            }
            ClientInitializeError::JsonRpcError(error) => Self::Protocol(format!(
                "the server refuses to begin: {}",
                short(&error.message)
            )),
            ClientInitializeError::ConnectionClosed(_) => {
                Self::Unreachable("it closed the connection".to_owned())
            }
            ClientInitializeError::NoCompatibleProtocolVersion { .. } => Self::Protocol(
                "the server speaks no revision of the protocol that is known here".to_owned(),
            ),
            _ => Self::not_mcp("what it answers makes no sense"),
        }
    }
}

impl From<ServiceError> for ConnectError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Protocol(format!(
                "the server answers with an error: {}",
                short(&error.message)
            )),
            ServiceError::TransportSend(error) => from_source(error.error.as_ref()),
            ServiceError::TransportClosed => {
                Self::Unreachable("it closed the connection".to_owned())
            }
            _ => Self::not_mcp("what it answers makes no sense"),
        }
    }
}

impl From<ServiceError> for CallError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) if PASSED_ON.contains(&error.code.0) => Self::Refused {
                code: error.code.0,
                message: short(&error.message),
                data: error.data,
            },
            ServiceError::McpError(error) => Self::Server(short(&error.message)),
            ServiceError::TransportClosed => Self::Lost("it closed the connection".to_owned()),
            ServiceError::TransportSend(error) => Self::from_transport(error.error.as_ref()),
            _ => Self::Server("what it answers makes no sense".to_owned()),
        }
    }
}

impl ConnectError {
    pub(crate) fn answers_with(kind: &str) -> Self {
        Self::not_mcp(&format!("it answers with {}", short(kind)))
    }

    pub(crate) fn not_mcp(why: &str) -> Self {
        Self::Protocol(format!(
            "there is no tool server at this address: {why}; check the address and its path"
        ))
    }
}

/// Whether nobody took the connection that a request was to go by.
fn was_never_sent(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = source {
        let request = match current.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
            Some(StreamableHttpError::Client(request)) => Some(request),
            _ => current.downcast_ref::<reqwest::Error>(),
        };
        if request.is_some_and(reqwest::Error::is_connect) {
            return true;
        }
        source = current.source();
    }
    false
}

/// Finds the cause that a person can act on.
fn from_source(error: &(dyn Error + Send + Sync + 'static)) -> ConnectError {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(required) = current.downcast_ref::<AuthRequiredError>() {
            return unauthorized(required);
        }
        if let Some(insufficient) = current.downcast_ref::<InsufficientScopeError>() {
            return more_rights(insufficient);
        }
        if let Some(error) = current.downcast_ref::<StreamableHttpError<reqwest::Error>>()
            && let Some(known) = from_http(error)
        {
            return known;
        }
        if let Some(error) = current.downcast_ref::<reqwest::Error>() {
            return from_reqwest(error);
        }
        source = current.source();
    }
    ConnectError::Unreachable("the connection failed".to_owned())
}

fn from_http(error: &StreamableHttpError<reqwest::Error>) -> Option<ConnectError> {
    Some(match error {
        StreamableHttpError::Client(error) => from_reqwest(error),
        StreamableHttpError::AuthRequired(required) => unauthorized(required),
        StreamableHttpError::InsufficientScope(insufficient) => more_rights(insufficient),
        StreamableHttpError::Auth(_) => {
            ConnectError::Unreachable("its sign-in cannot be renewed right now".to_owned())
        }
        StreamableHttpError::HttpStatus(status) => from_status(status.status),
        StreamableHttpError::UnexpectedServerResponse(text) => match status_of(text) {
            Some(status) => from_status(status),
            None => ConnectError::not_mcp("what it answers makes no sense"),
        },
        StreamableHttpError::UnexpectedContentType(kind) => {
            let kind = kind.as_deref().unwrap_or("nothing");
            ConnectError::answers_with(kind)
        }
        StreamableHttpError::ResponseBodyTooLarge { max_size } => ConnectError::TooMuch(format!(
            "answers with more than {} MiB",
            max_size / (1024 * 1024)
        )),
        StreamableHttpError::Sse(_) => ConnectError::TooMuch(
            "sends a stream that is broken or has messages that are too large".to_owned(),
        ),
        StreamableHttpError::Deserialize(_) => {
            ConnectError::not_mcp("what it answers makes no sense")
        }
        StreamableHttpError::UnexpectedEndOfStream
        | StreamableHttpError::TransportChannelClosed
        | StreamableHttpError::SessionExpired
        | StreamableHttpError::SessionRecoveryTimeout => {
            ConnectError::Unreachable("it ended the session".to_owned())
        }
        _ => return None,
    })
}

/// Servers that can be signed in at say so when they refuse.
fn unauthorized(required: &AuthRequiredError) -> ConnectError {
    let challenge = required.www_authenticate_header.trim_start();
    let scheme = challenge.split([' ', ',']).next().unwrap_or_default();
    match scheme.eq_ignore_ascii_case("bearer") {
        true => ConnectError::SignInNeeded("the server wants a person to sign in".to_owned()),
        false => ConnectError::Unauthorized { status: 401 },
    }
}

fn more_rights(insufficient: &InsufficientScopeError) -> ConnectError {
    match insufficient.get_required_scope().map(short) {
        Some(scope) if !scope.is_empty() => ConnectError::MoreRightsNeeded { scope },
        _ => ConnectError::Unauthorized { status: 403 },
    }
}

fn from_reqwest(error: &reqwest::Error) -> ConnectError {
    if let Some(refused) = refusal(error) {
        return refused.clone().into();
    }
    if let Some(status) = error.status() {
        return from_status(status.as_u16());
    }
    let reason = if error.is_timeout() {
        "connecting took too long".to_owned()
    } else if error.is_connect() {
        root_cause(error)
    } else {
        "the connection broke off".to_owned()
    };
    ConnectError::Unreachable(reason)
}

/// What the system or TLS says, without addresses or text of the server.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_lowercase(),
        None => short(&text),
    }
}

fn from_status(status: u16) -> ConnectError {
    match status {
        401 | 403 => ConnectError::Unauthorized { status },
        300..=399 => ConnectError::not_mcp(&format!(
            "it sends callers elsewhere (HTTP {status}), which is not followed"
        )),
        429 => ConnectError::Unreachable("it wants fewer requests (HTTP 429)".to_owned()),
        500..=599 => ConnectError::Unreachable(format!("it fails (HTTP {status})")),
        _ => ConnectError::not_mcp(&format!("it answers with HTTP {status}")),
    }
}

/// The status in rmcp's `HTTP 404 Not Found: <body>`.
fn status_of(text: &str) -> Option<u16> {
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
}

/// A server's own words, one line and not too long.
pub(crate) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
