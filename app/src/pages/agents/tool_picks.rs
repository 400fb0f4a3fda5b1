//! Which tools an agent has, as the form sends it.

#[cfg(feature = "ssr")]
use std::str::FromStr;

use domain::tools::{AgentTool, ApprovalPolicy};
use serde::{Deserialize, Serialize};

/// A row of the form: a tool that may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolPick {
    /// Which tool; empty if it is not chosen.
    pub key: String,
    /// When a person is asked; empty leaves it to the tool.
    pub approval: String,
}

/// Names a tool in the form: `builtin:<name>` or `<server id>:<name>`.
pub fn key(tool: &AgentTool) -> String {
    match (&tool.builtin, tool.server_id, &tool.name) {
        (Some(builtin), ..) => format!("builtin:{builtin}"),
        (None, Some(server), Some(name)) => format!("{server}:{name}"),
        _ => String::new(),
    }
}

impl ToolPick {
    /// The row of a chosen tool.
    pub fn of(tool: &AgentTool) -> Self {
        let approval = tool.approval.map(ApprovalPolicy::as_str);
        Self {
            key: key(tool),
            approval: approval.unwrap_or_default().to_owned(),
        }
    }

    /// The tool that was chosen; `None` for a row that was not, or that names nothing.
    #[cfg(feature = "ssr")]
    pub fn tool(&self) -> Option<AgentTool> {
        let (place, name) = self.key.split_once(':')?;
        let approval = ApprovalPolicy::ALL
            .into_iter()
            .find(|policy| policy.as_str() == self.approval);
        let (server_id, builtin) = match place {
            "builtin" => (None, Some(name.to_owned())),
            server => (Some(FromStr::from_str(server).ok()?), None),
        };
        Some(AgentTool {
            server_id,
            name: builtin.is_none().then(|| name.to_owned()),
            builtin,
            approval,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_tools_say() {
        let server = "01890000-0000-7000-8000-000000000001";
        for (key, approval) in [
            ("builtin:calculator".to_owned(), "never"),
            (format!("{server}:files/read:all"), ""),
        ] {
            let pick = ToolPick {
                key,
                approval: approval.to_owned(),
            };

            assert_eq!(ToolPick::of(&pick.tool().expect("a tool")), pick);
        }
        assert_eq!(ToolPick::default().tool(), None);
    }
}
