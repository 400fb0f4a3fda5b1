//! One tool server: how it is, its tools, trying them, its settings.

use domain::mcp_servers::{McpOffer, McpServer, McpServerSource, McpServerState, McpToolState};
use domain::{Action, McpServerId, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::call::call;
use crate::layout::{Loaded, Page, PageSkeleton, load_by_id, may};
use crate::pages::tools::changed::ChangedTool;
use crate::pages::tools::container::ContainerCards;
use crate::pages::tools::container_form::ContainerSettingsCard;
use crate::pages::tools::container_server::ContainerDetail;
use crate::pages::tools::form::{FIELDS, ServerFields, SignInClientFields};
use crate::pages::tools::headers::HeaderRows;
use crate::pages::tools::mark::mark;
use crate::pages::tools::server::{
    ChangeToolServer, DeleteToolServer, GetToolServer, RestartToolServer, ServerDetail,
};
use crate::pages::tools::sign_in::SignInPanel;
use crate::pages::tools::state::{place, quarantine_pill, state_pill};
use crate::pages::tools::tool_list::ToolList;
use crate::pages::tools::trial::Trial;
use crate::time::{Age, AsOf};
use crate::ui::{
    self, ActionForm, Callout, Card, DeleteDialog, DialogButton, FieldsForm, FormAction, FormAlert,
    Icon, SubmitButton, Tone, live, sentence, use_toasts, when_done,
};

const DELETE: &str = "delete-server";

/// Shows and changes a server.
#[component]
pub fn ServerPage() -> impl IntoView {
    let data = load_by_id(|id: McpServerId| GetToolServer {
        id,
        is_glance: false,
    });
    let refresh = Callback::new(move |()| data.refetch());
    view! {
        <Loaded
            section="Tools"
            data=data
            fallback=|| view! { <PageSkeleton title="Server" section="Tools" /> }
            view=move |AsOf { now, value }| {
                view! { <Server detail=value now refresh /> }.into_any()
            }
        />
    }
    .into_any()
}

#[component]
fn Server(detail: ServerDetail, now: Timestamp, refresh: Callback<()>) -> impl IntoView {
    let ServerDetail {
        server,
        tools,
        container,
    } = detail;
    let id = server.id;
    let changed = tools
        .iter()
        .filter(|tool| tool.state == McpToolState::Quarantined)
        .cloned()
        .map(|tool| view! { <ChangedTool server=id tool refresh /> }.into_any())
        .collect::<Vec<_>>();
    let trial = may(Action::BuildAgents)
        .then(|| view! { <Trial server=id tools=tools.clone() /> }.into_any());
    let offers = offers(&server);
    let seen = container.map(|detail| RwSignal::new((detail, now)));
    let shown = RwSignal::new((server.clone(), now));
    follow(shown, seen, refresh);
    let container = server.source.container().cloned().zip(seen);
    let container = container.map(|(settings, seen)| {
        view! { <ContainerCards server=id settings seen refresh /> }.into_any()
    });
    let settings = may(Action::ManageTools)
        .then(|| view! { <Settings server=server.clone() refresh /> }.into_any());
    view! {
        <Page title=server.name.clone() section="Tools" href="/tools">
            <div class="page">
                <Head server=server.clone() shown refresh />
                <SignInPanel server refresh />
                {changed}
                <div class="grid gap-6 lg:grid-cols-[minmax(0,1fr)_24rem] items-start [&>*]:min-w-0 mb-6">
                    <ToolList server=id tools />
                    {trial}
                </div>
                {offers}
                {container}
                {settings}
            </div>
        </Page>
    }
    .into_any()
}

/// Looks at the server again and again while its page is shown. What was typed on the page stays;
/// all of it is read again only when a server that was starting has come to its tools.
fn follow(
    shown: RwSignal<(McpServer, Timestamp)>,
    seen: Option<RwSignal<(ContainerDetail, Timestamp)>>,
    refresh: Callback<()>,
) {
    let ask = move || {
        let id = shown.with_untracked(|shown| shown.0.id);
        call(GetToolServer {
            id,
            is_glance: true,
        })
    };
    ui::follow(5, ask, move |answer| {
        let Ok(AsOf { now, value }) = answer.read::<AsOf<ServerDetail>>() else {
            return;
        };
        if let (Some(seen), Some(detail)) = (seen, value.container) {
            seen.set((detail, now));
        }
        let was = shown.with_untracked(|shown| (shown.0.state, shown.0.tool_count));
        let is = (value.server.state, value.server.tool_count);
        if was == is {
            return;
        }
        let has_come = was.0.is_passing() && !is.0.is_passing();
        shown.set((value.server, now));
        if has_come || was.1 != is.1 {
            refresh.run(());
        }
    });
}

#[component]
fn Head(
    server: McpServer,
    shown: RwSignal<(McpServer, Timestamp)>,
    refresh: Callback<()>,
) -> impl IntoView {
    let restart = FormAction::<RestartToolServer>::new();
    let toasts = use_toasts();
    when_done(restart.has_succeeded(), move || {
        toasts.success("Asked for its tools again".to_owned());
        refresh.run(());
    });
    let id = server.id.to_string();
    let place = place(&server.source);
    let thing = id.clone();
    let question = format!("Delete {}?", server.name);
    let buttons = may(Action::ManageTools).then(|| {
        view! {
            <div class="toolbar">
                <ActionForm action=restart>
                    <input type="hidden" name="id" value=id />
                    <SubmitButton
                        class="btn btn-secondary"
                        is_busy=restart.pending()
                        icon="rotate-cw"
                    >
                        "Restart"
                    </SubmitButton>
                </ActionForm>
                <DialogButton dialog=DELETE class="btn btn-danger-quiet">
                    <Icon name="trash-2" />
                    " Delete"
                </DialogButton>
            </div>
            <DeleteDialog
                id=DELETE
                title=question
                text="Its tools and secrets are deleted too. A server whose tools an agent uses cannot be deleted."
                button="Delete server"
                action=DeleteToolServer::url()
                thing
            />
        }
        .into_any()
    });
    let since = live(move || {
        let (at, now) = shown.with(|shown| (shown.0.state_since, shown.1));
        view! { <Age at now /> }.into_any()
    });
    let facts = [
        server.title.clone(),
        server.protocol_version.clone().map(|v| format!("MCP {v}")),
    ];
    let facts = facts
        .into_iter()
        .flatten()
        .map(|fact| format!("{fact} · "))
        .collect::<String>();
    view! {
        <header class="page-head">
            <div class="flex items-start gap-3 grow min-w-0 basis-80">
                {mark("tile tile-lg", server.source.catalog())}
                <div class="min-w-0">
                    <div class="flex flex-wrap items-center gap-2">
                        <h1 class="page-title">{server.name.clone()}</h1>
                        {live(move || shown.with(|shown| state_pill(shown.0.state)))}
                        {quarantine_pill(&server)}
                    </div>
                    <p class="page-lead [overflow-wrap:anywhere]">
                        {facts} <span class="font-mono text-xs">{place}</span> " · since "
                        {since}
                    </p>
                </div>
            </div>
            {buttons}
        </header>
        <FormAlert errors=restart.errors() fields=&[] />
        {live(move || shown.with(|shown| told(&shown.0)))}
    }
    .into_any()
}

/// Why it is not ready.
fn told(server: &McpServer) -> AnyView {
    let (tone, icon) = match server.state {
        McpServerState::Unhealthy => (Tone::Warning, "circle-alert"),
        state if state.is_passing() => (Tone::Neutral, "info"),
        _ => (Tone::Danger, "circle-x"),
    };
    let text = match &server.reason {
        // What keeps people from signing in stands where they do that.
        _ if server.state == McpServerState::SignInNeeded => return ().into_any(),
        Some(reason) => sentence(reason),
        None if server.state.is_passing() => "The server takes its time.".into(),
        None => return ().into_any(),
    };
    view! {
        <Callout tone icon class="mb-6">
            <p>{text}</p>
        </Callout>
    }
    .into_any()
}

#[component]
fn Settings(server: McpServer, refresh: Callback<()>) -> impl IntoView {
    let action = FormAction::<ChangeToolServer>::new();
    let errors = action.errors();
    let toasts = use_toasts();
    when_done(action.has_succeeded(), move || {
        toasts.success("Saved".to_owned());
        refresh.run(());
    });
    let McpServerSource::Remote(remote) = server.source else {
        return view! { <ContainerSettingsCard server refresh /> }.into_any();
    };
    view! {
        <Card id="settings" title="Settings">
            <div class="card-body">
                <FieldsForm action=action fields=FIELDS button="Save">
                    <input type="hidden" name="id" value=server.id.to_string() />
                    <ServerFields name=server.name url=remote.url errors />
                    <HeaderRows stored=remote.header_names errors />
                    <SignInClientFields id=remote.sign_in_client_id.unwrap_or_default() errors />
                </FieldsForm>
            </div>
        </Card>
    }
    .into_any()
}

/// What the server offers besides tools; nothing if that is nothing.
fn offers(server: &McpServer) -> Option<AnyView> {
    let offers = &server.offers;
    if offers.prompts.is_empty() && offers.resources.is_empty() {
        return None;
    }
    let view = view! {
        <div class="grid gap-6 lg:grid-cols-2 items-start [&>*]:min-w-0 mb-6">
            {offer_card("prompts", "Prompts", &offers.prompts)}
            {offer_card("resources", "Resources", &offers.resources)}
            {offer_card("templates", "Resource templates", &offers.templates)}
        </div>
    };
    Some(view.into_any())
}

fn offer_card(id: &'static str, title: &'static str, offers: &[McpOffer]) -> Option<AnyView> {
    if offers.is_empty() {
        return None;
    }
    let rows = offers.iter().cloned().map(offer_row).collect::<Vec<_>>();
    let card = view! {
        <Card id title>
            <ul class="rows">{rows}</ul>
        </Card>
    };
    Some(card.into_any())
}

fn offer_row(offer: McpOffer) -> AnyView {
    view! {
        <li class="!items-start">
            <div class="min-w-0 grow">
                <p class="font-mono text-xs [overflow-wrap:anywhere]">{offer.name}</p>
                <p class="text-xs text-ink-3 [overflow-wrap:anywhere]">{offer.description}</p>
            </div>
        </li>
    }
    .into_any()
}
