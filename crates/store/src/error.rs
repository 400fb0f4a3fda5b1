//! What can go wrong while remembering.

use std::time::Duration;

/// Cases that a service acts on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A named unique or foreign-key constraint was violated.
    #[error("constraint {0} was violated")]
    Constraint(String),
    /// The caller no longer holds the run's lease.
    #[error("the run's lease is held by someone else or the run has ended")]
    LeaseLost,
    /// A cursor that no list of ours gave out.
    #[error("the cursor is unknown")]
    UnknownCursor,
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// A sealed value cannot be opened: wrong key or altered bytes.
    #[error("a stored secret cannot be opened with this master key")]
    Sealed,
    /// The object store does not do what it is asked.
    #[error("the object store does not answer")]
    Objects(#[from] object_store::Error),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(fault) => match fault.constraint() {
                Some(name) => Self::Constraint(name.to_owned()),
                None if fault.code().is_some_and(|code| is_outage(&code)) => {
                    Self::Unavailable(error)
                }
                None => Self::Other(error.into()),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Other(error.into()),
        }
    }
}

/// Waits for the database so long and no longer. What was asked is dropped then, but may have
/// happened, or may still.
///
/// # Errors
/// Those of `work`; `Unavailable` when the time is over.
pub async fn within<T>(time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Unavailable(sqlx::Error::PoolTimedOut)),
    }
}

/// SQLSTATE classes 08 (connection), 53 (resources) and 57P (operator intervention).
fn is_outage(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("53") || code.starts_with("57P")
}
