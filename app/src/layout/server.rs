//! Server functions of the frame.

use domain::Error;
use domain::accounts::Me;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::layout::preferences::Theme;

/// Who looks at the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visit {
    /// Nobody has an account yet.
    First,
    /// Nobody is signed in.
    SignedOut,
    /// A member.
    SignedIn(Box<Me>),
}

/// Who looks.
#[server]
pub async fn get_visit() -> Result<Visit, Error> {
    let me = match crate::context::platform() {
        Ok(platform) => platform.me().await,
        Err(error) => Err(error),
    };
    match me {
        Ok(me) => Ok(Visit::SignedIn(Box::new(me))),
        Err(Error::Unauthenticated) if crate::context::entrance()?.is_set_up().await? => {
            Ok(Visit::SignedOut)
        }
        Err(Error::Unauthenticated) => Ok(Visit::First),
        Err(error) => Err(error),
    }
}

/// Ends the session.
#[server]
pub async fn sign_out() -> Result<(), Error> {
    crate::context::platform()?.sign_out().await?;
    crate::context::leave();
    Ok(())
}

/// Remembers the theme.
#[server]
pub async fn set_theme(theme: Theme) -> Result<(), Error> {
    crate::context::remember(crate::layout::THEME, theme.as_str());
    Ok(())
}

/// Folds or unfolds the sidebar.
#[server]
pub async fn toggle_nav() -> Result<(), Error> {
    let is_rail = crate::context::cookie(crate::layout::NAV).is_some_and(|nav| nav == "rail");
    crate::context::remember(crate::layout::NAV, if is_rail { "full" } else { "rail" });
    Ok(())
}
