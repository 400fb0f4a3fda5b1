//! Every page of the dashboard, one line each.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{PossibleRouteMatch, SsrMode, path};

use crate::layout::{Frame, LostPage, provide_visit};
use crate::pages::approvals::provide_approval_news;
use crate::parts::{Agents, Place, Talk, Tools, Watch};
use crate::ui::{ToastRegion, provide_toasts};

/// The whole dashboard.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_visit();
    provide_approval_news();
    let toasts = provide_toasts();
    view! {
        <Title formatter=|page: String| format!("{page} · AgentArea") />
        <Router>
            <Pages />
        </Router>
        <ToastRegion toasts=toasts />
    }
}

// Async: every page is whole without JavaScript, and knows its status before it is sent.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=LostPage>
            <Route path=at(path!("/setup")) view=Place::Watch(Watch::SetUp) ssr=SsrMode::Async />
            <Route path=at(path!("/sign-in")) view=Place::Watch(Watch::SignIn) ssr=SsrMode::Async />
            <Route path=at(path!("/invitations/:token")) view=Place::Watch(Watch::Invitation) ssr=SsrMode::Async />
            <ParentRoute path=at(path!("")) view=Frame ssr=SsrMode::Async>
                <Route path=at(path!("/")) view=Place::Watch(Watch::Home) />
                <Route path=at(path!("/conversations")) view=Place::Agents(Agents::Conversations) />
                <Route path=at(path!("/conversations/:id")) view=Place::Talk(Talk::Conversation) />
                <Route path=at(path!("/conversations/:id/files")) view=Place::Agents(Agents::ConversationFiles) />
                <Route path=at(path!("/agents")) view=Place::Agents(Agents::Agents) />
                <Route path=at(path!("/agents/new")) view=Place::Agents(Agents::NewAgent) />
                <Route path=at(path!("/agents/import")) view=Place::Tools(Tools::ImportAgent) />
                <Route path=at(path!("/agents/:id")) view=Place::Agents(Agents::Agent) />
                <Route path=at(path!("/agents/:id/versions")) view=Place::Tools(Tools::AgentHistory) />
                <Route path=at(path!("/approvals")) view=Place::Watch(Watch::Approvals) />
                <Route path=at(path!("/tools")) view=Place::Tools(Tools::Tools) />
                <Route path=at(path!("/tools/new")) view=Place::Tools(Tools::NewServer) />
                <Route path=at(path!("/tools/new/container")) view=Place::Tools(Tools::NewContainer) />
                <Route path=at(path!("/tools/catalog")) view=Place::Tools(Tools::Catalog) />
                <Route path=at(path!("/tools/catalog/:key")) view=Place::Tools(Tools::CatalogEntry) />
                <Route path=at(path!("/tools/:id")) view=Place::Tools(Tools::Server) />
                <Route path=at(path!("/models")) view=Place::Agents(Agents::Models) />
                <Route path=at(path!("/models/new")) view=Place::Agents(Agents::NewConnection) />
                <Route path=at(path!("/models/model")) view=Place::Agents(Agents::Model) />
                <Route path=at(path!("/models/:id")) view=Place::Agents(Agents::Connection) />
                <Route path=at(path!("/runs")) view=Place::Watch(Watch::Runs) />
                <Route path=at(path!("/runs/:id")) view=Place::Watch(Watch::Run) />
                <Route path=at(path!("/usage")) view=Place::Watch(Watch::Usage) />
                <Route path=at(path!("/settings")) view=Place::Watch(Watch::FirstSettings) />
                <Route path=at(path!("/settings/:section")) view=Place::Watch(Watch::Settings) />
            </ParentRoute>
        </Routes>
    }
    .into_any()
}

/// A path as one type: the machinery of routes is compiled once per type.
fn at(
    path: impl PossibleRouteMatch + Send + Sync + 'static,
) -> Arc<dyn PossibleRouteMatch + Send + Sync> {
    Arc::new(path)
}
