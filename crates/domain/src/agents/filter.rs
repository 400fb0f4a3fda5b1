//! Which agents to list.

use serde::{Deserialize, Serialize};

use crate::agents::check::tidy_tag;
use crate::{Error, FieldErrors};

/// Longest search, in characters.
const MAX_SEARCH_CHARS: usize = 200;

/// Which agents to list; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentFilter {
    /// Words that must all be in name, description, instructions, tags, model or tools; at most
    /// 200 characters.
    #[serde(default)]
    pub search: Option<String>,
    /// Only agents with this tag.
    #[serde(default)]
    pub tag: Option<String>,
}

/// A tag and how many agents have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// Agents that have it, deleted ones not counted.
    pub agents: u64,
}

impl AgentFilter {
    /// The same without what is blank.
    ///
    /// # Errors
    /// `Invalid` if the search is too long.
    pub fn checked(self) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let search = self.search.filter(|search| !search.trim().is_empty());
        if let Some(search) = &search {
            errors.text("search", search, MAX_SEARCH_CHARS);
        }
        let tag = self.tag.as_deref().map(tidy_tag);
        let tag = tag.filter(|tag| !tag.is_empty());
        if let Some(tag) = &tag {
            errors.text("tag", tag, MAX_SEARCH_CHARS);
        }
        errors.finish()?;
        Ok(Self { search, tag })
    }
}
