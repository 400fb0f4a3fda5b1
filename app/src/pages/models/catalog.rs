//! The models that the connections offer.

use domain::ConnectionId;
use domain::models::Model;
use leptos::prelude::*;

use crate::ui::{LabelledIcon, grouped, live};

/// A table of all models; absent until the providers have answered.
#[component]
pub fn Catalog(
    /// The models; `None` while the providers are asked.
    models: RwSignal<Option<Vec<Model>>>,
    /// Names of the connections.
    names: Vec<(ConnectionId, String)>,
) -> impl IntoView {
    let name_of = move |id: ConnectionId| {
        names
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, name)| name.clone())
    };
    live(move || {
        let Some(models) = models.get().filter(|models| !models.is_empty()) else {
            return ().into_any();
        };
        let count = models.len();
        let rows = models
            .into_iter()
            .map(|model| {
                let connection = name_of(model.connection_id);
                model_row(model, connection)
            })
            .collect::<Vec<_>>();
        view! {
            <div class="flex flex-wrap items-center gap-2 mb-3">
                <h2 class="section-title">"All models"</h2>
                <span class="count">{count}</span>
            </div>
            <div class="card">
                <div class="table-wrap">
                    <table class="table">
                        <caption class="sr-only">"Models"</caption>
                        <thead>
                            <tr>
                                <th>"Model"</th>
                                <th class="max-sm:hidden">"Connection"</th>
                                <th class="num">"Context"</th>
                                <th class="!text-center max-sm:hidden">"Tools"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </div>
        }
        .into_any()
    })
}

fn model_row(model: Model, connection: Option<String>) -> AnyView {
    let tools = match model.supports_tools {
        Some(true) => view! {
            <LabelledIcon name="check" label="Tools: yes" class="icon-sm text-ink-2 inline" />
        }
        .into_any(),
        Some(false) => view! { <span class="text-ink-3">"no"</span> }.into_any(),
        None => view! { <span class="text-ink-3">"–"</span> }.into_any(),
    };
    let context = model
        .context_window
        .map_or("–".to_owned(), |size| grouped(u64::from(size)));
    view! {
        <tr>
            <td class="wide min-w-40">
                <span class="block font-medium">{model.name}</span>
            </td>
            <td class="text-ink-2 max-sm:hidden">{connection}</td>
            <td class="num">{context}</td>
            <td class="!text-center max-sm:hidden">{tools}</td>
        </tr>
    }
    .into_any()
}
