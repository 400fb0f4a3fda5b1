//! Signing in at a server that asks for it, and out again.

use domain::Action;
use domain::mcp_servers::{McpServer, McpServerState};
use leptos::prelude::*;

use crate::layout::may;
use crate::pages::tools::server::{BeginToolServerSignIn, EndToolServerSignIn};
use crate::ui::{
    ActionForm, Callout, FormAction, FormAlert, SubmitButton, Tone, sentence, use_toasts, when_done,
};

/// Says that a server wants somebody to sign in, and begins that; or that somebody has.
#[component]
pub fn SignInPanel(server: McpServer, refresh: Callback<()>) -> impl IntoView {
    let begin = FormAction::<BeginToolServerSignIn>::new();
    let end = FormAction::<EndToolServerSignIn>::new();
    let toasts = use_toasts();
    when_done(end.has_succeeded(), move || {
        toasts.success("Signed out of the server".to_owned());
        refresh.run(());
    });
    let id = server.id.to_string();
    if server.state == McpServerState::SignInNeeded {
        let reason = server.reason.as_deref().map(sentence);
        let button = may(Action::ManageTools).then(|| {
            view! {
                <ActionForm action=begin>
                    <input type="hidden" name="id" value=id.clone() />
                    <SubmitButton class="btn btn-primary" is_busy=begin.pending() icon="external-link">
                        "Sign in"
                    </SubmitButton>
                </ActionForm>
            }
            .into_any()
        });
        return view! {
            <Callout tone=Tone::Warning icon="key-round" class="mb-6">
                <div class="flex flex-wrap items-center justify-between gap-3">
                    <div class="min-w-0">
                        <p class="font-medium">{reason}</p>
                        <p>
                            "The server’s tools work once somebody has signed in there for this workspace. You come back here afterwards."
                        </p>
                    </div>
                    {button}
                </div>
            </Callout>
            <FormAlert errors=begin.errors() fields=&[] />
        }
        .into_any();
    }
    if !server.is_signed_in {
        return ().into_any();
    }
    let button = may(Action::ManageTools).then(|| {
        view! {
            <ActionForm action=end>
                <input type="hidden" name="id" value=id />
                <SubmitButton class="btn btn-secondary" is_busy=end.pending() icon="log-out">
                    "Sign out"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    view! {
        <Callout tone=Tone::Neutral icon="key-round" class="mb-6">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <p class="min-w-0">
                    "Somebody has signed in there for this workspace; the tokens are stored encrypted and renewed by themselves."
                </p>
                {button}
            </div>
        </Callout>
        <FormAlert errors=end.errors() fields=&[] />
    }
    .into_any()
}
