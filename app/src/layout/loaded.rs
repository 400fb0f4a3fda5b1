//! Waits for a page's data.

use std::sync::Arc;

use domain::{Action, Error};
use leptos::prelude::*;

use crate::call::{Answer, Datum};
use crate::layout::allowed::{learn_role, require};
use crate::layout::failure::Failure;
use crate::layout::{Data, Page, PageSkeleton, awaited, use_visit};

/// Shows `fallback` until the data is there, then the view or why there is none.
///
/// While data is read again, the old view stays.
#[component]
pub fn Loaded<T: Datum, V>(
    /// The data.
    data: Data<T>,
    /// Skeleton of the same size.
    #[prop(into)]
    fallback: ViewFn,
    /// The view of the data.
    view: V,
    /// Crumb of the page, if the view is a whole page rather than a part of one.
    #[prop(optional)]
    section: &'static str,
    /// What the view is for; who may not do it is told so.
    #[prop(optional)]
    action: Option<Action>,
) -> impl IntoView
where
    V: Fn(T) -> AnyView + Send + Sync + 'static,
{
    let view = move |answer: Answer| answer.read().map(&view);
    loaded(data.answer(), fallback, Arc::new(view), section, action)
}

/// A page about data that only some may see; until it is there, the title is.
#[component]
pub fn LoadedPage<T: Datum, V>(
    /// Title while the data is on its way.
    title: &'static str,
    /// The crumb.
    section: &'static str,
    /// What the page is for; who may not do it is told so.
    action: Action,
    /// The data.
    data: Data<T>,
    /// The page.
    view: V,
) -> impl IntoView
where
    V: Fn(T) -> AnyView + Send + Sync + 'static,
{
    let fallback = ViewFn::from(move || view! { <PageSkeleton title section /> });
    let view = move |answer: Answer| answer.read().map(&view);
    loaded(
        data.answer(),
        fallback,
        Arc::new(view),
        section,
        Some(action),
    )
}

/// The part that does not depend on the type of the data.
fn loaded(
    answer: Resource<Result<Answer, Error>>,
    fallback: ViewFn,
    view: Arc<dyn Fn(Answer) -> Result<AnyView, Error> + Send + Sync>,
    section: &'static str,
    action: Option<Action>,
) -> AnyView {
    let visit = use_visit();
    awaited(fallback, move || {
        let view = Arc::clone(&view);
        Box::pin(async move {
            let shown = async {
                let answer = answer.await?;
                learn_role(visit).await?;
                action.map_or(Ok(()), require)?;
                view(answer)
            };
            match shown.await {
                Ok(view) => view,
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
    })
}
