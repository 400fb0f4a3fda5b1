//! Navigation: a column, a rail, or a drawer on narrow screens.

use domain::Action;
use domain::accounts::{Me, Membership};
use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_router::components::A;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::layout::server::{SignOut, Visit};
use crate::layout::{Allowed, NavSwitch, awaited, load_when_done, open_membership, use_visit};
use crate::pages::accounts::server::SwitchWorkspace;
use crate::pages::approvals::PendingBadge;
use crate::ui::{ActionForm, Avatar, FormAction, FormAlert, Icon, Menu, or, when_done};

/// The sidebar.
#[component]
pub fn Sidebar() -> impl IntoView {
    let nav = NodeRef::<html::Aside>::new();
    // The drawer covers the page that its links lead to.
    let on_click = move |event: MouseEvent| {
        let is_link = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok())
            .is_some_and(|target| matches!(target.closest("a"), Ok(Some(_))));
        if let Some(nav) = nav.get_untracked().filter(|_| is_link) {
            // Fails where there is no drawer, which is as well.
            let _ = nav.hide_popover();
        }
    };
    view! {
        <aside class="nav" id="nav" popover="auto" aria-label="Main" node_ref=nav on:click=on_click>
            <div class="nav-head">
                <Workspaces />
            </div>
            <nav aria-label="Pages" class="flex flex-col grow gap-px overflow-y-auto p-2">
                <Allowed action=Action::Converse>
                    <a class="btn btn-secondary mb-2 rail:hidden" href="/conversations">
                        <Icon name="square-pen" />
                        " New conversation"
                    </a>
                </Allowed>
                <NavItem href="/" icon="house" label="Home" />
                <NavItem href="/conversations" icon="messages-square" label="Conversations" />
                <A href="/approvals" attr:class="nav-item" attr:title="Approvals">
                    <Icon name="shield-check" />
                    <span>"Approvals"</span>
                    <PendingBadge />
                </A>
                <h2 class="nav-group">"Build"</h2>
                <NavItem href="/agents" icon="bot" label="Agents" />
                <NavItem href="/tools" icon="wrench" label="Tools" />
                <NavItem href="/models" icon="brain" label="Models" />
                <h2 class="nav-group">"Operate"</h2>
                <NavItem href="/runs" icon="activity" label="Runs" />
                <NavItem href="/usage" icon="chart-column" label="Usage" />
                <NavItem href="/settings" icon="settings" label="Settings" />
            </nav>
            <div class="flex flex-col gap-px p-2 border-t border-line shrink-0">
                <NavSwitch />
                <Account />
            </div>
        </aside>
    }
}

#[component]
fn NavItem(href: &'static str, icon: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <A href=href exact={href == "/"} attr:class="nav-item" attr:title=label>
            <Icon name=icon />
            <span>{label}</span>
        </A>
    }
}

/// The workspace in view, and the way to the others if there are any.
#[component]
fn Workspaces() -> impl IntoView {
    signed_in(|me| {
        let name = open_membership(&me).map(|membership| membership.workspace.name.clone());
        let name = name.unwrap_or_else(|| "AgentArea".to_owned());
        if me.workspaces.len() < 2 {
            return head(name, None);
        }
        let switch = FormAction::<SwitchWorkspace>::new();
        load_when_done(switch.has_succeeded(), "/".to_owned());
        let item = |Membership { workspace, .. }: Membership| {
            let is_open = workspace.id == me.workspace_id;
            view! {
                <button
                    class="menu-item"
                    name="id"
                    value=workspace.id.to_string()
                    aria-current=is_open.then_some("true")
                >
                    <span class="grow truncate max-w-48 text-left">{workspace.name}</span>
                    {is_open.then(|| view! { <Icon name="check" /> }.into_any())}
                </button>
            }
            .into_any()
        };
        let items = me.workspaces.into_iter().map(item).collect::<Vec<_>>();
        view! {
            <Menu
                label=format!("Workspace {name}: go to another")
                class="nav-switch"
                place="left-2 top-full min-w-52"
                trigger=move || head(name.clone(), Some("chevrons-up-down"))
            >
                <p class="menu-label">"Workspaces"</p>
                <ActionForm action=switch>{items}</ActionForm>
                <FormAlert errors=switch.errors() fields=&[] />
            </Menu>
        }
        .into_any()
    })
}

fn head(name: String, icon: Option<&'static str>) -> AnyView {
    view! {
        <span class="nav-mark">
            <Icon name="mark" class="icon-sm" />
        </span>
        <span class="grow truncate text-ink font-semibold wide-only">{name}</span>
        {icon.map(|name| view! { <Icon name class="wide-only text-ink-3" /> }.into_any())}
    }
    .into_any()
}

#[component]
fn Account() -> impl IntoView {
    signed_in(|me| {
        let sign_out = FormAction::<SignOut>::new();
        when_done(sign_out.has_succeeded(), forget_drafts);
        load_when_done(sign_out.has_succeeded(), "/sign-in".to_owned());
        let name = or(&me.user.name, &me.user.email).to_owned();
        let email = me.user.email;
        let id = me.user.id.to_string();
        let shown = name.clone();
        let trigger = move || {
            view! {
                <Avatar id=id.clone() name=shown.clone() class="avatar-sm" />
                <span class="truncate">{shown.clone()}</span>
            }
            .into_any()
        };
        view! {
            <Menu
                label=format!("Account of {name}")
                class="nav-item text-left min-w-0"
                place="left-0 bottom-full mb-1"
                trigger=trigger
            >
                <p class="menu-label truncate max-w-56">{email}</p>
                <a class="menu-item" href="/settings/profile">
                    <Icon name="user" />
                    "Profile"
                </a>
                <ActionForm action=sign_out>
                    <button class="menu-item">
                        <Icon name="log-out" />
                        "Sign out"
                    </button>
                </ActionForm>
            </Menu>
        }
        .into_any()
    })
}

/// What was typed and not sent is not for whoever signs in here next.
fn forget_drafts() {
    if let Ok(Some(storage)) = window().session_storage() {
        // Fails only where nothing is kept.
        let _ = storage.clear();
    }
}

fn signed_in(view: fn(Me) -> AnyView) -> impl IntoView {
    let visit = use_visit();
    awaited(ViewFn::default(), move || {
        Box::pin(async move {
            match visit.await {
                Ok(Visit::SignedIn(me)) => view(*me),
                _ => ().into_any(),
            }
        })
    })
}
