//! What a key may be used for, in words.

use domain::Action;
use leptos::prelude::*;

use crate::layout::may;

/// An action in words.
pub fn label(action: Action) -> &'static str {
    match action {
        Action::Read => "Read",
        Action::Converse => "Converse",
        Action::DecideApprovals => "Decide approvals",
        Action::BuildAgents => "Build agents",
        Action::ManageModels => "Manage models",
        Action::ManageTools => "Manage tools",
        Action::ManageMembers => "Manage members",
        Action::ManageWorkspace => "Manage the workspace",
        Action::ReadAudit => "Read the audit log",
        Action::CreateWorkspaces => "Create workspaces",
        Action::ManageOwnApiKeys => "Manage own API keys",
        Action::ManageOwnAccount => "Manage own account",
    }
}

/// Everything, or a choice of what whoever looks may do.
pub fn scope_fields() -> AnyView {
    let check = |action: Action| {
        let is_given = action == Action::Read;
        view! {
            <label class="check">
                <input
                    class="checkbox"
                    type="checkbox"
                    name="scopes[]"
                    value=action.as_str()
                    checked=is_given
                    disabled=is_given
                />
                {label(action)}
            </label>
        }
        .into_any()
    };
    let checks = Action::ALL
        .into_iter()
        .filter(|action| action.is_for_keys() && may(*action))
        .map(check)
        .collect::<Vec<_>>();
    view! {
        <fieldset class="grid gap-2">
            <legend class="field-label mb-2">"What it may do"</legend>
            {reach("false", true, "Everything that I may, now and later")}
            {reach("true", false, "Only what I choose")}
            <div class="on-limit grid gap-2 sm:grid-cols-2 pl-6">{checks}</div>
        </fieldset>
    }
    .into_any()
}

fn reach(value: &'static str, is_first: bool, label: &'static str) -> AnyView {
    view! {
        <label class="check">
            <input class="radio" type="radio" name="is_limited" value=value checked=is_first />
            {label}
        </label>
    }
    .into_any()
}
