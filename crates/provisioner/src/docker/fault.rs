//! The engine's errors in our words.

use bollard::errors::Error as Fault;

use super::connection::REQUEST_SECONDS;
use crate::Error;

/// What to make of a failed request.
pub(super) fn fault(fault: Fault) -> Error {
    match fault {
        Fault::DockerResponseServerError { message, .. } => Error::Refused {
            reason: without_noise(&message),
        },
        Fault::DockerStreamError { error } => Error::Refused { reason: error },
        Fault::RequestTimeoutError => Error::Timeout {
            seconds: REQUEST_SECONDS,
        },
        Fault::HyperLegacyError { .. }
        | Fault::HyperResponseError { .. }
        | Fault::IOError { .. }
        | Fault::SocketNotFoundError(_) => Error::EngineGone {
            reason: fault.to_string(),
        },
        other => Error::Refused {
            reason: other.to_string(),
        },
    }
}

/// The engine's status and words, if it answered.
pub(super) fn answer(fault: &Fault) -> Option<(u16, &str)> {
    match fault {
        Fault::DockerResponseServerError {
            status_code,
            message,
        } => Some((*status_code, message)),
        _ => None,
    }
}

/// A failed start in the words that matter: the last part of a chain of causes.
pub(super) fn not_started(error: Fault) -> Error {
    match answer(&error) {
        Some((400 | 404 | 409 | 500, message)) => Error::NotStarted {
            reason: without_noise(message),
        },
        _ => fault(error),
    }
}

fn without_noise(message: &str) -> String {
    let message = message.trim();
    let message = match message.find("OCI runtime") {
        Some(at) => message[at..]
            .rsplit_once(": exec: ")
            .map_or(message, |(_, end)| end),
        None => message,
    };
    message
        .trim_end_matches(": unknown")
        .chars()
        .take(500)
        .collect()
}
