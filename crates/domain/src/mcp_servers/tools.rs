//! Tools of servers, as servers describe them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a server says of one of its tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolDefinition {
    /// Bare name, unique on the server.
    pub name: String,
    /// Name for people, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the tool does, for models; may be empty.
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub input_schema: Value,
    /// JSON Schema of the structured result, if the tool has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What the server claims of the tool: `readOnlyHint`, `destructiveHint`, `idempotentHint` …
    pub annotations: Value,
}

/// A tool of a server. Answers hold the definition that the server gives now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpTool {
    /// What the server says now.
    #[serde(flatten)]
    pub definition: ToolDefinition,
    /// Whether agents may call it.
    pub state: McpToolState,
    /// SHA-256 of the definition, in hexadecimal.
    pub definition_hash: String,
    /// What was accepted before, while the changed definition is quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<ToolDefinition>,
}

/// Whether agents may call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum McpToolState {
    /// Its definition is the accepted one.
    Active,
    /// Its definition has changed, and nobody has accepted that yet.
    Quarantined,
}

/// What came of trying a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolTrial {
    /// Whether the tool, or what keeps it, says that it failed.
    pub is_error: bool,
    /// The result as a model would be told.
    pub text: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}

impl ToolDefinition {
    /// Whether the server claims that the tool changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.hint("readOnlyHint").unwrap_or(false)
    }

    /// Whether the server claims that a second call with the same arguments changes nothing more.
    pub fn is_idempotent(&self) -> bool {
        self.is_read_only() || self.hint("idempotentHint").unwrap_or(false)
    }

    /// Whether the tool may destroy something; true unless the server says otherwise.
    pub fn is_destructive(&self) -> bool {
        !self.is_read_only() && self.hint("destructiveHint").unwrap_or(true)
    }

    fn hint(&self, name: &str) -> Option<bool> {
        self.annotations.get(name)?.as_bool()
    }
}
