//! What the member's role allows; buttons that would be refused are not shown.

use domain::{Action, Error, Role, can};
use leptos::prelude::*;

use crate::layout::server::Visit;
use crate::layout::{Data, awaited, open_membership, use_visit};

/// The member's role; `None` where nobody is signed in.
#[derive(Clone, Copy)]
struct CurrentRole(Option<Role>);

/// Whether whoever looks may do it. Known below `Loaded` only; elsewhere there is `Allowed`.
pub fn may(action: Action) -> bool {
    require(action).is_ok()
}

/// Waits until it is known who looks; gives what they may do.
pub async fn may_soon(visit: Data<Visit>) -> fn(Action) -> bool {
    match learn_role(visit).await {
        Ok(()) => may,
        Err(_) => |_| false,
    }
}

/// Passes if whoever looks may do it.
///
/// # Errors
/// `Forbidden` for members, `Unauthenticated` for visitors.
pub(super) fn require(action: Action) -> Result<(), Error> {
    match use_context::<CurrentRole>().and_then(|current| current.0) {
        Some(role) if can(role, action) => Ok(()),
        Some(_) => Err(Error::Forbidden),
        None => Err(Error::Unauthenticated),
    }
}

/// Waits for the role and tells it to the views made afterwards.
///
/// # Errors
/// Why it is not known who looks.
pub(super) async fn learn_role(visit: Data<Visit>) -> Result<(), Error> {
    let role = match visit.await? {
        Visit::SignedIn(me) => open_membership(&me).map(|membership| membership.role),
        Visit::First | Visit::SignedOut => None,
    };
    provide_context(CurrentRole(role));
    Ok(())
}

/// Shows its children to those who may do it.
#[component]
pub fn Allowed(
    /// What they lead to.
    action: Action,
    /// Buttons and links.
    children: ChildrenFn,
) -> impl IntoView {
    let visit = use_visit();
    awaited(ViewFn::default(), move || {
        let children = children.clone();
        Box::pin(async move {
            let may = may_soon(visit).await;
            may(action).then(|| children()).into_any()
        })
    })
}
