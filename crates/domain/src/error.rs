//! The one error that clients can branch on.

use serde::{Deserialize, Serialize};

/// What went wrong, in terms a caller can act on. Carries no causes and no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", from = "Wire")]
pub enum Error {
    /// Nobody is signed in, or the credentials are wrong or expired.
    #[error("sign in first")]
    Unauthenticated,
    /// The actor's role does not allow the action.
    #[error("your role does not allow this")]
    Forbidden,
    /// The object does not exist, or belongs to another workspace.
    #[error("not found")]
    NotFound,
    /// The object is not in a state that allows the action.
    #[error("{message}")]
    Conflict {
        /// What is in the way, in words for a person.
        message: String,
    },
    /// One or more fields of the input are wrong.
    #[error("{}", first_message(fields))]
    Invalid {
        /// Every wrong field, in the order of the input.
        fields: Vec<FieldError>,
    },
    /// Too many requests.
    #[error("too many requests; try again in {retry_after_seconds} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u32,
    },
    /// Something this needs does not answer right now.
    #[error("{message}")]
    Unavailable {
        /// What does not answer, in words for a person.
        message: String,
    },
    /// A fault of ours; the log has the cause under the request id.
    #[error("something went wrong on our side (request {request_id})")]
    Internal {
        /// Finds the cause in the log.
        request_id: String,
    },
}

/// An error as JSON has it. Reading a tagged enum takes much more code, which every page of the
/// dashboard would load.
#[derive(Deserialize)]
struct Wire {
    kind: Kind,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<FieldError>,
    #[serde(default)]
    retry_after_seconds: u32,
    #[serde(default)]
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    RateLimited,
    Unavailable,
    Internal,
}

impl From<Wire> for Error {
    fn from(wire: Wire) -> Self {
        let Wire {
            kind,
            message,
            fields,
            retry_after_seconds,
            request_id,
        } = wire;
        match kind {
            Kind::Unauthenticated => Self::Unauthenticated,
            Kind::Forbidden => Self::Forbidden,
            Kind::NotFound => Self::NotFound,
            Kind::Conflict => Self::Conflict { message },
            Kind::Invalid => Self::Invalid { fields },
            Kind::RateLimited => Self::RateLimited {
                retry_after_seconds,
            },
            Kind::Unavailable => Self::Unavailable { message },
            Kind::Internal => Self::Internal { request_id },
        }
    }
}

/// One wrong field of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Path of the field, dots between levels: `model.name`.
    pub field: String,
    /// What is wrong and what to do, lower case, no full stop.
    pub message: String,
}

impl Error {
    /// A conflict, told in words.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict {
            message: message.into(),
        }
    }

    /// One wrong field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            fields: vec![FieldError {
                field: field.into(),
                message: message.into(),
            }],
        }
    }

    /// Something outside does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
        }
    }

    /// The message of a field, if that field is wrong.
    pub fn field(&self, name: &str) -> Option<&str> {
        match self {
            Self::Invalid { fields } => fields
                .iter()
                .find(|error| error.field == name)
                .map(|error| error.message.as_str()),
            _ => None,
        }
    }
}

fn first_message(fields: &[FieldError]) -> String {
    match fields.first() {
        Some(first) => format!("{}: {}", first.field, first.message),
        None => "invalid input".to_owned(),
    }
}

#[cfg(feature = "server-fn")]
impl server_fn::error::FromServerFnError for Error {
    type Encoder = server_fn::codec::JsonEncoding;

    fn from_server_fn_error(value: server_fn::error::ServerFnErrorErr) -> Self {
        use server_fn::error::ServerFnErrorErr as Fault;
        match value {
            Fault::Request(_) => {
                Self::unavailable("the server does not answer; check the connection and try again")
            }
            Fault::Args(message) | Fault::MissingArg(message) => Self::invalid("form", message),
            fault => Self::unavailable(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_as_they_are_written() {
        let request_id = "r-1".to_owned();
        for error in [
            Error::Unauthenticated,
            Error::Forbidden,
            Error::NotFound,
            Error::conflict("taken"),
            Error::invalid("name", "is empty"),
            Error::RateLimited {
                retry_after_seconds: 7,
            },
            Error::unavailable("down"),
            Error::Internal { request_id },
        ] {
            let json = serde_json::to_string(&error).expect("is written");

            let read: Error = serde_json::from_str(&json).expect("is read");

            assert_eq!(read, error);
        }
    }
}
