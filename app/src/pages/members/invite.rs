//! Open invitations, and the form that makes one.

use leptos::prelude::*;

use crate::pages::members::page::role_options;
use crate::pages::members::server::{Invite, WithdrawInvitation};
use crate::pages::settings::{Entry, Rows, entry_row};
use crate::ui::{
    ActionForm, FieldsForm, FormAction, FormAlert, Icon, NeedsScript, Section, SelectField,
    ShownOnce, SubmitButton, TextField, reset_form, use_toasts, when_done,
};

/// The forms; they outlive the lists, which are read again after each change.
#[derive(Clone, Copy)]
pub struct Inviting {
    invite: FormAction<Invite>,
    withdraw: FormAction<WithdrawInvitation>,
}

impl Inviting {
    /// Calls `refresh` after each change.
    pub fn new(refresh: Callback<()>) -> Self {
        let invite = FormAction::<Invite>::new();
        let withdraw = FormAction::<WithdrawInvitation>::new();
        let toasts = use_toasts();
        when_done(invite.has_succeeded(), move || {
            reset_form("email");
            refresh.run(());
        });
        when_done(withdraw.has_succeeded(), move || {
            toasts.success("Invitation taken back");
            refresh.run(());
        });
        Self { invite, withdraw }
    }
}

/// Open invitations and the form; `roles` are those that may be given.
pub fn invitations(open: Vec<Entry>, roles: Vec<String>, inviting: Inviting) -> AnyView {
    let Inviting { invite, withdraw } = inviting;
    let errors = invite.errors();
    let rows = open.into_iter().map(|entry| row(entry, withdraw)).collect();
    view! {
        <h2 class="section-title mt-8 mb-3">"Open invitations"</h2>
        <FormAlert errors=withdraw.errors() fields=&[] />
        <Rows
            label="Open invitations"
            rows
            empty=("mail", "No open invitations", "An invitation stays open for seven days.")
            path="/settings/members"
        />
        <div class="mt-8">
            <Section title="Invite somebody" lead="You get a link to send. Who opens it joins with the role you choose.">
                <NeedsScript text="The link of an invitation is shown once, which needs JavaScript. Turn it on for this page, or invite over the REST API: POST /api/v1/invitations." />
                <div class="needs-script grid gap-4">
                    <FieldsForm action=invite fields=&["email", "role"] button="Create invitation">
                        <div class="grid gap-4 sm:grid-cols-[minmax(0,1fr)_10rem]">
                            <TextField
                                id="email"
                                label="E-mail"
                                kind="email"
                                required=true
                                errors
                            />
                            <SelectField id="role" label="Role" errors>
                                {role_options(roles, "member")}
                            </SelectField>
                        </div>
                    </FieldsForm>
                    <ShownOnce
                        id="invitation-link"
                        label="Link of the invitation"
                        text="Send this link to the person. It works for seven days and will not be shown again."
                        value=invite.value()
                    />
                </div>
            </Section>
        </div>
    }
    .into_any()
}

fn row(entry: Entry, withdraw: FormAction<WithdrawInvitation>) -> AnyView {
    let mark = view! {
        <span class="tile" aria-hidden="true">
            <Icon name="mail" />
        </span>
    }
    .into_any();
    let id = entry.id.clone();
    let end = view! {
        <ActionForm action=withdraw>
            <input type="hidden" name="id" value=id />
            <SubmitButton class="btn btn-ghost btn-sm" is_busy=withdraw.pending()>
                "Take back"
            </SubmitButton>
        </ActionForm>
    }
    .into_any();
    entry_row(mark.into_any(), entry, end.into_any())
}
