//! Every page of the dashboard, one line each.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::layout::{Frame, LostPage, provide_visit};
use crate::pages::agents::{
    AgentHistoryPage, AgentPage, AgentsPage, ImportAgentPage, NewAgentPage,
};
use crate::pages::approvals::ApprovalsPage;
use crate::pages::conversations::{
    ConversationFilesPage, ConversationPage, ConversationsPage,
};
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
use crate::ui::{ToastRegion, provide_toasts};

/// The whole dashboard.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_visit();
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
            <Route path=path!("/setup") view=SetUpPage ssr=SsrMode::Async />
            <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
            <Route path=path!("/invitations/:token") view=InvitationPage ssr=SsrMode::Async />
            <ParentRoute path=path!("") view=Frame ssr=SsrMode::Async>
                <Route path=path!("/") view=HomePage />
                <Route path=path!("/conversations") view=ConversationsPage />
                <Route path=path!("/conversations/:id") view=ConversationPage />
                <Route path=path!("/conversations/:id/files") view=ConversationFilesPage />
                <Route path=path!("/agents") view=AgentsPage />
                <Route path=path!("/agents/new") view=NewAgentPage />
                <Route path=path!("/agents/import") view=ImportAgentPage />
                <Route path=path!("/agents/:id") view=AgentPage />
                <Route path=path!("/agents/:id/versions") view=AgentHistoryPage />
                <Route path=path!("/approvals") view=ApprovalsPage />
                <Route path=path!("/tools") view=ToolsPage />
                <Route path=path!("/tools/new") view=NewServerPage />
                <Route path=path!("/tools/new/container") view=NewContainerPage />
                <Route path=path!("/tools/catalog") view=CatalogPage />
                <Route path=path!("/tools/catalog/:key") view=CatalogEntryPage />
                <Route path=path!("/tools/:id") view=ServerPage />
                <Route path=path!("/models") view=ModelsPage />
                <Route path=path!("/models/new") view=NewConnectionPage />
                <Route path=path!("/models/model") view=ModelPage />
                <Route path=path!("/models/:id") view=ConnectionPage />
                <Route path=path!("/runs") view=RunsPage />
                <Route path=path!("/runs/:id") view=RunPage />
                <Route path=path!("/usage") view=UsagePage />
                <Route path=path!("/settings") view=FirstSettings />
                <Route path=path!("/settings/:section") view=SettingsPage />
            </ParentRoute>
        </Routes>
    }
    .into_any()
}
