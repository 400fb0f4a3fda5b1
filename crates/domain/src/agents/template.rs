//! Agents to start from.

use serde::{Deserialize, Serialize};

use crate::agents::Limits;
use crate::tools::AgentTool;

/// An agent without a model, to start from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentTemplate {
    /// Names it in addresses.
    pub key: String,
    /// Name of an icon.
    pub icon: String,
    /// What somebody would want it for, in one sentence.
    pub summary: String,
    /// Keys of servers of the catalog that make it better.
    pub suggests: Vec<String>,
    /// Name of the agent.
    pub name: String,
    /// What the agent is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The system prompt.
    pub instructions: String,
    /// 0 to 2, if the work wants one.
    pub temperature: Option<f32>,
    /// Built-in tools.
    pub tools: Vec<AgentTool>,
    /// What a run may use up.
    pub limits: Limits,
}
