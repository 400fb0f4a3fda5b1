//! Where the cause of a failed run is mended.

use domain::{Action, AgentId};
use leptos::prelude::*;

use crate::layout::may;

/// The link for whoever may; nothing for others.
pub fn way_out(kind: &str, agent_id: AgentId) -> Option<AnyView> {
    let (action, href, words) = match kind {
        "budget" => (
            Action::ManageWorkspace,
            "/usage".into(),
            "Change the budget",
        ),
        "limit" | "time_limit" | "loop" | "output_schema" => (
            Action::BuildAgents,
            format!("/agents/{agent_id}"),
            "Change the agent",
        ),
        _ => (Action::Read, "/models".into(), "Check the models"),
    };
    may(action).then(|| {
        view! {
            <a class="link" href=href>
                {words}
            </a>
        }
        .into_any()
    })
}
