//! The latest versions of an agent.

use domain::{AgentId, Timestamp};
use leptos::prelude::*;

use crate::pages::agents::server::{RestoreVersion, VersionEntry};
use crate::time::Age;
use crate::ui::{ActionForm, Card, FormAction, FormAlert, Pill, SubmitButton, Tone};

/// Marks the version that is used, and the one that is not published yet.
pub(super) fn slot_mark(is_live: bool, is_draft: bool) -> Option<AnyView> {
    let (tone, icon, label) = match (is_live, is_draft) {
        (true, _) => (Tone::Success, "check", "Live"),
        (false, true) => (Tone::Neutral, "square-pen", "Draft"),
        (false, false) => return None,
    };
    Some(view! { <Pill tone icon label class="!h-5" /> }.into_any())
}

/// Versions, newest first; an old one can be restored.
#[component]
pub fn VersionList(
    /// The agent.
    id: AgentId,
    /// Number of the version in use.
    live: u32,
    /// Number of the draft, if there is one.
    draft: Option<u32>,
    /// The latest versions.
    versions: Vec<VersionEntry>,
    /// The server's clock.
    now: Timestamp,
    /// Restores a version.
    restore: FormAction<RestoreVersion>,
    /// Whether nothing can be changed.
    is_fixed: bool,
) -> impl IntoView {
    let errors = restore.errors();
    let row = move |version: VersionEntry| {
        let is_live = version.version == live;
        let is_draft = draft == Some(version.version);
        let mark = slot_mark(is_live, is_draft);
        let button = (!is_live && !is_draft && !is_fixed).then(|| {
            view! {
                <ActionForm action=restore>
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.version.to_string() />
                    <SubmitButton class="btn btn-ghost btn-sm" is_busy=restore.pending()>
                        "Restore"
                    </SubmitButton>
                </ActionForm>
            }
            .into_any()
        });
        view! {
            <li class="flex items-center gap-2 min-h-10 py-1">
                <div class="min-w-0 grow">
                    <p class="flex items-center gap-2">
                        <span class="font-medium tabular-nums">
                            {format!("v{}", version.version)}
                        </span>
                        {mark}
                    </p>
                    <p class="text-xs text-ink-3 truncate">
                        <Age at=version.created_at now />
                        {format!(" · {}", version.author)}
                    </p>
                </div>
                {button}
            </li>
        }
        .into_any()
    };
    view! {
        <Card id="versions-title" title="Versions">
            <div class="px-4 py-2">
                <FormAlert errors fields=&[] />
                <ol>{versions.into_iter().map(row).collect::<Vec<_>>()}</ol>
                <p class="py-2 border-t border-line">
                    <a class="link" href=format!("/agents/{id}/versions")>
                        "What each version changed"
                    </a>
                </p>
            </div>
        </Card>
    }
}
