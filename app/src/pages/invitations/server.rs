//! Server functions of the page behind an invitation's link.

#[cfg(feature = "ssr")]
use domain::invitations::AcceptInvitation as Acceptance;
use domain::invitations::Offer;
use domain::{Error, Secret};
use leptos::prelude::*;

/// What the holder of the link is offered.
#[server]
pub async fn get_offer(token: Secret) -> Result<Offer, Error> {
    crate::context::entrance()?.find_offer(&token).await
}

/// Joins the workspace, signs in and goes home.
#[server]
pub async fn accept_invitation(token: Secret, password: Secret) -> Result<(), Error> {
    let input = Acceptance { token, password };
    let signed_in = crate::context::entrance()?.accept_invitation(input).await?;
    crate::context::enter(&signed_in, "/");
    Ok(())
}
