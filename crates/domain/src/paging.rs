//! The one paging type: cursors, never offsets.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which part of a list to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many items, 1 to 100.
    pub limit: u8,
    /// Only what follows this cursor; `None` begins at the start.
    pub after: Option<Cursor>,
}

/// Where a page ended. Opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Cursor(pub String);

/// One page of a list, newest first unless stated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of the following page; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

impl Page {
    /// Items on a page when nothing is said.
    pub const DEFAULT_LIMIT: u8 = 50;

    /// The first page of `limit` items.
    pub fn first(limit: u8) -> Self {
        Self { limit, after: None }
    }

    /// Checks the numbers of a query.
    ///
    /// # Errors
    /// `Invalid` if `limit` is not between 1 and 100.
    pub fn new(limit: Option<u64>, after: Option<String>) -> Result<Self, Error> {
        let limit = limit.unwrap_or(u64::from(Self::DEFAULT_LIMIT));
        if !(1..=100).contains(&limit) {
            return Err(Error::invalid("limit", "must be between 1 and 100"));
        }
        Ok(Self {
            limit: limit as u8,
            after: after.map(Cursor),
        })
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::DEFAULT_LIMIT)
    }
}

impl<T> Paged<T> {
    /// Cuts a list that was read one item longer than `limit`, and takes the cursor from the last.
    pub fn cut(mut items: Vec<T>, limit: u8, cursor: impl Fn(&T) -> Cursor) -> Self {
        let has_more = items.len() > usize::from(limit);
        items.truncate(usize::from(limit));
        let next = has_more.then(|| items.last().map(cursor)).flatten();
        Self { items, next }
    }
}
