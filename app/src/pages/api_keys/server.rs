//! Server functions of the API keys page.

use domain::{Action, ApiKeyId, Error};
#[cfg(feature = "ssr")]
use domain::{
    Page, Timestamp,
    api_keys::{ApiKey, CreateApiKey as NewKey},
};
use leptos::prelude::*;

use crate::pages::settings::Listing;
#[cfg(feature = "ssr")]
use crate::{
    pages::{api_keys::scopes::label, settings::Entry},
    time::{age, until},
};

/// A page of one's own keys, newest first.
#[server]
pub async fn list_api_keys(after: Option<String>) -> Result<Listing, Error> {
    let keys = crate::context::platform()?
        .list_api_keys(Page::new(None, after)?)
        .await?;
    let now = crate::context::now();
    Ok(Listing::of(keys, |key| key_entry(key, now)))
}

/// Makes a key for some days, for ever if there are none; answers the key, which is shown once.
#[server]
pub async fn create_api_key(
    name: String,
    days: u16,
    is_limited: bool,
    #[server(default)] scopes: Vec<Action>,
) -> Result<String, Error> {
    let input = NewKey {
        name,
        scopes: is_limited.then_some(scopes),
        expires_at: crate::context::days_ahead(days),
    };
    Ok(crate::context::platform()?.create_api_key(input).await?.key)
}

/// Deletes a key.
#[server]
pub async fn delete_api_key(id: ApiKeyId) -> Result<(), Error> {
    crate::context::platform()?.delete_api_key(id).await
}

#[cfg(feature = "ssr")]
fn key_entry(key: ApiKey, now: Timestamp) -> Entry {
    let is_expired = key.expires_at.is_some_and(|at| at <= now);
    let expiry = match key.expires_at {
        None => "never expires".to_owned(),
        Some(at) if is_expired => format!("expired {}", age(at, now)),
        Some(at) => format!("expires {}", until(at, now)),
    };
    let last_use = match key.last_used_at {
        None => "never used".to_owned(),
        Some(at) => format!("last used {}", age(at, now)),
    };
    let tags = match key.scopes {
        None => vec!["Everything you may".to_owned()],
        Some(scopes) => scopes
            .into_iter()
            .map(|scope| label(scope).to_owned())
            .collect(),
    };
    Entry {
        id: key.id.to_string(),
        title: key.name,
        detail: format!("{}… · {expiry} · {last_use}", key.prefix),
        tags,
        is_alert: is_expired,
        is_removable: true,
        ..Entry::default()
    }
}
