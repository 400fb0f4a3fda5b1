//! Who is looking, asked once and shared by the whole app.

use domain::accounts::{Me, Membership};
use leptos::prelude::*;

use crate::layout::server::{GetVisit, Visit};
use crate::layout::{Data, load};

/// Asks who is looking and shares the answer.
pub fn provide_visit() {
    provide_context(load(|| GetVisit {}));
}

/// The shared answer.
pub fn use_visit() -> Data<Visit> {
    expect_context()
}

/// The membership in the workspace that the session looks at.
pub fn open_membership(me: &Me) -> Option<&Membership> {
    me.workspaces
        .iter()
        .find(|membership| membership.workspace.id == me.workspace_id)
}
