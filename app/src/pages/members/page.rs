//! The list of members.

use domain::Action;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{Loaded, load_page, load_page_at, use_visit};
use crate::pages::members::invite::{Inviting, invitations};
use crate::pages::members::server::{ChangeRole, GetTeam, RemoveMember, Team};
use crate::pages::settings::{Entry, Rows, entry_row};
use crate::ui::{
    ActionForm, Avatar, DeleteDialog, DialogButton, FormAction, FormAlert, Icon, SkeletonRows,
    SubmitButton, capitalized, use_toasts, when_done,
};

const PATH: &str = "/settings/members";
const LEAVE: &str = "leave-workspace";

/// The members page of the settings.
pub fn members(action: Action) -> AnyView {
    let data = load_page(|after| GetTeam { after });
    let refresh = Callback::new(move |()| data.refetch());
    let change = FormAction::<ChangeRole>::new();
    let inviting = Inviting::new(refresh);
    let toasts = use_toasts();
    when_done(change.has_succeeded(), move || {
        toasts.success("Role changed");
        refresh.run(());
    });
    // Where the dialog that removes is a plain form, its error comes back with the page.
    let refused = FormAction::<RemoveMember>::new();
    let view = move |team| list(team, change, inviting);
    view! {
        <FormAlert errors=change.errors() fields=&[] />
        <FormAlert errors=refused.errors() fields=&[] />
        <Loaded data action fallback=|| view! { <SkeletonRows /> }.into_any() view />
    }
    .into_any()
}

fn list(team: Team, change: FormAction<ChangeRole>, inviting: Inviting) -> AnyView {
    let Team {
        members,
        invitations: open,
        roles,
        me,
    } = team;
    let rows = members
        .entries
        .into_iter()
        .map(|entry| row(entry, change))
        .collect();
    let visit = use_visit();
    // Whatever the person may see now, it is not this.
    let gone = Callback::new(move |()| {
        visit.refetch();
        load_page_at("/");
    });
    view! {
        <Rows
            label="Members"
            rows
            empty=("users", "Nobody here", "Go back to the newest.")
            path=PATH
            next=members.next
        />
        {(!roles.is_empty()).then(|| invitations(open, roles, inviting))}
        <div class="mt-8 pt-6 border-t border-line">
            <DialogButton dialog=LEAVE class="btn btn-danger-quiet">
                <Icon name="log-out" />
                " Leave this workspace"
            </DialogButton>
        </div>
        <DeleteDialog
            id=LEAVE
            title="Leave this workspace?"
            text="You lose access at once, and your API keys here are deleted. Only an invitation brings you back."
            button="Leave workspace"
            action=RemoveMember::url()
            thing=me
            done=gone
        />
    }
    .into_any()
}

fn row(mut entry: Entry, change: FormAction<ChangeRole>) -> AnyView {
    let roles = std::mem::take(&mut entry.tags);
    let Entry { id, title, .. } = entry.clone();
    let mark = view! { <Avatar id=id.clone() name=title.clone() /> }.into_any();
    let removal = entry
        .is_removable
        .then(|| removal(id.clone(), title.clone()));
    let role = if roles.is_empty() {
        view! { <span class="sm:w-28 sm:px-2 sm:mr-17 text-ink-2">{capitalized(&entry.state)}</span> }
            .into_any()
    } else {
        role_form(id, &title, &entry.state, roles, change)
    };
    let end = view! { {role} {removal} }.into_any();
    entry_row(mark, entry, end)
}

/// Chooses a role; the button appears with another choice.
fn role_form(
    id: String,
    name: &str,
    role: &str,
    roles: Vec<String>,
    change: FormAction<ChangeRole>,
) -> AnyView {
    let label = format!("Role of {name}");
    let options = role_options(roles, role);
    view! {
        <ActionForm action=change>
            <input type="hidden" name="id" value=id />
            <div class="flex items-center gap-1">
                <select class="select select-sm select-quiet !w-28" name="role" aria-label=label>
                    {options}
                </select>
                <SubmitButton class="btn btn-primary btn-sm on-choice" is_busy=change.pending()>
                    "Save"
                </SubmitButton>
            </div>
        </ActionForm>
    }
    .into_any()
}

/// Options of a choice of roles.
pub fn role_options(roles: Vec<String>, chosen: &str) -> Vec<AnyView> {
    let option = |role: String| {
        let word = capitalized(&role);
        view! {
            <option selected=role == chosen value=role>
                {word}
            </option>
        }
        .into_any()
    };
    roles.into_iter().map(option).collect()
}

fn removal(id: String, name: String) -> AnyView {
    // Rows that move up would keep the roles chosen in the rows before.
    let gone = Callback::new(|()| load_page_at(PATH));
    let dialog = format!("remove-{id}");
    let question = format!("Remove {name}?");
    view! {
        <DialogButton dialog=dialog.clone() class="btn btn-ghost btn-sm">
            "Remove"
            <span class="sr-only">" " {name}</span>
        </DialogButton>
        <DeleteDialog
            id=dialog
            title=question
            text="Access to this workspace ends at once, and the person’s API keys here are deleted. What they made stays."
            button="Remove member"
            action=RemoveMember::url()
            thing=id
            done=gone
        />
    }
    .into_any()
}
