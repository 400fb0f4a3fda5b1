//! Navigation: a column, a rail, or a drawer on narrow screens.

use domain::Action;
use domain::accounts::Me;
use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_router::components::A;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::layout::server::{SignOut, Visit};
use crate::layout::{Allowed, NavSwitch, load_when_done, use_visit};
use crate::ui::{ActionForm, Avatar, FormAction, Icon, Menu};

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
            <WorkspaceName />
            <nav aria-label="Pages" class="flex flex-col grow gap-px overflow-y-auto p-2">
                <Allowed action=Action::Converse>
                    <a class="btn btn-secondary mb-2 rail:hidden" href="/conversations">
                        <Icon name="square-pen" />
                        " New conversation"
                    </a>
                </Allowed>
                <NavItem href="/" icon="house" label="Home" />
                <NavItem href="/conversations" icon="messages-square" label="Conversations" />
                <h2 class="nav-group">"Build"</h2>
                <NavItem href="/agents" icon="bot" label="Agents" />
                <NavItem href="/models" icon="brain" label="Models" />
                <h2 class="nav-group">"Operate"</h2>
                <NavItem href="/runs" icon="activity" label="Runs" />
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

#[component]
fn WorkspaceName() -> impl IntoView {
    let name = signed_in(|me| {
        let name = me
            .workspaces
            .into_iter()
            .find(|membership| membership.workspace.id == me.workspace_id)
            .map(|membership| membership.workspace.name);
        view! {
            <span class="truncate text-ink font-semibold wide-only">
                {name.unwrap_or_else(|| "AgentArea".to_owned())}
            </span>
        }
        .into_any()
    });
    view! {
        <div class="flex items-center gap-2.5 h-(--bar-height) px-4 rail:px-3 rail:justify-center border-b border-line shrink-0">
            <span class="nav-mark">
                <Icon name="mark" class="icon-sm" />
            </span>
            {name}
        </div>
    }
}

#[component]
fn Account() -> impl IntoView {
    signed_in(|me| {
        let sign_out = FormAction::<SignOut>::new();
        load_when_done(sign_out.has_succeeded(), "/sign-in".to_owned());
        let email = me.user.email;
        let id = me.user.id.to_string();
        let shown = email.clone();
        let trigger = move || {
            view! {
                <Avatar id=id.clone() name=shown.clone() class="avatar-sm" />
                <span class="truncate">{shown.clone()}</span>
            }
        };
        view! {
            <Menu
                label=format!("Account of {email}")
                class="nav-item text-left min-w-0"
                place="left-0 bottom-full mb-1"
                trigger=trigger
            >
                <p class="menu-label truncate max-w-56">{email}</p>
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

fn signed_in(view: fn(Me) -> AnyView) -> impl IntoView {
    let visit = use_visit();
    let body = move || {
        Suspend::new(async move {
            match visit.await {
                Ok(Visit::SignedIn(me)) => view(*me),
                _ => ().into_any(),
            }
        })
    };
    view! { <Transition>{body}</Transition> }
}
