//! The list of connections, and what they offer.

use domain::Action;
use domain::models::{Model, ModelConnection};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::call::call;
use crate::layout::{ListPage, NewButton, load};
use crate::pages::models::catalog::Catalog;
use crate::pages::models::connection_row::ConnectionRow;
use crate::pages::models::server::{ListConnections, ListModels};
use crate::ui::{EmptyCard, on_change};

const NEW: NewButton = NewButton {
    action: Action::ManageModels,
    href: "/models/new",
    label: "Add connection",
    others: &[],
};

/// Connections with their tests, and the models they offer.
#[component]
pub fn ModelsPage() -> impl IntoView {
    let connections = load(|| ListConnections {});
    view! {
        <ListPage
            title="Models"
            lead="Connections to providers. Keys are stored encrypted and never shown again."
            button=NEW
            data=connections
            view=|connections| view! { <Connections connections /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn Connections(connections: Vec<ModelConnection>) -> impl IntoView {
    if connections.is_empty() {
        return view! {
            <EmptyCard
                icon="brain"
                title="No connection yet"
                text="Connect a provider or a server of your own; agents choose a model from it."
                link=NEW.link()
            />
        }
        .into_any();
    }
    // Asking every provider takes seconds, so the page does not wait for it.
    let models = RwSignal::new(None::<Vec<Model>>);
    on_change(move || {
        spawn_local(async move {
            let listed = call(ListModels {})
                .await
                .and_then(|answer| answer.read())
                .unwrap_or_default();
            models.try_set(Some(listed));
        });
    });
    let names = connections
        .iter()
        .map(|connection| (connection.id, connection.name.clone()))
        .collect::<Vec<_>>();
    let rows = connections
        .into_iter()
        .map(|connection| view! { <ConnectionRow connection models /> }.into_any())
        .collect::<Vec<_>>();
    view! {
        <section class="card mb-8" aria-label="Connections">
            <ul class="rows">{rows}</ul>
        </section>
        <Catalog models names />
    }
    .into_any()
}
