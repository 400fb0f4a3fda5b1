//! Tools of tool servers, called by a run.

use domain::WorkspaceId;
use domain::tools::NAME_SEPARATOR;
use engine::{Plan, ToolOutput};
use llm::ToolSpec;
use tokio_util::sync::CancellationToken;

use crate::tool_servers::{KnownTool, ToolCallOptions, ToolServers};

/// Longest name that every model provider takes.
const MAX_NAME: usize = 64;

/// The tool servers of one run's workspace.
pub(crate) struct ServerTools {
    pub(crate) servers: ToolServers,
    pub(crate) workspace_id: WorkspaceId,
}

impl ServerTools {
    /// Calls a tool as it was planned, unless its definition has changed since.
    pub(crate) async fn call(&self, plan: &Plan, cancel: CancellationToken) -> ToolOutput {
        let Some(server_id) = plan.server_id else {
            return ToolOutput::error("this tool does not exist any more");
        };
        let wanted = [(server_id, plan.tool.clone())];
        match self.servers.definitions(self.workspace_id, &wanted).await {
            Ok(known)
                if known
                    .iter()
                    .any(|tool| tool.definition_hash != plan.definition_hash) =>
            {
                return ToolOutput::error(
                    "the tool's definition has changed since this call was planned; it was not called",
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %error, "a tool's definition cannot be read");
                return ToolOutput::error(
                    "the tool cannot be looked up right now; try again later",
                );
            }
        }
        let options = ToolCallOptions {
            patience: self.servers.call_patience(),
            cancel: &cancel,
            on_progress: None,
            on_log: None,
            on_question: None,
        };
        let arguments = plan.arguments.clone();
        let called =
            self.servers
                .call(self.workspace_id, server_id, &plan.tool, arguments, options);
        match called.await {
            Ok(output) => ToolOutput {
                text: output.text(),
                is_error: output.is_error(),
            },
            Err(error) => ToolOutput::error(error.to_string()),
        }
    }
}

/// `<server>__<tool>` in the letters that models take, and unlike those before it.
pub(crate) fn model_name(known: &KnownTool, before: &[ToolSpec]) -> String {
    let whole = format!("{}{NAME_SEPARATOR}{}", known.server, known.definition.name);
    let plain: String = whole
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') => c,
            _ => '_',
        })
        .take(MAX_NAME)
        .collect();
    let is_free = |name: &String| before.iter().all(|spec| spec.name != *name);
    if is_free(&plain) {
        return plain;
    }
    let numbered = (2..).map(|number| {
        let end = format!("_{number}");
        let kept = &plain[..plain.len().min(MAX_NAME - end.len())];
        format!("{kept}{end}")
    });
    numbered
        .into_iter()
        .find(is_free)
        .expect("there are more numbers than tools")
}
