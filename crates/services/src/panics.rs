//! What is left of a panic: the work it happened in. Loops go on, and so does the process.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// Does some work to its end; whether that was a panic.
pub(crate) async fn panics(work: impl Future<Output = ()>) -> bool {
    unless_panicking(work).await.is_none()
}

/// Does some work; gives nothing if it panics. The log has what it panicked at.
pub(crate) async fn unless_panicking<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// Does one round of a loop. A panic is an error like any other: a loop that ended with it would be
/// missing from a process that seems to be well.
pub(crate) async fn caught<T>(round: impl Future<Output = store::Result<T>>) -> store::Result<T> {
    let done = unless_panicking(round).await;
    done.unwrap_or_else(|| Err(anyhow::anyhow!("a panic, which the log has").into()))
}
