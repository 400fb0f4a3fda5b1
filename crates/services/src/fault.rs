//! From "what happened" to "what the caller is told": causes are logged here, once.

use domain::Error;

tokio::task_local! {
    /// Id of the request that this task serves.
    pub static REQUEST_ID: String;
}

/// Turns a store's error into one for clients.
pub(crate) trait OrFault<T> {
    /// Constraints become `Internal`: a caller that expects one matches it first.
    fn or_fault(self) -> Result<T, Error>;
}

impl<T> OrFault<T> for store::Result<T> {
    fn or_fault(self) -> Result<T, Error> {
        self.map_err(|error| match error {
            store::Error::UnknownCursor => Error::invalid(
                "after",
                "is no cursor of this list; use `next` of the page before",
            ),
            store::Error::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the database does not answer");
                Error::unavailable("the database does not answer; try again in a moment")
            }
            store::Error::Objects(cause) => {
                tracing::warn!(error = %cause, "the object store does not answer");
                Error::unavailable("the object store does not answer; try again in a moment")
            }
            other => internal(&other.into()),
        })
    }
}

/// Logs a cause and gives the error that names only the request.
pub fn internal(cause: &anyhow::Error) -> Error {
    let request_id = REQUEST_ID
        .try_with(Clone::clone)
        .unwrap_or_else(|_| uuid::Uuid::now_v7().to_string());
    tracing::error!(
        request.id = request_id,
        error = format!("{cause:#}"),
        "internal error"
    );
    Error::Internal { request_id }
}
