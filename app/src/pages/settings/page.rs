//! The frame of the settings: a list of pages beside the one that is open.

use domain::{Action, Error};
use leptos::prelude::*;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_params_map;

use crate::layout::{Failure, Page, PageHead, awaited, may_soon, use_visit};
use crate::pages::accounts::{profile, sessions, workspace};
use crate::pages::api_keys::api_keys;
use crate::pages::audit::audit;
use crate::pages::members::members;
use crate::ui::{Icon, live};

/// One page of the settings.
struct Section {
    /// Last part of the address.
    name: &'static str,
    icon: &'static str,
    title: &'static str,
    lead: &'static str,
    /// What it is for; who may not do it does not see it.
    action: Action,
    view: fn(Action) -> AnyView,
}

/// Those about the person.
const YOU: [Section; 3] = [
    Section {
        name: "profile",
        icon: "user",
        title: "Profile",
        lead: "How others see you, and how you sign in.",
        action: Action::ManageOwnAccount,
        view: profile,
    },
    Section {
        name: "sessions",
        icon: "monitor",
        title: "Sessions",
        lead: "Browsers that are signed in to your account. An hour without use ends a session.",
        action: Action::ManageOwnAccount,
        view: sessions,
    },
    Section {
        name: "api-keys",
        icon: "key-round",
        title: "API keys",
        lead: "For programs that use the REST API as you, in this workspace. Each is stored as a hash.",
        action: Action::ManageOwnApiKeys,
        view: api_keys,
    },
];

/// Those about the workspace.
const WORKSPACE: [Section; 3] = [
    Section {
        name: "workspace",
        icon: "building-2",
        title: "Workspace",
        lead: "Its name, and further workspaces.",
        action: Action::ManageWorkspace,
        view: workspace,
    },
    Section {
        name: "members",
        icon: "users",
        title: "Members",
        lead: "Roles count in this workspace only. A change ends that person’s live streams within seconds.",
        action: Action::Read,
        view: members,
    },
    Section {
        name: "audit",
        icon: "scroll-text",
        title: "Audit",
        lead: "Who changed what, and what was refused. Nothing changes or deletes a line.",
        action: Action::ReadAudit,
        view: audit,
    },
];

/// Leads to the first page of the settings.
#[component]
pub fn FirstSettings() -> impl IntoView {
    view! { <Redirect path="/settings/profile" /> }.into_any()
}

/// The page that the address names.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("section")));
    live(move || {
        let name = name.get().unwrap_or_default();
        let section = YOU
            .iter()
            .chain(&WORKSPACE)
            .find(|section| section.name == name);
        settings(section)
    })
}

fn settings(open: Option<&'static Section>) -> AnyView {
    let title = open.map_or("Not found", |section| section.title);
    let name = open.map_or("", |section| section.name);
    let content = match open {
        Some(section) => view! {
            <PageHead title lead=section.lead />
            <div class="[&>.callout]:mb-4">{(section.view)(section.action)}</div>
        }
        .into_any(),
        None => view! { <Failure error=Error::NotFound /> }.into_any(),
    };
    view! {
        <Page title section="Settings" href="/settings">
            <div class="page !max-w-6xl grid gap-6 lg:gap-10 lg:grid-cols-[12rem_minmax(0,1fr)] items-start [&>*]:min-w-0">
                <nav class="settings-nav" aria-label="Settings">
                    {links("You", &YOU, name)} {links("Workspace", &WORKSPACE, name)}
                </nav>
                <div>{content}</div>
            </div>
        </Page>
    }
    .into_any()
}

/// The pages of one group that whoever looks may open.
fn links(group: &'static str, sections: &'static [Section], open: &'static str) -> AnyView {
    let visit = use_visit();
    awaited(ViewFn::default(), move || {
        Box::pin(async move {
            let link = |section: &'static Section| {
                view! {
                    <a
                        class="nav-item"
                        href=format!("/settings/{}", section.name)
                        aria-current=(section.name == open).then_some("page")
                    >
                        <Icon name=section.icon />
                        <span>{section.title}</span>
                    </a>
                }
                .into_any()
            };
            let may = may_soon(visit).await;
            let links = sections
                .iter()
                .filter(|section| may(section.action))
                .map(link)
                .collect::<Vec<_>>();
            view! {
                <h2 class="group-title">{group}</h2>
                {links}
            }
            .into_any()
        })
    })
}
