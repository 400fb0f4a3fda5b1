//! Why a model call failed, in words for a person.

use std::time::Duration;

use domain::models::ModelFault;
use domain::runs::RunError;

/// Longest text of a provider that is shown.
const DETAIL_CHARS: usize = 300;

/// Why a model call failed. Messages never hold a key or more of a body than the provider's own
/// error text, cut to one line of 300 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The address is not let through.
    #[error("the model server's address is refused: {0}")]
    Refused(#[from] outbound::Refused),
    /// No connection.
    #[error("{host} cannot be reached; check the address and that the server is running")]
    Unreachable {
        /// Host and port.
        host: String,
    },
    /// No answer in time.
    #[error("the model server said nothing for {seconds} s; try again, or use a faster model")]
    Timeout {
        /// How long it was silent.
        seconds: u64,
    },
    /// The key is missing, wrong or not allowed to do this.
    #[error("the model server does not accept the key{}; check the key of this connection", detail(.message))]
    Authentication {
        /// The provider's words.
        message: Option<String>,
    },
    /// The provider wants to be paid first.
    #[error("the model server answers only for credit{}; check your plan and bills with the provider", detail(.message))]
    NoCredit {
        /// The provider's words.
        message: Option<String>,
    },
    /// No such model or no such address.
    #[error("the model server knows no such model or address{}; check both", detail(.message))]
    NotFound {
        /// The provider's words.
        message: Option<String>,
    },
    /// The server does not understand the request.
    #[error("the model server refuses the request{}; check the model and its settings", detail(.message))]
    BadRequest {
        /// The provider's words.
        message: Option<String>,
    },
    /// The server refuses a part of the request that can be left out or changed.
    #[error("the model server refuses a part of the request{}; check the model and its settings", detail(.message))]
    Unsupported {
        /// The part, by the server's name.
        param: &'static str,
        /// The provider's words.
        message: Option<String>,
    },
    /// The conversation does not fit.
    #[error("the conversation is too long for this model; start a new one or use a larger model")]
    TooLong,
    /// Too many requests.
    #[error("the model server allows no more requests for now{}; wait a little or check your plan", detail(.message))]
    RateLimited {
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: Option<String>,
    },
    /// The server is broken or overloaded.
    #[error("the model server has a problem (status {status}){}; try again later", detail(.message))]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: Option<String>,
    },
    /// A status that no model server should give.
    #[error("the model server answers with status {status}{}; check the address of this connection", detail(.message))]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// The provider's words.
        message: Option<String>,
    },
    /// The server reported an error in the middle of its answer.
    #[error("the model server stopped with an error{}; try again", detail(.message))]
    Failed {
        /// The provider's words.
        message: Option<String>,
    },
    /// The connection broke, or the answer ended without an end mark.
    #[error("the connection to the model server broke before the answer was complete; try again")]
    Interrupted,
    /// Not the protocol that was expected.
    #[error(
        "the model server's answer cannot be read ({what}); check the address and the kind of this connection"
    )]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An event or list beyond its bound.
    #[error(
        "the model server sent more than {limit_mib} MiB at once; check the address of this connection"
    )]
    TooLarge {
        /// The bound.
        limit_mib: u32,
    },
    /// The provider withheld the answer.
    #[error("the provider's content filter stopped the answer; rephrase the request")]
    Filtered,
    /// Nobody was asked: the answer shall be JSON of a form that no model here keeps to.
    #[error(
        "this agent's answers have a JSON schema, which its model cannot keep to; choose a model that can, or take the schema away"
    )]
    NoJsonSchema,
    /// The built-in model is not there.
    #[error(
        "the built-in model is not installed on this server; ask its administrator, or add a model connection"
    )]
    NotInstalled,
    /// The built-in model has too much to do.
    #[error("the built-in model has too many requests waiting; try again in a minute")]
    Busy,
    /// The built-in model failed; the cause is in the log.
    #[error("the built-in model failed; the server's log says why")]
    Local,
}

impl ModelError {
    /// Machine-readable cause.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused_address",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Authentication { .. } => "authentication",
            Self::NoCredit { .. } => "no_credit",
            Self::NotFound { .. } => "not_found",
            Self::BadRequest { .. } | Self::Unsupported { .. } => "bad_request",
            Self::TooLong => "too_long",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Unexpected { .. } => "unexpected_status",
            Self::Failed { .. } => "provider_error",
            Self::Interrupted => "interrupted",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::Filtered => "content_filter",
            Self::NoJsonSchema => "no_json_schema",
            Self::NotInstalled => "not_installed",
            Self::Busy => "busy",
            Self::Local => "local_model",
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Failed { .. }
            | Self::Interrupted
            | Self::Busy => true,
            Self::Refused(_)
            | Self::Authentication { .. }
            | Self::NoCredit { .. }
            | Self::NotFound { .. }
            | Self::BadRequest { .. }
            | Self::Unsupported { .. }
            | Self::TooLong
            | Self::Unexpected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Filtered
            | Self::NoJsonSchema
            | Self::NotInstalled
            | Self::Local => false,
        }
    }

    /// How long the server wants to be left alone, if it says; may be hours.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The error as a run keeps it.
    pub fn to_run_error(&self) -> RunError {
        RunError {
            kind: self.kind().to_owned(),
            message: self.to_string(),
            retryable: self.is_retryable(),
        }
    }

    /// The error as a connection's test shows it.
    pub fn to_fault(&self) -> ModelFault {
        ModelFault {
            kind: self.kind().to_owned(),
            message: self.to_string(),
        }
    }
}

/// Makes a provider's words fit to show: one line, at most 300 characters, without the key.
pub(crate) fn presentable(message: &str, key: Option<&str>) -> Option<String> {
    let message = match key {
        Some(key) if !key.is_empty() => message.replace(key, "…"),
        _ => message.to_owned(),
    };
    let mut line = String::new();
    for word in message.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if let Some((end, _)) = line.char_indices().nth(DETAIL_CHARS) {
        line.truncate(end);
    }
    (!line.is_empty()).then_some(line)
}

fn detail(message: &Option<String>) -> String {
    match message {
        Some(message) => format!(" – it says “{message}”"),
        None => String::new(),
    }
}
