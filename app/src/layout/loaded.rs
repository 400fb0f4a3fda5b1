//! Waits for a page's data.

use domain::Error;
use leptos::prelude::*;

use crate::layout::Page;
use crate::layout::failure::Failure;

/// Shows `fallback` until the data is there, then the view or why there is none.
///
/// While data is read again, the old view stays.
#[component]
pub fn Loaded<T, V>(
    /// The data.
    resource: Resource<Result<T, Error>>,
    /// Skeleton of the same size.
    #[prop(into)]
    fallback: ViewFn,
    /// The view of the data.
    view: V,
    /// Crumb of the page, if the view is a whole page rather than a part of one.
    #[prop(optional)]
    section: &'static str,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: Fn(T) -> AnyView + Clone + Send + Sync + 'static,
{
    let body = move || {
        let view = view.clone();
        Suspend::new(async move {
            match resource.await {
                Ok(value) => view(value),
                Err(error) if section.is_empty() => view! { <Failure error /> }.into_any(),
                Err(error) => view! {
                    <Page title=section section=section>
                        <div class="page">
                            <Failure error />
                        </div>
                    </Page>
                }
                .into_any(),
            }
        })
    };
    view! { <Transition fallback=move || fallback.run()>{body}</Transition> }.into_any()
}
