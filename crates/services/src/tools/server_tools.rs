//! Tools of tool servers, called by a run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::budgets::dollars;
use domain::events::EventBody;
use domain::tools::NAME_SEPARATOR;
use domain::{AgentId, CallId, WorkspaceId};
use engine::{Allowance, Plan, ToolOutput};
use llm::ToolSpec;
use tokio_util::sync::CancellationToken;

use crate::call_costs::{CallCosts, NoMoney, PricedCall};
use crate::tool_servers::{KnownTool, ToolCallOptions, ToolServers};

/// Longest name that every model provider takes.
const MAX_NAME: usize = 64;

/// The tool servers of one run's workspace.
pub(crate) struct ServerTools {
    pub(crate) servers: ToolServers,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) agent_id: AgentId,
    /// Who pays for calls that cost something.
    pub(crate) costs: CallCosts,
    /// Events for the log.
    pub(crate) notices: Arc<Mutex<Vec<EventBody>>>,
}

impl ServerTools {
    /// Calls a tool as it was planned, unless its definition has changed since or there is no money
    /// for it.
    pub(crate) async fn call(
        &self,
        id: CallId,
        plan: &Plan,
        allowance: &Allowance,
        cancel: CancellationToken,
    ) -> ToolOutput {
        let Some(server_id) = plan.server_id else {
            return ToolOutput::error("this tool does not exist any more");
        };
        let wanted = [(server_id, plan.tool.clone())];
        let price = match self.servers.definitions(self.workspace_id, &wanted).await {
            Ok(known)
                if known
                    .iter()
                    .any(|tool| tool.definition_hash != plan.definition_hash) =>
            {
                return ToolOutput::error(
                    "the tool's definition has changed since this call was planned; it was not called",
                );
            }
            Ok(known) => known.first().map_or(0, |tool| tool.call_price_usd_micros),
            Err(error) => {
                tracing::warn!(error = %error, "a tool's definition cannot be read");
                return ToolOutput::error(
                    "the tool cannot be looked up right now; try again later",
                );
            }
        };
        let patience = self.servers.call_patience();
        if let Err(why) = self.pay(id, price, patience.longest, allowance).await {
            return ToolOutput::error(why);
        }
        let options = ToolCallOptions {
            patience,
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
                cost_usd_micros: price,
            },
            Err(error) => ToolOutput {
                cost_usd_micros: if error.may_have_acted() { price } else { 0 },
                ..ToolOutput::error(error.to_string())
            },
        }
    }

    /// Sets aside what a call costs, of the run's own money and of the budgets; an error says why
    /// there is not enough.
    async fn pay(
        &self,
        id: CallId,
        price: u64,
        timeout: Duration,
        allowance: &Allowance,
    ) -> Result<(), String> {
        if price == 0 {
            return Ok(());
        }
        if !allowance.take(price) {
            return Err(format!(
                "this call costs {}, more than the run may still spend; it was not made",
                dollars(price)
            ));
        }
        let reserved = self.costs.reserve(PricedCall {
            workspace_id: self.workspace_id,
            agent_id: Some(self.agent_id),
            id: id.uuid(),
            usd_micros: price,
            timeout,
        });
        let (events, result) = match reserved.await {
            Ok(warnings) => (warnings, Ok(())),
            Err(NoMoney { message, event }) => (
                event.into_iter().map(|event| *event).collect(),
                Err(format!("{message}; the call was not made")),
            ),
        };
        let mut notices = self.notices.lock().expect("no holder panics");
        notices.extend(events);
        result
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
