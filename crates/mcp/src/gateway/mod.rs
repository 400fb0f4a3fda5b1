//! The gateway: one tool server that shows its caller the tools, prompts and resources of others.
//!
//! Any process can answer any request: what a caller may use comes with each request as a
//! [`Caller`]. Clients of 2025 also get a session ([`sessions`]) so that they can be told and asked.

mod asking;
mod call;
mod in_session;
mod listing;
mod notices;
mod parked;
mod serving;
mod sessions;
mod straight;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::listing::{Listing, PAGE, ShownServer, URI_PREFIX, long_uri};
pub use self::serving::Gateway;
pub use self::sessions::GatewayService;
use crate::ask::{Answer, Ask, LogLine};
use crate::connection::Progress;
use crate::error::CallError;
use crate::following::Following;
use crate::question::Question;

/// Resources that one client can follow at once.
const MAX_FOLLOWED: usize = 50;

/// Whoever calls, and what they may use.
#[async_trait]
pub trait GatewayCaller: Send + Sync {
    /// What the caller may use, from memory or the database.
    ///
    /// # Errors
    /// In words for the caller.
    async fn list(&self) -> Result<Listing, String>;

    /// Asks the server that has what is asked for, by the name in the listing.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn ask(&self, ask: Ask, hearing: Hearing<'_>) -> Result<Answer, CallError>;

    /// Follows a resource, by its URI in the listing.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn follow(&self, uri: &str) -> Result<Followed, CallError>;

    /// Raised whenever the listing may be another.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Returns when the caller's access ends or changes. Safe to cancel.
    async fn access_ends(&self);

    /// Who it is, and which gateway they use: sessions are not shared with others.
    fn identity(&self) -> String;
}

/// A resource that is followed, and what keeps the connection for that.
pub struct Followed {
    /// Tells of changes.
    pub following: Following,
    /// Dropped with it.
    pub held: Box<dyn Send + Sync>,
}

/// How the caller of one request is kept informed.
#[derive(Clone, Copy)]
pub struct Hearing<'a> {
    /// Ends the request.
    pub cancel: &'a CancellationToken,
    /// Is told of each step, if the caller wants that; must not block.
    pub on_progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
    /// Is told what the server logs, if the caller wants that; must not block.
    pub on_log: Option<&'a (dyn Fn(LogLine) + Send + Sync)>,
    /// Is given what a server of 2025 asks back, if the caller's client can be asked; must not block.
    pub on_question: Option<&'a (dyn Fn(Question) + Send + Sync)>,
}

/// The caller of one request, among the request's extensions.
#[derive(Clone)]
pub struct Caller(pub Arc<dyn GatewayCaller>);
