//! What is left of a panic: the work it happened in. Loops go on, and so does the process.
//!
//! None of these is an `async fn`: that would hold the work twice, and runs are large.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::Result;

/// Does some work to its end; whether that was a panic.
pub fn panics(work: impl Future<Output = ()>) -> impl Future<Output = bool> {
    unless_panicking(work).map(|done| done.is_none())
}

/// Does some work; gives nothing if it panics. The log has what it panicked at.
pub fn unless_panicking<T>(work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .map(std::result::Result::ok)
}

/// Does one round of a loop. A panic is an error like any other: a loop that ended with it would be
/// missing from a process that seems to be well.
pub fn caught<T>(round: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    unless_panicking(round).map(|done| {
        done.unwrap_or_else(|| Err(anyhow::anyhow!("a panic, which the log has").into()))
    })
}
