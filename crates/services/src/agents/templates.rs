//! Agents to start from: the files of `deploy/agent-templates`.

use std::sync::LazyLock;

use domain::agents::{AgentTemplate, Limits};
use domain::tools::{AgentTool, ApprovalPolicy};
use serde::Deserialize;

/// Keys and contents, by key.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

static TEMPLATES: LazyLock<Vec<AgentTemplate>> = LazyLock::new(|| {
    let mut templates: Vec<AgentTemplate> = FILES
        .iter()
        .filter_map(|(key, file)| match read(key, file) {
            Ok(template) => Some(template),
            Err(error) => {
                tracing::error!(key, %error, "an agent template is left out");
                None
            }
        })
        .collect();
    templates.sort_by(|a, b| a.name.cmp(&b.name));
    templates
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    name: String,
    icon: String,
    summary: String,
    description: String,
    tags: Vec<String>,
    #[serde(default)]
    suggests: Vec<String>,
    temperature: Option<f32>,
    #[serde(default)]
    tools: Vec<ToolFile>,
    #[serde(default)]
    limits: Limits,
    instructions: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolFile {
    builtin: String,
    approval: Option<ApprovalPolicy>,
}

/// Every template, by name.
pub(super) fn list() -> Vec<AgentTemplate> {
    TEMPLATES.clone()
}

fn read(key: &str, file: &str) -> Result<AgentTemplate, serde_yaml_ng::Error> {
    let file: TemplateFile = serde_yaml_ng::from_str(file)?;
    let tools = file.tools.into_iter().map(|tool| AgentTool {
        server_id: None,
        name: None,
        builtin: Some(tool.builtin),
        approval: tool.approval,
    });
    Ok(AgentTemplate {
        key: key.to_owned(),
        icon: file.icon,
        summary: file.summary,
        suggests: file.suggests,
        name: file.name,
        description: file.description,
        tags: file.tags,
        instructions: file.instructions,
        temperature: file.temperature,
        tools: tools.collect(),
        limits: file.limits,
    })
}

#[cfg(test)]
mod tests {
    use domain::agents::{AgentConfig, ModelChoice};

    use super::*;

    const ICONS: &str = include_str!("../../../../public/icons.svg");

    #[test]
    fn every_template_is_complete_and_makes_a_valid_agent() {
        assert!(FILES.len() >= 8, "{} templates", FILES.len());
        let servers: Vec<String> = crate::catalog::list()
            .into_iter()
            .map(|entry| entry.key)
            .collect();

        for (key, file) in FILES {
            let template = read(key, file).unwrap_or_else(|error| panic!("{key}: {error}"));
            let config = AgentConfig {
                name: template.name.clone(),
                description: template.description.clone(),
                tags: template.tags.clone(),
                instructions: template.instructions.clone(),
                model: ModelChoice {
                    connection_id: crate::mint::id(),
                    name: "a model".to_owned(),
                    temperature: template.temperature,
                    max_output_tokens: None,
                },
                fallbacks: Vec::new(),
                tools: template.tools.clone(),
                limits: template.limits,
                conversation_titles: Default::default(),
                output_schema: None,
            };

            assert_eq!(config.validate(), Ok(()), "{key}");
            assert_eq!(config.clone().tidy(), config, "{key}");
            assert!(!template.tags.is_empty(), "{key} has no tag");
            assert!(template.summary.ends_with('.'), "{key}: its summary");
            assert!(
                template.summary.chars().count() <= 120,
                "{key}: its summary"
            );
            assert!(!template.description.is_empty(), "{key} has no description");
            assert!(
                template.instructions.lines().count() >= 10,
                "{key} says little"
            );
            let icon = format!("id=\"i-{}\"", template.icon);
            assert!(ICONS.contains(&icon), "{key}: no icon {}", template.icon);
            for server in &template.suggests {
                assert!(servers.contains(server), "{key}: no server {server}");
            }
        }
    }
}
