//! The browser half in parts: a visit loads what its first page needs, and later the rest.
//!
//! `scripts/build.sh` makes a WASM file of each part (docs/decisions/wasm-size.md): what only the
//! pages of one part reach, by its split function, is in that file; all else is in the main one.

use leptos::prelude::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_router::ChooseView;

use crate::pages::agents::{
    AgentHistoryPage, AgentPage, AgentsPage, ImportAgentPage, NewAgentPage,
};
use crate::pages::approvals::ApprovalsPage;
use crate::pages::conversations::{ConversationFilesPage, ConversationPage, ConversationsPage};
use crate::pages::home::HomePage;
use crate::pages::invitations::InvitationPage;
use crate::pages::models::{ConnectionPage, ModelPage, ModelsPage, NewConnectionPage};
use crate::pages::runs::{RunPage, RunsPage};
use crate::pages::set_up::SetUpPage;
use crate::pages::settings::{FirstSettings, SettingsPage};
use crate::pages::sign_in::SignInPage;
use crate::pages::tools::{
    CatalogEntryPage, CatalogPage, NewContainerPage, NewServerPage, ServerPage, ToolsPage,
};
use crate::pages::usage::UsagePage;

/// Pages whose code is loaded together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One conversation.
    Talk,
    /// What happens, the settings, and the pages before the sign-in.
    Watch,
    /// Who answers: agents and models, and the pages around conversations.
    Agents,
    /// Tool servers, and what is seldom done with agents.
    Tools,
}

impl Part {
    /// Every part; what is most likely wanted next comes first.
    #[cfg(feature = "hydrate")]
    const ALL: [Self; 4] = [Self::Talk, Self::Watch, Self::Agents, Self::Tools];

    /// The part with the page at a path.
    pub fn of(path: &str) -> Self {
        let mut names = path.split('/').skip(1);
        let mut name = || names.next().unwrap_or_default();
        match (name(), name(), name()) {
            // Seldom gone to, and large: not what every look at agents loads.
            ("agents", "import", _) | ("agents", _, "versions") | ("tools", ..) => Self::Tools,
            ("conversations", "", _) | ("conversations", _, "files") => Self::Agents,
            ("agents" | "models", ..) => Self::Agents,
            ("conversations", ..) => Self::Talk,
            _ => Self::Watch,
        }
    }

    /// Its name in the build.
    #[cfg(feature = "ssr")]
    pub fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Talk => "talk",
            Self::Agents => "agents",
            Self::Tools => "tools",
        }
    }

    async fn load(self) -> Result<(), SplitLoaderError> {
        match self {
            Self::Watch => load_watch().await,
            Self::Talk => load_talk().await,
            Self::Agents => load_agents().await,
            Self::Tools => load_tools().await,
        }
    }
}

/// Loads the part with the page that is shown.
///
/// # Errors
/// If it cannot be had, as after an update of the server. The page then stays as it was sent.
#[cfg(feature = "hydrate")]
pub async fn load_first() -> Result<(), SplitLoaderError> {
    let path = window().location().pathname().unwrap_or_default();
    Part::of(&path).load().await
}

/// Loads the other parts, so that going to their pages does not wait.
#[cfg(feature = "hydrate")]
pub async fn load_rest() {
    for part in Part::ALL {
        // What cannot be had now is asked for again by the page that needs it.
        let _ = part.load().await;
    }
}

/// A page of some part, loaded when it is gone to.
#[derive(Clone, Copy)]
pub enum Place {
    /// A page of `Part::Watch`.
    Watch(Watch),
    /// A page of `Part::Talk`.
    Talk(Talk),
    /// A page of `Part::Agents`.
    Agents(Agents),
    /// A page of `Part::Tools`.
    Tools(Tools),
}

impl Place {
    fn part(self) -> Part {
        match self {
            Self::Watch(_) => Part::Watch,
            Self::Talk(_) => Part::Talk,
            Self::Agents(_) => Part::Agents,
            Self::Tools(_) => Part::Tools,
        }
    }

    async fn view(self) -> Result<AnyView, SplitLoaderError> {
        match self {
            Self::Watch(page) => watch(page).await,
            Self::Talk(page) => talk(page).await,
            Self::Agents(page) => agents(page).await,
            Self::Tools(page) => tools(page).await,
        }
    }
}

impl ChooseView for Place {
    async fn choose(self) -> AnyView {
        match self.view().await {
            Ok(view) => view,
            Err(_) => leave(),
        }
    }

    async fn preload(&self) {
        let _ = self.part().load().await;
    }
}

/// Goes to the page by a full load: the server may have been updated since this one.
fn leave() -> AnyView {
    let location = leptos_router::hooks::use_location();
    let path = location.pathname.get_untracked();
    let query = location.search.get_untracked();
    let separator = if query.is_empty() { "" } else { "?" };
    // A browser that refuses stays on an empty page.
    let _ = window()
        .location()
        .set_href(&format!("{path}{separator}{query}"));
    ().into_any()
}

/// Pages of `Part::Talk`.
#[derive(Clone, Copy)]
pub enum Talk {
    Conversation,
}

#[wasm_split(talk, wasm_split_path = leptos::wasm_split, preload(load_talk), fallible)]
fn talk(page: Talk) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Talk::Conversation => ConversationPage().into_any(),
    })
}

/// Pages of `Part::Watch`.
#[derive(Clone, Copy)]
pub enum Watch {
    Home,
    Approvals,
    Runs,
    Run,
    Usage,
    FirstSettings,
    Settings,
    SetUp,
    SignIn,
    Invitation,
}

#[wasm_split(watch, wasm_split_path = leptos::wasm_split, preload(load_watch), fallible)]
fn watch(page: Watch) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Watch::Home => HomePage().into_any(),
        Watch::Approvals => ApprovalsPage().into_any(),
        Watch::Runs => RunsPage().into_any(),
        Watch::Run => RunPage().into_any(),
        Watch::Usage => UsagePage().into_any(),
        Watch::FirstSettings => FirstSettings().into_any(),
        Watch::Settings => SettingsPage().into_any(),
        Watch::SetUp => SetUpPage().into_any(),
        Watch::SignIn => SignInPage().into_any(),
        Watch::Invitation => InvitationPage().into_any(),
    })
}

/// Pages of `Part::Agents`.
#[derive(Clone, Copy)]
#[allow(clippy::enum_variant_names, reason = "pages are called so")]
pub enum Agents {
    Agents,
    NewAgent,
    Agent,
    Models,
    NewConnection,
    Model,
    Connection,
    Conversations,
    ConversationFiles,
}

#[wasm_split(agents, wasm_split_path = leptos::wasm_split, preload(load_agents), fallible)]
fn agents(page: Agents) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Agents::Agents => AgentsPage().into_any(),
        Agents::NewAgent => NewAgentPage().into_any(),
        Agents::Agent => AgentPage().into_any(),
        Agents::Models => ModelsPage().into_any(),
        Agents::NewConnection => NewConnectionPage().into_any(),
        Agents::Model => ModelPage().into_any(),
        Agents::Connection => ConnectionPage().into_any(),
        Agents::Conversations => ConversationsPage().into_any(),
        Agents::ConversationFiles => ConversationFilesPage().into_any(),
    })
}

/// Pages of `Part::Tools`.
#[derive(Clone, Copy)]
#[allow(clippy::enum_variant_names, reason = "pages are called so")]
pub enum Tools {
    Tools,
    NewServer,
    NewContainer,
    Catalog,
    CatalogEntry,
    Server,
    ImportAgent,
    AgentHistory,
}

#[wasm_split(tools, wasm_split_path = leptos::wasm_split, preload(load_tools), fallible)]
fn tools(page: Tools) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Tools::Tools => ToolsPage().into_any(),
        Tools::NewServer => NewServerPage().into_any(),
        Tools::NewContainer => NewContainerPage().into_any(),
        Tools::Catalog => CatalogPage().into_any(),
        Tools::CatalogEntry => CatalogEntryPage().into_any(),
        Tools::Server => ServerPage().into_any(),
        Tools::ImportAgent => ImportAgentPage().into_any(),
        Tools::AgentHistory => AgentHistoryPage().into_any(),
    })
}
