//! Server functions of the set-up page.

use domain::Error;
use domain::accounts::{MachineCheck, SetUp as FirstWorkspace};
use leptos::prelude::*;

/// What this machine offers; visitors see it only while nobody has an account.
#[server]
pub async fn check_machine() -> Result<Vec<MachineCheck>, Error> {
    let entrance = crate::context::entrance()?;
    if entrance.is_set_up().await? {
        return Err(Error::NotFound);
    }
    entrance.check_machine().await
}

/// Makes the owner and the first workspace, and signs in.
#[server]
pub async fn set_up(input: FirstWorkspace) -> Result<(), Error> {
    let signed_in = crate::context::entrance()?.set_up(input).await?;
    crate::context::enter(&signed_in, "/");
    Ok(())
}
