//! The models that the connections offer.

use domain::models::Model;
use domain::{Action, ConnectionId};
use leptos::prelude::*;

use crate::layout::may;
use crate::pages::models::words::{prices, tokens};
use crate::ui::{Icon, LabelledIcon, live};

/// Rows that are shown at once; a search finds the others.
const MAX_ROWS: usize = 200;

/// A table of all models; absent until the providers have answered.
#[component]
pub fn Catalog(
    /// The models; `None` while the providers are asked.
    models: RwSignal<Option<Vec<Model>>>,
    /// Names of the connections.
    names: Vec<(ConnectionId, String)>,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let found = move || {
        let wanted = typed.with(|text| text.trim().to_lowercase());
        let models = models.get().unwrap_or_default();
        models
            .into_iter()
            .filter(|model| model.name.to_lowercase().contains(&wanted))
            .collect::<Vec<_>>()
    };
    let is_empty = move || models.with(|models| models.as_ref().is_none_or(Vec::is_empty));
    let rows = live(move || {
        let found = found();
        let hidden = found.len().saturating_sub(MAX_ROWS);
        let rows = found
            .into_iter()
            .take(MAX_ROWS)
            .map(|model| {
                let connection = names
                    .iter()
                    .find(|(known, _)| *known == model.connection_id)
                    .map(|(_, name)| name.clone());
                model_row(model, connection)
            })
            .collect::<Vec<_>>();
        if rows.is_empty() {
            return view! {
                <tr>
                    <td colspan="8" class="text-ink-3">
                        "No model’s name is like this."
                    </td>
                </tr>
            }
            .into_any();
        }
        let more = (hidden > 0).then(|| {
            view! {
                <tr>
                    <td colspan="8" class="text-ink-3">
                        {format!("and {hidden} more; search for them")}
                    </td>
                </tr>
            }
            .into_any()
        });
        view! {
            {rows}
            {more}
        }
        .into_any()
    });
    let count = live(move || {
        let count = models.with(|models| models.as_ref().map_or(0, Vec::len));
        view! { <span class="count">{count}</span> }.into_any()
    });
    view! {
        <section aria-label="All models" class:hidden=is_empty>
            <div class="flex flex-wrap items-center gap-2 mb-3">
                <h2 class="section-title">"All models"</h2>
                {count}
                <label class="input-group ml-auto max-sm:w-full sm:w-60">
                    <span class="sr-only">"Search models"</span>
                    <Icon name="search" class="icon-sm" />
                    <input
                        class="input"
                        type="search"
                        placeholder="Search"
                        on:input=move |event| typed.set(event_target_value(&event))
                    />
                </label>
            </div>
            <div class="card">
                <div class="table-wrap">
                    <table class="table">
                        <caption class="sr-only">"Models"</caption>
                        <thead>
                            <tr>
                                <th>"Model"</th>
                                <th class="max-sm:hidden">"Connection"</th>
                                <th class="num max-sm:hidden">"Context"</th>
                                <th class="!text-center max-sm:hidden">"Tools"</th>
                                <th class="!text-center max-md:hidden">"Images"</th>
                                <th class="num">"In per M"</th>
                                <th class="num">"Out per M"</th>
                                <th>
                                    <span class="sr-only">"Edit"</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </div>
            <p class="mt-3 text-xs text-ink-3">
                "List prices for a million tokens, as far as they are known. Put in what you pay."
            </p>
        </section>
    }
    .into_any()
}

fn model_row(model: Model, connection: Option<String>) -> AnyView {
    let context = model.facts.context_window.map_or("–".to_owned(), tokens);
    let (input, output) = match prices(&model) {
        Some(prices) => prices,
        None => ("–".to_owned(), "–".to_owned()),
    };
    let edit = may(Action::ManageModels).then(|| {
        let name = urlencoded(&model.name);
        view! {
            <a
                class="btn btn-ghost btn-icon btn-sm"
                href=format!("/models/model?id={}/{name}", model.connection_id)
                aria-label=format!("Edit {}", model.name)
                title="Edit price and abilities"
            >
                <Icon name="pencil" />
            </a>
        }
        .into_any()
    });
    let edited = model
        .is_edited
        .then(|| view! { <span class="tag">"edited"</span> }.into_any());
    view! {
        <tr>
            <td class="wide max-sm:!min-w-32">
                <span class="flex items-center gap-2 font-medium">{model.name} {edited}</span>
            </td>
            <td class="text-ink-2 max-sm:hidden">{connection}</td>
            <td class="num max-sm:hidden">{context}</td>
            <td class="!text-center max-sm:hidden">
                {ability(model.facts.supports_tools, "Tools: yes")}
            </td>
            <td class="!text-center max-md:hidden">
                {ability(model.facts.supports_vision, "Images: yes")}
            </td>
            <td class="num">{input}</td>
            <td class="num">{output}</td>
            <td class="text-right">{edit}</td>
        </tr>
    }
    .into_any()
}

fn ability(is_there: Option<bool>, label: &'static str) -> AnyView {
    match is_there {
        Some(true) => {
            view! { <LabelledIcon name="check" label class="icon-sm text-ink-2 inline" /> }
                .into_any()
        }
        Some(false) => view! { <span class="text-ink-3">"no"</span> }.into_any(),
        None => view! { <span class="text-ink-3">"–"</span> }.into_any(),
    }
}

/// A model's name as part of a query.
fn urlencoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
