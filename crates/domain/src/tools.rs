//! What an agent can do besides talking: built-in tools and those of tool servers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ApprovalId, CallId, FieldErrors, FileId, McpServerId};

/// Tools that one agent can have.
pub const MAX_TOOLS: usize = 128;

/// Between a server's name and its tool's, as models see it.
pub const NAME_SEPARATOR: &str = "__";

/// A tool that an agent may use: either `server_id` and `name`, or `builtin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentTool {
    /// The tool server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<McpServerId>,
    /// The tool's bare name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of a built-in tool; see [`Builtin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// When a person is asked first. `None`: never for tools that say they only read, always for
    /// the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalPolicy>,
}

/// When a person is asked before a tool is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApprovalPolicy {
    /// Never.
    Never,
    /// Once in each conversation, and again when the tool's definition changes.
    FirstUse,
    /// Before every call.
    Always,
}

/// A tool inside this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Tells date and time in any time zone.
    CurrentTime,
    /// Works out an arithmetic expression.
    Calculator,
    /// Reads a public web page or file.
    HttpFetch,
    /// Lists the conversation's files.
    ListFiles,
    /// Reads a file of the conversation.
    ReadFile,
    /// Finds lines in the conversation's files.
    SearchFiles,
    /// Writes a file of the conversation.
    WriteFile,
}

/// One call of a tool, as pages show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCall {
    /// The id.
    pub id: CallId,
    /// The server's name, or `builtin`.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
    /// Where the call stands.
    pub status: ToolCallStatus,
    /// Whether the tool, or what keeps it, answered with an error.
    pub is_error: bool,
    /// What the model was told; empty until it is completed.
    pub result: String,
    /// The whole result, if it was too long for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_id: Option<FileId>,
    /// How long the tool took, milliseconds; 0 until it is completed.
    pub duration_ms: u64,
    /// The question that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<ApprovalId>,
}

/// Where a tool call stands.
///
/// ```text
/// requested ──► started ──► completed
///     │            ▲  │
///     ▼            │  ▼ (crash in the middle of an unsafe call)
///  waiting ────────┴─ waiting
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ToolCallStatus {
    /// The model asked for it.
    Requested,
    /// A person is asked.
    Waiting,
    /// The tool is working, or was when its worker died.
    Started,
    /// There is a result.
    Completed,
}

impl Builtin {
    /// Every built-in tool, in the order of the form.
    pub const ALL: [Self; 7] = [
        Self::CurrentTime,
        Self::Calculator,
        Self::HttpFetch,
        Self::ListFiles,
        Self::ReadFile,
        Self::SearchFiles,
        Self::WriteFile,
    ];

    /// The name in the API, and for models.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CurrentTime => "current_time",
            Self::Calculator => "calculator",
            Self::HttpFetch => "http_fetch",
            Self::ListFiles => "list_files",
            Self::ReadFile => "read_file",
            Self::SearchFiles => "search_files",
            Self::WriteFile => "write_file",
        }
    }

    /// The name in the interface.
    pub fn label(self) -> &'static str {
        match self {
            Self::CurrentTime => "Current time",
            Self::Calculator => "Calculator",
            Self::HttpFetch => "Read the web",
            Self::ListFiles => "List files",
            Self::ReadFile => "Read files",
            Self::SearchFiles => "Search files",
            Self::WriteFile => "Write files",
        }
    }

    /// What it does, in one sentence for people.
    pub fn summary(self) -> &'static str {
        match self {
            Self::CurrentTime => "Tells date and time in any time zone.",
            Self::Calculator => "Works out arithmetic exactly as written.",
            Self::HttpFetch => "Reads public web pages and files by address.",
            Self::ListFiles => "Lists the files of the conversation.",
            Self::ReadFile => "Reads a file of the conversation, attachments included.",
            Self::SearchFiles => "Finds words in the files of the conversation.",
            Self::WriteFile => "Keeps a text as a file of the conversation.",
        }
    }
}

impl FromStr for Builtin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|builtin| builtin.as_str() == text)
            .ok_or_else(|| format!("no built-in tool is called {text:?}"))
    }
}

impl ApprovalPolicy {
    /// Every policy, in the order of the form.
    pub const ALL: [Self; 3] = [Self::Never, Self::FirstUse, Self::Always];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::FirstUse => "first_use",
            Self::Always => "always",
        }
    }

    /// The name in the interface.
    pub fn label(self) -> &'static str {
        match self {
            Self::Never => "Never ask",
            Self::FirstUse => "Ask at first use",
            Self::Always => "Always ask",
        }
    }
}

impl ToolCallStatus {
    const ALL: [Self; 4] = [
        Self::Requested,
        Self::Waiting,
        Self::Started,
        Self::Completed,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Completed => "completed",
        }
    }
}

impl fmt::Display for ApprovalPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ToolCallStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("no tool call status is called {text:?}"))
    }
}

/// Checks an agent's tools as far as that needs no look-up.
pub(crate) fn check(errors: &mut FieldErrors, tools: &[AgentTool]) {
    if tools.len() > MAX_TOOLS {
        errors.push("tools", format!("must have at most {MAX_TOOLS} entries"));
        return;
    }
    for (index, tool) in tools.iter().enumerate() {
        let field = |name: &str| format!("tools[{index}]{name}");
        match (&tool.builtin, tool.server_id, &tool.name) {
            (Some(builtin), None, None) => {
                if let Err(message) = builtin.parse::<Builtin>() {
                    errors.push(&field(".builtin"), message);
                }
            }
            (None, Some(_), Some(name)) => errors.line(&field(".name"), name, 128),
            (None, Some(_), None) => errors.push(&field(".name"), "is required"),
            (None, None, Some(_)) => errors.push(&field(".server_id"), "is required"),
            _ => errors.push(
                &field(""),
                "must have either builtin, or server_id and name",
            ),
        }
        let is_twice = tools[..index].iter().any(|before| {
            before.builtin == tool.builtin
                && before.server_id == tool.server_id
                && before.name == tool.name
        });
        if is_twice {
            errors.push(&field(""), "is the same tool as one before");
        }
    }
}
