//! The decision about one tool call.

use domain::{Action, ApprovalId};
use leptos::prelude::*;
use serde_json::Value;

use crate::layout::may;
use crate::pages::approvals::server::DecideToolCall;
use crate::ui::{ActionForm, FormAction, FormAlert, Icon, when_done};

/// Approve, reject, or approve with other arguments.
#[component]
pub fn ApprovalForm(
    /// The question.
    id: ApprovalId,
    /// What the tool would be called with.
    arguments: Value,
    /// Called when it is decided.
    done: Callback<()>,
) -> impl IntoView {
    if !may(Action::DecideApprovals) {
        return view! {
            <p class="approval-foot text-xs text-ink-3">"Your role does not decide about tool calls."</p>
        }
        .into_any();
    }
    let action = FormAction::<DecideToolCall>::new();
    let errors = action.errors();
    when_done(action.has_succeeded(), move || done.run(()));
    let pending = action.pending();
    let written = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    view! {
        <ActionForm action=action>
            <input type="hidden" name="id" value=id.to_string() />
            <div class="px-3 empty:hidden">
                <FormAlert errors fields=&[] />
            </div>
            <div class="approval-foot">
                <button class="btn btn-primary" name="decision" value="approve" disabled=pending>
                    <Icon name="check" />
                    " Approve once"
                </button>
                <button class="btn btn-secondary" name="decision" value="reject" disabled=pending>
                    "Reject"
                </button>
                <details class="w-full">
                    <summary class="link text-xs w-fit">"Edit arguments or give a reason"</summary>
                    <div class="grid gap-3 mt-3">
                        <label class="grid gap-1">
                            <span class="label">"Arguments, used when you approve"</span>
                            <textarea class="textarea font-mono text-xs" name="arguments" rows="4">
                                {written}
                            </textarea>
                        </label>
                        <label class="grid gap-1">
                            <span class="label">"Reason, told to the agent"</span>
                            <input class="input" name="reason" maxlength="1000" autocomplete="off" />
                        </label>
                    </div>
                </details>
            </div>
        </ActionForm>
    }
    .into_any()
}
