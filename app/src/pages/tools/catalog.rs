//! The catalog: servers that can be added in one step.

use domain::Action;
use domain::containers::{CatalogEntry, CatalogSetting};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::layout::{LoadedPage, Page, PageHead, load};
use crate::pages::tools::choice::choice;
use crate::pages::tools::container_server::{
    AddCatalogEntry, AddCatalogServer, DeleteCatalogEntry, ListCatalog,
};
use crate::pages::tools::form::NameField;
use crate::pages::tools::mark::mark;
use crate::ui::{
    Callout, Card, DeleteDialog, DialogButton, Empty, FieldsForm, FormAction, Icon, LinkRow,
    TextAreaField, Tone, escaped, live,
};

const REMOVE: &str = "remove-entry";

/// Lists the catalog; `?q=` picks.
#[component]
pub fn CatalogPage() -> impl IntoView {
    of_catalog(|entries| view! { <Catalog entries /> }.into_any())
}

/// Fills in a server's settings and adds it.
#[component]
pub fn CatalogEntryPage() -> impl IntoView {
    of_catalog(|entries| view! { <ChosenEntry entries /> }.into_any())
}

fn of_catalog(view: fn(Vec<CatalogEntry>) -> AnyView) -> AnyView {
    let entries = load(|| ListCatalog {});
    view! {
        <LoadedPage
            title="Catalog"
            section="Tools"
            action=Action::ManageTools
            data=entries
            view=view
        />
    }
    .into_any()
}

#[component]
fn Catalog(entries: Vec<CatalogEntry>) -> impl IntoView {
    let query = use_query_map();
    let wanted = move || query.read().get("q").unwrap_or_default();
    let start = wanted();
    let list = live(move || {
        let wanted = wanted().trim().to_lowercase();
        let is_wanted = |entry: &&CatalogEntry| {
            let text = [
                &entry.title,
                &entry.description,
                &entry.category,
                &entry.key,
            ];
            text.iter()
                .any(|text| text.to_lowercase().contains(&wanted))
        };
        let rows = entries
            .iter()
            .filter(is_wanted)
            .map(row)
            .collect::<Vec<_>>();
        if rows.is_empty() {
            return view! {
                <Empty icon="plug" title="Nothing found" text="Add the server by its address or image instead." />
            }
            .into_any();
        }
        view! { <ul class="rows">{rows}</ul> }.into_any()
    });
    view! {
        <Page title="Catalog" section="Tools" href="/tools">
            <div class="page">
                <PageHead
                    title="Catalog"
                    lead="Servers that run here in a container of their own, or that somebody else runs."
                >
                    <form
                        class="max-sm:w-full sm:w-60"
                        method="get"
                        action="/tools/catalog"
                        role="search"
                    >
                        <label class="input-group">
                            <span class="sr-only">"Search the catalog"</span>
                            <Icon name="search" class="icon-sm" />
                            <input
                                class="input"
                                type="search"
                                name="q"
                                value=start
                                placeholder="Search"
                            />
                        </label>
                    </form>
                </PageHead>
                <section class="card mb-6" aria-label="Servers">
                    {list}
                </section>
                <OwnEntry />
            </div>
        </Page>
    }
    .into_any()
}

/// Puts a server into the catalog.
#[component]
fn OwnEntry() -> impl IntoView {
    let action = FormAction::<AddCatalogEntry>::new();
    let errors = action.errors();
    view! {
        <Card id="own" title="Add to this catalog">
            <div class="card-body">
                <FieldsForm action=action fields=&["file"] button="Add to catalog">
                    <TextAreaField
                        id="file"
                        name="file"
                        label="server.json"
                        class="font-mono !text-xs"
                        value=String::new()
                        hint="A file of the official registry: a package of npm or PyPI, an image, or a remote address."
                        field="file"
                        errors
                    />
                </FieldsForm>
            </div>
        </Card>
    }
    .into_any()
}

fn row(entry: &CatalogEntry) -> AnyView {
    let mark = mark("tile", Some(&entry.key));
    let kind = match entry.kind.as_str() {
        "npm" => format!("npm {}", entry.version),
        "pypi" => format!("PyPI {}", entry.version),
        "image" => "Image".to_owned(),
        _ => "Hosted".to_owned(),
    };
    let end = view! { <span class="tag shrink-0">{kind}</span> }.into_any();
    view! {
        <LinkRow
            mark
            href=format!("/tools/catalog/{}", entry.key)
            title=entry.title.clone()
            detail=entry.description.clone().into_any()
            end=Some(end)
        />
    }
    .into_any()
}

#[component]
fn ChosenEntry(entries: Vec<CatalogEntry>) -> impl IntoView {
    let key = use_params_map()
        .read_untracked()
        .get("key")
        .unwrap_or_default();
    match entries.into_iter().find(|entry| entry.key == key) {
        Some(entry) => view! { <EntryForm entry /> }.into_any(),
        None => view! {
            <Page title="Catalog" section="Tools" href="/tools/catalog">
                <div class="page">
                    <Callout tone=Tone::Neutral icon="info">
                        <p>"The catalog has no such server."</p>
                    </Callout>
                </div>
            </Page>
        }
        .into_any(),
    }
}

#[component]
fn EntryForm(entry: CatalogEntry) -> impl IntoView {
    let action = FormAction::<AddCatalogServer>::new();
    let errors = action.errors();
    let settings = entry.settings.iter().map(field).collect::<Vec<_>>();
    let reach = match (entry.kind.as_str(), entry.egress.join(", ")) {
        ("remote", _) => {
            "Somebody else runs it; what you send to it leaves this server.".to_owned()
        }
        (_, hosts) if hosts.is_empty() => {
            "It runs here in a container and may reach nobody.".to_owned()
        }
        (_, hosts) => format!("It runs here in a container and may reach {hosts}."),
    };
    let name = entry.key.clone();
    let remove = entry.is_own.then(|| {
        view! {
            <DialogButton dialog=REMOVE class="btn btn-danger-quiet btn-sm mb-2">
                "Take out of the catalog"
            </DialogButton>
            <DeleteDialog
                id=REMOVE
                title="Take it out of the catalog?"
                text="Servers that were made of it stay."
                button="Take out"
                action=DeleteCatalogEntry::url()
                thing=entry.key.clone()
            />
        }
        .into_any()
    });
    let separator = if entry.licence.is_empty() { "" } else { " · " };
    let about = (!entry.homepage.is_empty()).then(|| {
        view! {
            <a class="link" href=entry.homepage rel="noopener noreferrer">
                "About it"
            </a>
            " · "
        }
        .into_any()
    });
    view! {
        <Page title=entry.title.clone() section="Catalog" href="/tools/catalog">
            <div class="page">
                <div class="flex items-center gap-3 mb-2">
                    {mark("tile", Some(&entry.key))} <h1 class="page-title">{entry.title.clone()}</h1>
                </div>
                {remove}
                <p class="page-lead mb-1">{entry.description}</p>
                <p class="text-ink-3 mb-5">
                    {entry.licence} {separator} {entry.version} " · " {about} {reach}
                </p>
                <FieldsForm
                    action=action
                    fields=&["name"]
                    button="Add server"
                    back="/tools/catalog"
                >
                    <input type="hidden" name="key" value=entry.key />
                    <NameField value=name placeholder="" errors />
                    {settings}
                </FieldsForm>
            </div>
        </Page>
    }
    .into_any()
}

fn field(setting: &CatalogSetting) -> AnyView {
    let id = format!("setting-{}", setting.name);
    let note = if setting.is_required { "" } else { "Optional" };
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>
                <span class="font-mono text-xs">{setting.name.clone()}</span>
                <small>{note}</small>
            </label>
            {control(id, setting)}
            <p class="field-hint">{setting.description.clone()}</p>
        </div>
    }
    .into_any()
}

fn control(id: String, setting: &CatalogSetting) -> AnyView {
    let name = format!("values[{}]", setting.name);
    let required = setting.is_required;
    let value = setting.default.clone().unwrap_or_default();
    if setting.kind == "lines" {
        return view! {
            <textarea
                class="textarea"
                id=id
                name=name
                required=required
                inner_html=escaped(&value)
            ></textarea>
        }
        .into_any();
    }
    if !setting.choices.is_empty() {
        return choice(id, name, setting.choices.clone(), &value, required);
    }
    let kind = match (setting.is_secret, setting.kind.as_str()) {
        (true, _) => "password",
        (_, "url") => "url",
        _ => "text",
    };
    view! {
        <input
            class="input"
            id=id
            type=kind
            name=name
            value=value
            required=required
            autocomplete="off"
        />
    }
    .into_any()
}
