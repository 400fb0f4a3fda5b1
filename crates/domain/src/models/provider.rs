//! Providers that can be connected to.

use serde::{Deserialize, Serialize};

use super::ConnectionKind;

/// A provider that the catalog knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provider {
    /// Its key in the catalog: letters, digits and `-`.
    pub key: String,
    /// Shown name.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// Two or three letters for its tile.
    pub monogram: String,
    /// How it speaks.
    pub kind: ConnectionKind,
    /// Where it is.
    pub base_url: String,
    /// Page where keys are made, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_url: Option<String>,
    /// Page that explains its interface.
    pub docs_url: String,
}

/// A model server that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FoundServer {
    /// Key of its provider in the catalog.
    pub provider: String,
    /// Shown name.
    pub name: String,
    /// Where it is.
    pub base_url: String,
    /// Names of its models, at most 100.
    pub models: Vec<String>,
}
