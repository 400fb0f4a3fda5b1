//! Every route of `router.rs`, in words and types. A test compares the two.
//!
//! To add a route: one line in its group. Types of bodies and answers derive `utoipa::ToSchema`
//! under the feature `openapi` of `domain`, as all types there do.

mod agents;
mod conversations;
mod operations;
mod people;
mod tools;

use super::route::Route;

/// The routes, by what they are about.
pub(super) fn routes() -> Vec<Route> {
    [
        people::accounts(),
        people::workspaces(),
        people::api_keys(),
        agents::models(),
        agents::agents(),
        conversations::conversations(),
        tools::mcp_servers(),
        conversations::approvals(),
        conversations::runs(),
        operations::usage(),
        conversations::files(),
        operations::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
