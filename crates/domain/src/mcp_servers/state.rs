//! How a tool server is, and what may follow.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a tool server is.
///
/// ```text
/// connecting ───► ready ◄──► unhealthy ──► failed ───► (next call) ready
///      │            ▲  │                     ▲ │
///      ├────────────┼──┼─────────────────────┘ │
///      └──► sign_in_needed ◄───────────────────┘       (restart) connecting
/// ```
///
/// A container goes `requested → building → starting → ready`, is `asleep` while nobody uses it
/// and starts again with the next call, and is `stopped` when a person said so. Without an engine it
/// is `requested` again. What may follow what says [`McpServerState::can_become`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum McpServerState {
    /// It is being asked for its tools.
    Connecting,
    /// Its container is to be made; the reason says what it waits for, if it has to.
    Requested,
    /// Its image is being fetched or built.
    Building,
    /// Its container starts.
    Starting,
    /// It answered the last time.
    Ready,
    /// It is connected and does not answer; the reason says why. It is started anew by itself.
    Unhealthy,
    /// It wants a person to sign in before it answers.
    SignInNeeded,
    /// It did not; the reason says why. It is tried again with the next call, or by itself if its
    /// container ended.
    Failed,
    /// Its container was ended because nobody used it; the next call starts it again.
    Asleep,
    /// A person stopped it; calls fail until it is restarted.
    Stopped,
}

/// What a person wants of a tool server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DesiredState {
    /// Its tools answer. Its container may sleep while nobody calls them.
    #[default]
    Running,
    /// Its container does not run until a person restarts it.
    Stopped,
}

impl DesiredState {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl FromStr for DesiredState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Running, Self::Stopped]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("nobody can want a tool server to be {text:?}"))
    }
}

impl McpServerState {
    const ALL: [Self; 10] = [
        Self::Connecting,
        Self::Requested,
        Self::Building,
        Self::Starting,
        Self::Ready,
        Self::Unhealthy,
        Self::SignInNeeded,
        Self::Failed,
        Self::Asleep,
        Self::Stopped,
    ];

    /// Whether a server in this state may be found in another next. Staying is always fine.
    ///
    /// A person's wish (restart) is no observation and asks nobody. Whether it may be found stopped
    /// is up to what is desired ([`DesiredState`]).
    pub fn can_become(self, next: Self) -> bool {
        use McpServerState as S;
        self == next
            || next == S::Stopped
            || match self {
                // Only a person wakes it.
                S::Stopped => false,
                S::Connecting => matches!(next, S::Ready | S::SignInNeeded | S::Failed),
                S::SignInNeeded => matches!(next, S::Ready | S::Failed),
                // From here on whatever a container may be: what it runs on may go away any time.
                _ if next == S::Requested => true,
                // An image that is known needs no building, and another process may be further.
                S::Requested => matches!(next, S::Building | S::Starting | S::Ready | S::Failed),
                S::Building => matches!(next, S::Starting | S::Ready | S::Failed),
                // Who was starting it may have died: another process begins again.
                S::Starting => matches!(next, S::Building | S::Ready | S::Failed),
                // Its owner may have died: another process starts it from the beginning.
                S::Ready | S::Unhealthy => next != S::Connecting,
                S::Failed => matches!(next, S::Ready | S::SignInNeeded | S::Building | S::Starting),
                S::Asleep => matches!(next, S::Ready | S::Building | S::Starting | S::Failed),
            }
    }

    /// The states that may come before this one.
    pub fn before(self) -> Vec<Self> {
        let may = |state: &Self| state.can_become(self);
        Self::ALL.into_iter().filter(may).collect()
    }

    /// Whether it will be ready or failed by itself in a moment.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::Requested | Self::Building | Self::Starting
        )
    }

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Requested => "requested",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::SignInNeeded => "sign_in_needed",
            Self::Failed => "failed",
            Self::Asleep => "asleep",
            Self::Stopped => "stopped",
        }
    }
}

impl FromStr for McpServerState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("no state of a tool server is called {text:?}"))
    }
}
