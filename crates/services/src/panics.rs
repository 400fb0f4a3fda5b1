//! What is left of a panic: the work it happened in. Loops go on, and so does the process.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// Does some work to its end; whether that was a panic.
pub(crate) async fn panics(work: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(work).catch_unwind().await.is_err()
}

/// Does one round of a loop. A panic is an error like any other: a loop that ended with it would be
/// missing from a process that seems to be well.
pub(crate) async fn caught<T>(round: impl Future<Output = store::Result<T>>) -> store::Result<T> {
    match AssertUnwindSafe(round).catch_unwind().await {
        Ok(done) => done,
        Err(_) => Err(anyhow::anyhow!("a panic, which the log has").into()),
    }
}
