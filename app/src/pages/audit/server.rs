//! Server function of the audit page.

use domain::Error;
#[cfg(feature = "ssr")]
use domain::{
    Page,
    audit::{AuditEvent, AuditFilter, Deed, DeedResult},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::settings::{Entry, Listing};
#[cfg(feature = "ssr")]
use crate::{
    pages::audit::words::{deed, via},
    time::moment,
};

/// What the audit page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditPage {
    /// A page of lines: deed, object, person; time and way of signing in as tags.
    pub events: Listing,
    /// People to choose from.
    pub people: Vec<Entry>,
    /// Deeds to choose from.
    pub deeds: Vec<Entry>,
}

/// Lines that match the filters, newest first; an empty filter does not matter.
#[server]
pub async fn list_audit_events(
    after: Option<String>,
    #[server(default)] action: String,
    #[server(default)] person: String,
    #[server(default)] result: String,
) -> Result<AuditPage, Error> {
    let platform = crate::context::platform()?;
    let filter = AuditFilter {
        action: chosen(&action)?,
        actor_id: chosen(&person)?,
        result: chosen::<DeedResult>(&result)?,
    };
    let events = platform
        .list_audit_events(filter, Page::new(None, after)?)
        .await?;
    let people = platform.list_members(Page::first(100)).await?.items;
    Ok(AuditPage {
        events: Listing::of(events, event_entry),
        people: people
            .into_iter()
            .map(|member| choice(member.user.id.to_string(), member.user.email))
            .collect(),
        deeds: Deed::ALL
            .iter()
            .map(|known| choice(known.to_string(), deed(*known).to_owned()))
            .collect(),
    })
}

/// What a filter asks for; an address that was typed wrong leads nowhere.
#[cfg(feature = "ssr")]
fn chosen<T: std::str::FromStr>(text: &str) -> Result<Option<T>, Error> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::NotFound),
    }
}

#[cfg(feature = "ssr")]
fn choice(id: String, title: String) -> Entry {
    Entry {
        id,
        title,
        ..Entry::default()
    }
}

#[cfg(feature = "ssr")]
fn event_entry(event: AuditEvent) -> Entry {
    Entry {
        id: event.actor_id.to_string(),
        title: deed(event.action).to_owned(),
        note: event.object_name,
        detail: event.actor,
        tags: vec![
            moment(event.time),
            match event.result {
                DeedResult::Failed => format!("{}, failed", via(event.via)),
                _ => via(event.via).to_owned(),
            },
        ],
        is_alert: event.result == DeedResult::Refused,
        ..Entry::default()
    }
}
