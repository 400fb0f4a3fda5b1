//! Theme and sidebar: cookies that the server reads, so that nothing flashes.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use web_sys::HtmlDocument;

use crate::layout::server::{SetTheme, ToggleNav};
use crate::ui::{Icon, Menu};

/// Cookie of the theme.
pub const THEME: &str = "theme";
/// Cookie of the sidebar.
pub const NAV: &str = "nav";

/// Which side of the colours is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// As the system.
    System,
}

impl Theme {
    /// Value of the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::System => "system",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Light => "Light",
            Self::Dark => "Dark",
            Self::System => "As the system",
        }
    }

    fn icon(self) -> &'static str {
        match self {
            Self::Light => "sun",
            Self::Dark => "moon",
            Self::System => "monitor",
        }
    }
}

/// A cookie that keeps a preference for a year.
pub fn preference_cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax")
}

/// Chooses the theme.
#[component]
pub fn ThemeMenu(
    /// Where the list opens.
    place: &'static str,
) -> impl IntoView {
    let item = |theme: Theme| {
        view! {
            <button
                class="menu-item"
                name="theme"
                value=theme.as_str()
                on:click=move |event| {
                    event.prevent_default();
                    apply(THEME, (theme != Theme::System).then_some(theme.as_str()), theme.as_str());
                }
            >
                <Icon name=theme.icon() />
                {theme.label()}
            </button>
        }.into_any()
    };
    let trigger = || {
        view! {
            <Icon name="sun" class="hidden dark:block" />
            <Icon name="moon" class="dark:hidden" />
        }
        .into_any()
    };
    view! {
        <Menu label="Theme" trigger=trigger place=place>
            <form method="post" action=SetTheme::url()>
                {Vec::from([Theme::Light, Theme::Dark, Theme::System].map(item))}
            </form>
        </Menu>
    }
}

/// Folds or unfolds the sidebar.
#[component]
pub fn NavSwitch() -> impl IntoView {
    view! {
        <form method="post" action=ToggleNav::url() class="max-lg:hidden">
            <button
                class="nav-item text-left w-full"
                title="Collapse or expand the sidebar"
                on:click=move |event| {
                    event.prevent_default();
                    let is_rail = root().is_some_and(|root| {
                        root.get_attribute("data-nav").as_deref() == Some("rail")
                    });
                    let value = if is_rail { "full" } else { "rail" };
                    apply(NAV, (!is_rail).then_some("rail"), value);
                }
            >
                <Icon name="panel-left" />
                <span>"Collapse"</span>
            </button>
        </form>
    }
}

fn apply(name: &str, attribute: Option<&str>, value: &str) {
    if let Some(root) = root() {
        let key = format!("data-{name}");
        // Both fail only for names that are no attribute names; ours are.
        let _ = match attribute {
            Some(attribute) => root.set_attribute(&key, attribute),
            None => root.remove_attribute(&key),
        };
    }
    if let Ok(document) = document().dyn_into::<HtmlDocument>() {
        // Where cookies are off the choice lasts until the next page.
        let _ = document.set_cookie(&preference_cookie(name, value));
    }
}

fn root() -> Option<web_sys::Element> {
    document().document_element()
}
