//! The page of a list: heading, button for a new entry, and the list when it is there.

use domain::Action;
use leptos::prelude::*;

use crate::call::Datum;
use crate::layout::{Allowed, Data, Loaded, Page, PageHead, may};
use crate::ui::{Icon, SkeletonRows};

/// The button of a list page.
#[derive(Clone, Copy)]
pub struct NewButton {
    /// What it leads to.
    pub action: Action,
    /// Where it leads.
    pub href: &'static str,
    /// Its words.
    pub label: &'static str,
    /// Other ways to the same, before it: addresses and words.
    pub others: &'static [(&'static str, &'static str)],
}

impl NewButton {
    /// Address and words; `None` if whoever looks may not do it.
    pub fn link(self) -> Option<(&'static str, &'static str)> {
        may(self.action).then_some((self.href, self.label))
    }
}

/// The page of a list.
#[component]
pub fn ListPage<T: Datum, V>(
    /// Heading, crumb and title of the window.
    title: &'static str,
    /// One sentence below it.
    lead: &'static str,
    /// The list.
    data: Data<T>,
    /// The view of the list, also when it is empty.
    view: V,
    /// Makes an entry.
    #[prop(optional)]
    button: Option<NewButton>,
) -> impl IntoView
where
    V: Fn(T) -> AnyView + Send + Sync + 'static,
{
    let list = view! { <Loaded data fallback=rows view /> }.into_any();
    list_page(title, lead, button, list)
}

/// The part that does not depend on the type of the data.
fn list_page(
    title: &'static str,
    lead: &'static str,
    button: Option<NewButton>,
    list: AnyView,
) -> AnyView {
    let head = match button {
        Some(button) => view! {
            <PageHead title lead>
                <NewLink button />
            </PageHead>
        }
        .into_any(),
        None => view! { <PageHead title lead /> }.into_any(),
    };
    view! {
        <Page title section=title>
            <div class="page">{head} {list}</div>
        </Page>
    }
    .into_any()
}

#[component]
fn NewLink(button: NewButton) -> impl IntoView {
    let NewButton {
        action,
        href,
        label,
        others,
    } = button;
    let others = move || {
        let link = |(href, label): &(&'static str, &'static str)| {
            view! {
                <a class="btn btn-secondary" href=*href>
                    {*label}
                </a>
            }
            .into_any()
        };
        others.iter().map(link).collect::<Vec<_>>()
    };
    view! {
        <Allowed action>
            {others()}
            <a class="btn btn-primary" href=href>
                <Icon name="plus" />
                " "
                {label}
            </a>
        </Allowed>
    }
}

fn rows() -> impl IntoView {
    view! { <SkeletonRows /> }
}
