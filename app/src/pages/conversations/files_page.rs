//! The files of a conversation: what its agent keeps there, and what people attached.

use domain::ConversationId;
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageHead, PageSkeleton, load_by_id};
use crate::pages::conversations::server::{ConversationFiles, ListConversationFiles};
use crate::pages::settings::{Entry, Rows, entry_row};
use crate::ui::Icon;

/// The list, with a link to each file.
#[component]
pub fn ConversationFilesPage() -> impl IntoView {
    let files = load_by_id(|id: ConversationId| ListConversationFiles { id });
    view! {
        <Loaded
            section="Conversations"
            data=files
            fallback=|| view! { <PageSkeleton title="Files" section="Conversations" /> }.into_any()
            view=list
        />
    }
    .into_any()
}

fn list(files: ConversationFiles) -> AnyView {
    let ConversationFiles { back, title, files } = files;
    let rows = files.into_iter().map(row).collect();
    view! {
        <Page title="Files" section="Conversations">
            <div class="page">
                <PageHead title="Files" lead="What the agent keeps in this conversation, and what people attached.">
                    <a class="btn btn-secondary min-w-0" href=back>
                        <Icon name="arrow-left" />
                        <span class="truncate">{title}</span>
                    </a>
                </PageHead>
                <Rows
                    label="Files"
                    rows
                    empty=(
                        "file-text",
                        "No files yet",
                        "Attach some to a message, or give the agent the tool “Write files”.",
                    )
                    path=""
                />
            </div>
        </Page>
    }
    .into_any()
}

fn row(file: Entry) -> AnyView {
    let address = format!("/api/v1/files/{}", file.id);
    let label = format!("Download {}", file.title);
    let mark = view! {
        <span class="tile" aria-hidden="true">
            <Icon name="file-text" />
        </span>
    }
    .into_any();
    let end = view! {
        <a class="btn btn-ghost btn-sm" href=address download="" rel="external" aria-label=label>
            <Icon name="download" />
            " Download"
        </a>
    }
    .into_any();
    entry_row(mark, file, end)
}
