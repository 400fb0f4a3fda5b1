//! Server functions of the account pages and of the workspace switch.

use domain::{Error, Secret, SessionId, WorkspaceId};
#[cfg(feature = "ssr")]
use domain::{
    Page, Timestamp,
    accounts::{BrowserSession, ChangePassword as NewPassword, NameWorkspace, UpdateProfile},
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use crate::pages::accounts::user_agent::browser;
use crate::pages::settings::Listing;
#[cfg(feature = "ssr")]
use crate::{pages::settings::Entry, time::age};

/// Changes the name that others see.
#[server]
pub async fn save_profile(name: String) -> Result<(), Error> {
    crate::context::platform()?
        .update_profile(UpdateProfile { name })
        .await?;
    Ok(())
}

/// Changes the password; this browser stays signed in, every other is signed out.
#[server]
pub async fn change_password(current_password: Secret, new_password: Secret) -> Result<(), Error> {
    let input = NewPassword {
        current_password,
        new_password,
    };
    let signed_in = crate::context::platform()?.change_password(input).await?;
    crate::context::keep(&signed_in);
    Ok(())
}

/// A page of the browsers that are signed in, the last used first.
#[server]
pub async fn list_sessions(after: Option<String>) -> Result<Listing, Error> {
    let sessions = crate::context::platform()?
        .list_sessions(Page::new(None, after)?)
        .await?;
    let now = crate::context::now();
    Ok(Listing::of(sessions, |session| session_entry(session, now)))
}

/// Signs a browser out.
#[server]
pub async fn end_session(id: SessionId) -> Result<(), Error> {
    crate::context::platform()?.delete_session(id).await
}

/// Signs every other browser out.
#[server]
pub async fn end_other_sessions() -> Result<(), Error> {
    crate::context::platform()?.delete_other_sessions().await
}

/// Renames the workspace that the session looks at.
#[server]
pub async fn rename_workspace(id: WorkspaceId, name: String) -> Result<(), Error> {
    crate::context::platform()?
        .update_workspace(id, NameWorkspace { name })
        .await?;
    Ok(())
}

/// Makes a workspace and looks at it from now on.
#[server]
pub async fn create_workspace(name: String) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let workspace = platform.create_workspace(NameWorkspace { name }).await?;
    let signed_in = platform.switch_workspace(workspace.id).await?;
    crate::context::enter(&signed_in, "/");
    Ok(())
}

/// Looks at another workspace from now on.
#[server]
pub async fn switch_workspace(id: WorkspaceId) -> Result<(), Error> {
    let signed_in = crate::context::platform()?.switch_workspace(id).await?;
    crate::context::enter(&signed_in, "/");
    Ok(())
}

#[cfg(feature = "ssr")]
fn session_entry(session: BrowserSession, now: Timestamp) -> Entry {
    let here = session.is_current.then(|| "This browser".to_owned());
    Entry {
        id: session.id.to_string(),
        title: browser(&session.user_agent),
        detail: format!(
            "{} · signed in {} · last used {}",
            session.address,
            age(session.created_at, now),
            age(session.seen_at, now)
        ),
        tags: here.into_iter().collect(),
        is_removable: !session.is_current,
        ..Entry::default()
    }
}
