//! Server function of the home page.

use domain::Error;
use domain::conversations::Conversation;
use domain::runs::RunSummary;
#[cfg(feature = "ssr")]
use domain::{Page, agents::AgentFilter, conversations::ConversationFilter};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::time::AsOf;

/// What the home page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Whether a model is connected.
    pub has_connection: bool,
    /// Whether there is an agent.
    pub has_agent: bool,
    /// The latest conversations.
    pub conversations: Vec<Conversation>,
    /// The latest runs.
    pub runs: Vec<RunSummary>,
}

/// The latest of everything.
#[server]
pub async fn get_overview() -> Result<AsOf<Overview>, Error> {
    let platform = crate::context::platform()?;
    let value = Overview {
        has_connection: !platform
            .list_model_connections(Page::first(1))
            .await?
            .items
            .is_empty(),
        has_agent: !platform
            .list_agents(AgentFilter::default(), Page::first(1))
            .await?
            .items
            .is_empty(),
        conversations: platform
            .list_conversations(ConversationFilter::default(), Page::first(6))
            .await?
            .items,
        runs: platform.list_runs(Page::first(20)).await?.items,
    };
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}
