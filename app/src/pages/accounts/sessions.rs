//! Browsers that are signed in.

use domain::Action;
use leptos::prelude::*;

use crate::layout::{Loaded, load_page};
use crate::pages::accounts::server::{EndOtherSessions, EndSession, ListSessions};
use crate::pages::settings::{Entry, Listing, Rows, entry_row};
use crate::ui::{
    ActionForm, FormAction, FormAlert, Icon, SkeletonRows, SubmitButton, use_toasts, when_done,
};

/// The sessions page of the settings.
pub fn sessions(action: Action) -> AnyView {
    let data = load_page(|after| ListSessions { after });
    let toasts = use_toasts();
    let end = FormAction::<EndSession>::new();
    let end_others = FormAction::<EndOtherSessions>::new();
    when_done(end.has_succeeded(), move || {
        toasts.success("Signed out");
        data.refetch();
    });
    when_done(end_others.has_succeeded(), move || {
        toasts.success("Every other browser is signed out");
        data.refetch();
    });
    let view = move |listing| list(listing, end, end_others);
    view! {
        <FormAlert errors=end.errors() fields=&[] />
        <FormAlert errors=end_others.errors() fields=&[] />
        <Loaded data action fallback=|| view! { <SkeletonRows /> }.into_any() view />
    }
    .into_any()
}

fn list(
    listing: Listing,
    end: FormAction<EndSession>,
    end_others: FormAction<EndOtherSessions>,
) -> AnyView {
    let others = listing
        .entries
        .iter()
        .any(|entry| entry.is_removable)
        .then(|| {
            view! {
                <div class="mt-4">
                    <ActionForm action=end_others>
                        <SubmitButton
                            class="btn btn-danger-quiet"
                            icon="log-out"
                            is_busy=end_others.pending()
                        >
                            "Sign out every other browser"
                        </SubmitButton>
                    </ActionForm>
                </div>
            }
            .into_any()
        });
    let rows = listing
        .entries
        .into_iter()
        .map(|entry| row(entry, end))
        .collect();
    view! {
        <Rows
            label="Signed-in browsers"
            rows
            empty=("monitor", "Nothing here", "Go back to the newest.")
            path="/settings/sessions"
            next=listing.next
        />
        {others}
    }
    .into_any()
}

fn row(entry: Entry, end: FormAction<EndSession>) -> AnyView {
    let mark = view! {
        <span class="tile" aria-hidden="true">
            <Icon name="monitor" />
        </span>
    }
    .into_any();
    let id = entry.id.clone();
    let button = entry.is_removable.then(|| {
        view! {
            <ActionForm action=end>
                <input type="hidden" name="id" value=id />
                <SubmitButton class="btn btn-secondary btn-sm" is_busy=end.pending()>
                    "Sign out"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    entry_row(mark.into_any(), entry, button.into_any())
}
