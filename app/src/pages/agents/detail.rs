//! Showing and editing an agent.

use domain::{Action, AgentId, Timestamp};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::address::encode;
use crate::layout::{Loaded, Page, PageSkeleton, load_by_id, may};
use crate::pages::agents::fields::{AgentFields, FIELDS};
use crate::pages::agents::server::{
    AgentChoices, AgentDetail, AgentHead, DeleteAgent, DiscardDraft, DuplicateAgent, GetAgent,
    RestoreVersion, SaveAgent,
};
use crate::pages::agents::versions::VersionList;
use crate::pages::conversations::StartButton;
use crate::time::AsOf;
use crate::ui::{
    ActionForm, Avatar, Callout, DeleteDialog, DialogButton, FormAction, FormAlert, Icon,
    SubmitButton, Tone, focus_first_error, on_change, reset_form, use_toasts,
};

const DELETE: &str = "delete-agent";

/// Shows and edits an agent.
#[component]
pub fn AgentPage() -> impl IntoView {
    let data = load_by_id(|id: AgentId| GetAgent { id });
    let refresh = Callback::new(move |()| data.refetch());
    view! {
        <Loaded
            section="Agents"
            data=data
            fallback=skeleton
            view=move |AsOf { now, value }| {
                view! { <EditAgent detail=value now refresh /> }.into_any()
            }
        />
    }
    .into_any()
}

fn skeleton() -> impl IntoView {
    view! { <PageSkeleton title="Agent" section="Agents" /> }
}

#[component]
fn EditAgent(detail: AgentDetail, now: Timestamp, refresh: Callback<()>) -> impl IntoView {
    let AgentDetail {
        agent,
        form: start,
        versions,
        choices: AgentChoices {
            connections,
            servers,
        },
    } = detail;
    let save = FormAction::<SaveAgent>::new();
    let restore = FormAction::<RestoreVersion>::new();
    let errors = save.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    let toasts = use_toasts();
    let announce = move |version: u32, is_live: bool| {
        toasts.success(match is_live {
            true => format!("Version {version} is live"),
            false => format!("Version {version} is a draft"),
        });
        refresh.run(());
    };
    on_change(move || {
        if let Some(Ok(saved)) = save.value().get() {
            announce(saved.version, saved.is_live);
        }
    });
    on_change(move || {
        if let Some(Ok(version)) = restore.value().get() {
            // Fields that were typed into would keep their text instead of the restored one.
            reset_form("instructions");
            announce(version, true);
        }
    });
    let is_fixed = agent.is_archived || !may(Action::BuildAgents);
    let AgentHead {
        id, live, draft, ..
    } = agent;
    let bar = (!is_fixed).then(|| {
        let newest = versions.first().map_or(live, |newest| newest.version);
        let text = format!(
            "Saving makes version {}; running answers stay on theirs.",
            newest + 1
        );
        view! {
            <SaveBar text=text class="">
                <SubmitButton
                    class="btn btn-secondary"
                    is_busy=save.pending()
                    attr:name="is_draft"
                    attr:value="true"
                >
                    "Save draft"
                </SubmitButton>
                <SubmitButton is_busy=save.pending()>"Publish"</SubmitButton>
            </SaveBar>
        }
        .into_any()
    });
    let note = draft.map(|version| draft_note(id, version, live, is_fixed, refresh));
    view! {
        <Page title=agent.name.clone() section="Agents" href="/agents">
            <div class="page !pb-0">
                {agent_head(agent)}
                {note}
            </div>
            <div class="page !pt-0 grid gap-8 xl:gap-12 xl:grid-cols-[minmax(0,1fr)_21rem] items-start [&>*]:min-w-0">
                <ActionForm action=save>
                    <input type="hidden" name="id" value=id.to_string() />
                    <div class="max-w-(--container-form)" node_ref=form>
                        <FormAlert errors fields=FIELDS />
                        <fieldset disabled=is_fixed>
                            <AgentFields form=start connections servers errors />
                        </fieldset>
                        {bar}
                    </div>
                </ActionForm>
                <aside class="grid gap-6 xl:sticky xl:top-18" aria-label="History">
                    <VersionList id live draft versions now restore is_fixed />
                </aside>
            </div>
        </Page>
    }
}

/// Says that the form shows a draft, and what can be done with that.
fn draft_note(
    id: AgentId,
    version: u32,
    live: u32,
    is_fixed: bool,
    refresh: Callback<()>,
) -> AnyView {
    let discard = FormAction::<DiscardDraft>::new();
    on_change(move || {
        if discard.has_succeeded().get() {
            reset_form("instructions");
            refresh.run(());
        }
    });
    let deeds = (!is_fixed).then(|| {
        view! {
            <div class="toolbar mt-2">
                <StartButton agent_id=id draft=true />
                <ActionForm action=discard>
                    <input type="hidden" name="id" value=id.to_string() />
                    <SubmitButton class="btn btn-ghost" is_busy=discard.pending()>
                        "Discard draft"
                    </SubmitButton>
                </ActionForm>
            </div>
        }
        .into_any()
    });
    view! {
        <Callout tone=Tone::Neutral icon="info" class="mb-4">
            <p>
                <strong>{format!("This is a draft, version {version}. ")}</strong>
                {format!("Conversations use version {live} until it is published.")}
            </p>
            {deeds}
        </Callout>
        <FormAlert errors=discard.errors() fields=&[] />
    }
    .into_any()
}

fn agent_head(agent: AgentHead) -> AnyView {
    let AgentHead {
        name, is_archived, ..
    } = agent;
    let lead = format!("Version {} is live", agent.live);
    let archived = is_archived.then(|| {
        view! {
            <Callout tone=Tone::Warning icon="info" class="mb-4">
                <p>
                    <strong>"This agent was deleted. "</strong>
                    "Its conversations stay readable; new messages are refused."
                </p>
            </Callout>
        }
        .into_any()
    });
    let is_deletable = !is_archived && may(Action::BuildAgents);
    let delete = is_deletable.then(|| {
        view! {
            <DialogButton dialog=DELETE class="btn btn-danger-quiet">
                <Icon name="trash-2" />
                " Delete"
            </DialogButton>
        }
        .into_any()
    });
    let dialog = is_deletable.then(|| {
        view! {
            <DeleteDialog
                id=DELETE
                title=format!("Delete {name}?")
                text="Its conversations stay readable, but nobody can write to it any more."
                button="Delete agent"
                action=DeleteAgent::url()
                thing=agent.id.to_string()
            />
        }
        .into_any()
    });
    let copy = FormAction::<DuplicateAgent>::new();
    let duplicate = is_deletable.then(|| {
        view! {
            <ActionForm action=copy>
                <input type="hidden" name="id" value=agent.id.to_string() />
                <SubmitButton class="btn btn-secondary" icon="copy" is_busy=copy.pending()>
                    "Duplicate"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    let tags = agent
        .tags
        .iter()
        .map(|tag| {
            view! {
                <a
                    class="tag no-underline hover:bg-hover"
                    href=format!("/agents?tag={}", encode(tag))
                >
                    {tag.clone()}
                </a>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    let start = (!is_archived && may(Action::Converse))
        .then(|| view! { <StartButton agent_id=agent.id /> }.into_any());
    view! {
        <header class="page-head">
            <div class="flex items-center gap-3 grow min-w-0 basis-72">
                <Avatar
                    id=agent.id.to_string()
                    name=name.clone()
                    class="avatar-agent avatar-lg"
                />
                <div class="min-w-0">
                    <h1 class="page-title">{name}</h1>
                    <p class="page-lead flex flex-wrap items-center gap-1.5">{lead} {tags}</p>
                </div>
            </div>
            <div class="toolbar">
                {start} {duplicate}
                <a
                    class="btn btn-secondary"
                    href=format!("/api/v1/agents/{}/export", agent.id)
                    download
                    rel="external"
                >
                    <Icon name="download" />
                    " Export"
                </a>
                {delete}
            </div>
        </header>
        <FormAlert errors=copy.errors() fields=&[] />
        {archived}
        {dialog}
    }
    .into_any()
}

/// Stays at the end of the window and says what saving does.
#[component]
pub(super) fn SaveBar(
    #[prop(into)] text: String,
    /// Padding that lines it up with the fields.
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <footer class=format!(
            "sticky bottom-0 z-10 flex flex-wrap items-center gap-x-3 gap-y-2 py-2.5 border-t border-line bg-surface {class}",
        )>
            <p class="grow min-w-0 basis-32 text-ink-3">{text}</p>
            {children()}
        </footer>
    }
}
