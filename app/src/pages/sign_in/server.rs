//! Server function of the sign-in page.

use domain::Error;
use domain::accounts::SignIn as Credentials;
use leptos::prelude::*;

/// Checks the credentials, stores the session cookie and goes on to `next`.
#[server]
pub async fn sign_in(input: Credentials, next: String) -> Result<(), Error> {
    let signed_in = crate::context::entrance()?.sign_in(input).await?;
    crate::context::enter(&signed_in, &next);
    Ok(())
}
