//! What servers offer besides tools.

use serde::{Deserialize, Serialize};

/// What a server offers besides tools, as it said when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpOffers {
    /// Prompts, at most 100.
    #[serde(default)]
    pub prompts: Vec<McpOffer>,
    /// Resources, at most 100.
    #[serde(default)]
    pub resources: Vec<McpOffer>,
    /// Templates of resources, at most 100.
    #[serde(default)]
    pub templates: Vec<McpOffer>,
}

/// A prompt, a resource or a template of resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpOffer {
    /// Name of a prompt, URI of a resource, or the template of such.
    pub name: String,
    /// Name for people, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Type of a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Size of a resource in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What a prompt can be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<McpOfferArgument>,
}

/// An argument of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpOfferArgument {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it must be given.
    #[serde(default)]
    pub is_required: bool,
}
