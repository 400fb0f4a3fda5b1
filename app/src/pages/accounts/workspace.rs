//! The workspace's name, and further workspaces.

use domain::Action;
use domain::accounts::Membership;
use leptos::prelude::*;

use crate::layout::server::Visit;
use crate::layout::{Loaded, load_when_done, may, open_membership, use_visit};
use crate::pages::accounts::server::{CreateWorkspace, RenameWorkspace};
use crate::ui::{FieldsForm, FormAction, Section, SkeletonRows, TextField, use_toasts, when_done};

/// The workspace page of the settings.
pub fn workspace(action: Action) -> AnyView {
    let visit = use_visit();
    let toasts = use_toasts();
    let rename = FormAction::<RenameWorkspace>::new();
    let create = FormAction::<CreateWorkspace>::new();
    when_done(rename.has_succeeded(), move || {
        toasts.success("Workspace renamed");
        visit.refetch();
    });
    load_when_done(create.has_succeeded(), "/".to_owned());
    let view = move |visit| {
        let open = match visit {
            Visit::SignedIn(me) => open_membership(&me).cloned(),
            Visit::First | Visit::SignedOut => None,
        };
        open.map(|open| forms(open, rename, create)).into_any()
    };
    view! { <Loaded data=visit action fallback=|| view! { <SkeletonRows /> }.into_any() view /> }
        .into_any()
}

fn forms(
    open: Membership,
    rename: FormAction<RenameWorkspace>,
    create: FormAction<CreateWorkspace>,
) -> AnyView {
    let new = may(Action::CreateWorkspaces).then(|| {
        view! {
            <Section
                title="New workspace"
                lead="It has members, agents, models and keys of its own, and you as its owner. You go there at once."
            >
                <FieldsForm action=create fields=&["name"] button="Create workspace">
                    <TextField
                        id="new_name"
                        name="name"
                        label="Name of the new workspace"
                        required=true
                        errors=create.errors()
                        field="name"
                    />
                </FieldsForm>
            </Section>
        }.into_any()
    });
    view! {
        <Section title="This workspace">
            <FieldsForm action=rename fields=&["name"] button="Rename">
                <input type="hidden" name="id" value=open.workspace.id.to_string() />
                <TextField
                    id="name"
                    label="Name"
                    value=open.workspace.name
                    hint="A team or project. Everybody in it sees the name."
                    required=true
                    errors=rename.errors()
                />
            </FieldsForm>
        </Section>
        {new}
    }
    .into_any()
}
