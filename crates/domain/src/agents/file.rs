//! An agent as a file: names in place of ids, so that it can be made anew in another workspace.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agents::{ConversationTitles, Limits};
use crate::tools::ApprovalPolicy;

/// What a file says it is.
pub const FILE_FORMAT: &str = "agentarea/agent/v1";
/// Largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 512 * 1024;

/// An agent as a file. Exporting what was imported gives the same file again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// `agentarea/agent/v1`; may be left out.
    #[serde(default = "format")]
    pub format: String,
    /// Shown name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The system prompt.
    #[serde(default)]
    pub instructions: String,
    /// The model it asks.
    pub model: FiledModel,
    /// Models to ask instead.
    #[serde(default)]
    pub fallbacks: Vec<FiledModel>,
    /// Tools it may call.
    #[serde(default)]
    pub tools: Vec<FiledTool>,
    /// What a run may use up.
    #[serde(default)]
    pub limits: Limits,
    /// Where conversations without a title get theirs from.
    #[serde(default)]
    pub conversation_titles: ConversationTitles,
    /// JSON Schema of its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output_schema: Option<Value>,
}

/// A model of a connection that is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FiledModel {
    /// Name of the connection.
    pub connection: String,
    /// The model's name there.
    pub name: String,
    /// 0 to 2; nothing leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Longest answer in tokens; nothing leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
}

/// A tool: either `server` and `name`, or `builtin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FiledTool {
    /// Name of the tool server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The tool's name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of a built-in tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// When a person is asked first; nothing leaves it to the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalPolicy>,
}

fn format() -> String {
    FILE_FORMAT.to_owned()
}
