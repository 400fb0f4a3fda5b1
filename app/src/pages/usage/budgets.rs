//! What may be spent: budgets with their meters, and the forms that set them.

use domain::Action;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{Loaded, load_page, may};
use crate::pages::settings::Entry;
use crate::pages::usage::server::{
    BudgetList, ChangeBudget, CreateBudget, DeleteBudget, ListBudgets, WHOLE_WORKSPACE,
};
use crate::ui::{
    ActionForm, DeleteDialog, DialogButton, FieldsForm, FormAction, FormAlert, Pager, SelectField,
    SkeletonRows, SubmitButton, TextField, reset_form, use_toasts, when_done,
};

/// The card of budgets.
pub fn budgets() -> AnyView {
    let data = load_page(|after| ListBudgets { after });
    let refresh = Callback::new(move |()| data.refetch());
    let create = FormAction::<CreateBudget>::new();
    let change = FormAction::<ChangeBudget>::new();
    let toasts = use_toasts();
    when_done(create.has_succeeded(), move || {
        reset_form("limit");
        refresh.run(());
    });
    when_done(change.has_succeeded(), move || {
        toasts.success("Budget changed");
        refresh.run(());
    });
    // Where the dialog that deletes is a plain form, its error comes back with the page.
    let refused = FormAction::<DeleteBudget>::new();
    let view = move |list| card(list, create, change, refresh);
    view! {
        <FormAlert errors=refused.errors() fields=&[] />
        <Loaded data fallback=|| view! { <SkeletonRows /> }.into_any() view />
    }
    .into_any()
}

fn card(
    list: BudgetList,
    create: FormAction<CreateBudget>,
    change: FormAction<ChangeBudget>,
    refresh: Callback<()>,
) -> AnyView {
    let BudgetList {
        budgets,
        agents,
        next,
    } = list;
    let may_set = may(Action::ManageWorkspace);
    let rows: Vec<AnyView> = budgets
        .into_iter()
        .map(|budget| row(budget, may_set.then_some((change, refresh))))
        .collect();
    let rows = if rows.is_empty() {
        view! {
            <p class="card-body text-ink-3">
                "No budgets. With one, the call that would spend more is refused before it is made."
            </p>
        }
        .into_any()
    } else {
        view! { <ul class="rows">{rows}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="budgets">
            <header class="card-head">
                <h2 class="card-title grow" id="budgets">
                    "Budgets"
                </h2>
            </header>
            <FormAlert errors=change.errors() fields=&[] />
            {rows}
            <Pager path="/usage" next />
            {may_set.then(|| form(agents, create))}
        </section>
    }
    .into_any()
}

fn form(agents: Vec<(String, String)>, create: FormAction<CreateBudget>) -> AnyView {
    let errors = create.errors();
    let option =
        |(id, name): (String, String)| view! { <option value=id>{name}</option> }.into_any();
    let agents = agents.into_iter().map(option).collect::<Vec<_>>();
    view! {
        <div class="card-body border-t border-line">
            <FieldsForm action=create fields=&["agent_id", "period", "limit"] button="Set budget">
                <div class="grid gap-4 sm:grid-cols-[minmax(0,1fr)_9rem_9rem]">
                    <SelectField id="agent_id" label="For" errors>
                        <option value=WHOLE_WORKSPACE>"Whole workspace"</option>
                        {agents}
                    </SelectField>
                    <SelectField id="period" label="Every" errors>
                        <option value="month">"Month"</option>
                        <option value="day">"Day"</option>
                    </SelectField>
                    <TextField
                        id="limit"
                        label="Limit"
                        affix="USD"
                        inputmode="decimal"
                        placeholder="25.00"
                        required=true
                        errors
                    />
                </div>
            </FieldsForm>
        </div>
    }
    .into_any()
}

/// A budget: its meter, and for those who may set it the forms that change and lift it.
fn row(budget: Entry, forms: Option<(FormAction<ChangeBudget>, Callback<()>)>) -> AnyView {
    let Entry {
        id,
        title,
        note,
        detail,
        state,
        ..
    } = budget;
    let percent: u64 = state.parse().unwrap_or_default();
    let class = match percent {
        0..80 => "meter",
        80..100 => "meter meter-warning",
        _ => "meter meter-danger",
    };
    let width = percent.min(100).to_string();
    let forms = forms.map(|(change, refresh)| row_forms(id, &title, &note, change, refresh));
    view! {
        <li class="max-sm:flex-wrap">
            <div class="min-w-0 grow basis-60 grid gap-1.5">
                <div class="flex flex-wrap items-baseline gap-x-2">
                    <span class="min-w-0 font-medium truncate">{title.clone()}</span>
                    <span class="text-xs text-ink-3 grow max-sm:order-last max-sm:basis-full">
                        {note}
                    </span>
                    <span class="ml-auto whitespace-nowrap tabular-nums">{detail}</span>
                </div>
                <svg
                    class=class
                    role="meter"
                    aria-valuemin="0"
                    aria-valuemax="100"
                    aria-valuenow=width.clone()
                    aria-label=title
                >
                    <rect width=format!("{width}%") />
                </svg>
            </div>
            {forms}
        </li>
    }
    .into_any()
}

fn row_forms(
    id: String,
    title: &str,
    note: &str,
    change: FormAction<ChangeBudget>,
    refresh: Callback<()>,
) -> AnyView {
    let name = format!("{title}, {note}");
    let dialog = format!("lift-{id}");
    let label = format!("New limit of {name}, USD");
    let question = format!("Lift the budget of {name}?");
    let thing = id.clone();
    view! {
        <div class="flex items-center gap-1">
            <ActionForm action=change>
                <input type="hidden" name="id" value=id />
                <div class="flex items-center gap-1">
                    <input
                        class="input input-sm !w-28"
                        name="limit"
                        inputmode="decimal"
                        placeholder="New limit"
                        required
                        autocomplete="off"
                        aria-label=label
                    />
                    <SubmitButton class="btn btn-secondary btn-sm" is_busy=change.pending()>
                        "Save"
                    </SubmitButton>
                </div>
            </ActionForm>
            <DialogButton dialog=dialog.clone() class="btn btn-ghost btn-sm">
                "Lift"
                <span class="sr-only">" " {name}</span>
            </DialogButton>
        </div>
        <DeleteDialog
            id=dialog
            title=question
            text="Model calls are no longer refused because of it. What was spent stays in the ledger."
            button="Lift budget"
            action=DeleteBudget::url()
            thing
            done=refresh
        />
    }
    .into_any()
}
