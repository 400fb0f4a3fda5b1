//! The tools of one run, as the agent runtime sees them.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::CallId;
use domain::approvals::ApprovalReason;
use domain::mcp_servers::McpToolState;
use domain::tools::{AgentTool, ApprovalPolicy, Builtin};
use engine::{Allowance, BUILTIN, Plan, ToolOutput, Toolbox, Verdict};
use llm::{ToolCall, ToolSpec};
use serde_json::Value;
use store::approvals::UsedTool;
use tokio_util::sync::CancellationToken;

use super::server_tools::{ServerTools, model_name};
use super::{Arguments, Builtins, ConversationFiles};
use crate::tool_servers::KnownTool;

/// The tools of one run.
pub(crate) struct RunToolbox {
    specs: Arc<[ToolSpec]>,
    /// Beside `specs`, one for one.
    tools: Vec<Tool>,
    /// What people have let this conversation use.
    approved: HashSet<UsedTool>,
    builtins: Arc<Builtins>,
    files: ConversationFiles,
    servers: ServerTools,
}

struct Tool {
    what: What,
    policy: ApprovalPolicy,
    arguments: Arguments,
}

enum What {
    Builtin(Builtin),
    Server(Box<KnownTool>),
}

impl RunToolbox {
    /// The tools that an agent's version names; `known` are those of servers. Tools that are not
    /// known or wait to be accepted are left out.
    pub(crate) fn new(
        tools: &[AgentTool],
        known: Vec<KnownTool>,
        approved: impl IntoIterator<Item = UsedTool>,
        (builtins, files): (Arc<Builtins>, ConversationFiles),
        servers: ServerTools,
    ) -> Self {
        let mut toolbox = Vec::with_capacity(tools.len());
        let mut specs = Vec::with_capacity(tools.len());
        for tool in tools {
            let builtin = tool.builtin.as_deref().and_then(|name| name.parse().ok());
            if let Some(builtin) = builtin {
                let spec = Builtins::spec(builtin);
                toolbox.push(Tool {
                    what: What::Builtin(builtin),
                    policy: tool.approval.unwrap_or(ApprovalPolicy::Never),
                    arguments: Arguments::new(&spec.input_schema),
                });
                specs.push(spec);
            }
        }
        for known in known {
            let chosen = tools.iter().find(|tool| {
                tool.server_id == Some(known.server_id)
                    && tool.name.as_deref() == Some(known.definition.name.as_str())
            });
            let (Some(chosen), McpToolState::Active) = (chosen, known.state) else {
                continue;
            };
            let spec = ToolSpec {
                name: model_name(&known, &specs),
                description: known.definition.description.clone(),
                input_schema: known.definition.input_schema.clone(),
            };
            let usual = match known.is_read_only() {
                true => ApprovalPolicy::Never,
                false => ApprovalPolicy::Always,
            };
            toolbox.push(Tool {
                policy: chosen.approval.unwrap_or(usual),
                arguments: Arguments::new(&spec.input_schema),
                what: What::Server(Box::new(known)),
            });
            specs.push(spec);
        }
        Self {
            specs: specs.into(),
            tools: toolbox,
            approved: approved.into_iter().collect(),
            builtins,
            files,
            servers,
        }
    }

    fn verdict(&self, tool: &Tool, used: UsedTool) -> Verdict {
        match tool.policy {
            ApprovalPolicy::Never => Verdict::Call,
            ApprovalPolicy::FirstUse if self.approved.contains(&used) => Verdict::Call,
            // What people let this conversation use was another tool of the same name.
            ApprovalPolicy::FirstUse if self.approved.iter().any(|it| it.is_same_tool(&used)) => {
                Verdict::Ask(ApprovalReason::ChangedDefinition)
            }
            ApprovalPolicy::FirstUse | ApprovalPolicy::Always => {
                Verdict::Ask(ApprovalReason::Policy)
            }
        }
    }
}

#[async_trait]
impl Toolbox for RunToolbox {
    fn specs(&self) -> Arc<[ToolSpec]> {
        self.specs.clone()
    }

    fn plan(&self, call: &ToolCall) -> Plan {
        let found = self
            .specs
            .iter()
            .zip(&self.tools)
            .find(|(spec, _)| spec.name == call.name);
        let Some((_, tool)) = found else {
            return unknown(call, &self.specs);
        };
        let mut plan = match &tool.what {
            What::Builtin(builtin) => Plan {
                server_id: None,
                server: BUILTIN.to_owned(),
                tool: builtin.as_str().to_owned(),
                arguments: Value::Null,
                is_repeatable: true,
                definition_hash: String::new(),
                verdict: Verdict::Call,
            },
            What::Server(known) => Plan {
                server_id: Some(known.server_id),
                server: known.server.clone(),
                tool: known.definition.name.clone(),
                arguments: Value::Null,
                is_repeatable: known.is_idempotent(),
                definition_hash: known.definition_hash.clone(),
                verdict: Verdict::Call,
            },
        };
        match tool.arguments.parse(&call.arguments) {
            Ok(arguments) => {
                plan.arguments = arguments;
                let used = UsedTool {
                    server_id: plan.server_id,
                    tool: plan.tool.clone(),
                    definition_hash: plan.definition_hash.clone(),
                };
                plan.verdict = self.verdict(tool, used);
            }
            Err(why) => {
                plan.arguments = as_written(&call.arguments);
                plan.verdict = Verdict::Refuse(why);
            }
        }
        plan
    }

    async fn call(
        &self,
        id: CallId,
        plan: &Plan,
        allowance: &Allowance,
        cancel: CancellationToken,
    ) -> ToolOutput {
        if plan.server_id.is_some() {
            return self.servers.call(id, plan, allowance, cancel).await;
        }
        let Ok(builtin) = plan.tool.parse::<Builtin>() else {
            return ToolOutput::error("this tool does not exist any more");
        };
        let arguments = &plan.arguments;
        self.builtins
            .call(builtin, arguments, &self.files, cancel)
            .await
    }
}

fn unknown(call: &ToolCall, specs: &[ToolSpec]) -> Plan {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let (server, tool) = call
        .name
        .split_once(domain::tools::NAME_SEPARATOR)
        .unwrap_or((BUILTIN, &call.name));
    Plan {
        server_id: None,
        server: server.to_owned(),
        tool: tool.to_owned(),
        arguments: as_written(&call.arguments),
        is_repeatable: true,
        definition_hash: String::new(),
        verdict: Verdict::Refuse(format!(
            "there is no tool called {:?}; the tools are: {}",
            call.name,
            names.join(", ")
        )),
    }
}

/// Arguments that cannot be used, for people to see.
fn as_written(arguments: &str) -> Value {
    super::arguments::read(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}
