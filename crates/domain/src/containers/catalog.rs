//! The catalog of servers that can be added in one step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MAX_VARIABLES;
use crate::{FieldErrors, Secret};

/// Keys of the entries that `public/servers.svg` has a logo for.
pub const LOGOS: &str = "airtable apify arxiv atlassian brave-search calculator charts circleci clickhouse \
    cloudflare-docs context7 deepwiki duckduckgo elasticsearch everything exa fetch figma \
    firecrawl github hugging-face kagi mapbox microsoft-learn mongodb notion perplexity \
    postman sentry sequential-thinking stripe supabase tavily time wikipedia";

/// A server that can be added in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogEntry {
    /// Names it in `{type: catalog, key}`.
    pub key: String,
    /// Its name, for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// Name of a logo in `/servers.svg`, if it is one of ours.
    pub icon: String,
    /// What it is for: `search`, `data`, `developers` …
    pub category: String,
    /// Where to read about it.
    pub homepage: String,
    /// Its licence.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// What runs: `npm`, `pypi`, `image` or `remote`.
    pub kind: String,
    /// What has to be filled in.
    pub settings: Vec<CatalogSetting>,
    /// Hosts that it is allowed to reach; `{NAME}` stands for a setting.
    pub egress: Vec<String>,
    /// Whether administrators of this workspace have put it there.
    #[serde(default)]
    pub is_own: bool,
}

/// A setting of a catalog entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogSetting {
    /// Its name.
    pub name: String,
    /// What to fill in.
    pub description: String,
    /// `string`, `number`, `boolean`, `url`, or `lines` of several values.
    pub kind: String,
    /// Whether it must be given.
    pub is_required: bool,
    /// Whether it is kept secret.
    pub is_secret: bool,
    /// What it is unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The values that it can have; any if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// Input for a server of the catalog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CatalogSourceInput {
    /// The entry's key.
    pub key: String,
    /// Values of its settings, secret or not.
    #[serde(default)]
    pub values: BTreeMap<String, Secret>,
}

impl CatalogSourceInput {
    /// Checks every field that needs no look-up; names begin with `source.`.
    pub(crate) fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.key", &self.key, 100);
        if self.values.len() > MAX_VARIABLES {
            errors.push("source.values", "must have at most 50 entries");
        }
    }
}
