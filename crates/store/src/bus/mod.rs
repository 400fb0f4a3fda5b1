//! Live fan-out: from the worker that writes to the clients that watch.
//!
//! The log is the truth. The bus only makes it quick, so it may drop frames: a watcher that falls
//! behind reads the log.

mod memory;

pub use memory::{Bus, Frame, Publisher, Subscription};
