//! What the agent form sends: text as typed, turned into a config or into field errors.

#[cfg(feature = "ssr")]
use std::str::FromStr;

#[cfg(feature = "ssr")]
use domain::{
    Error, FieldErrors,
    agents::{AgentConfig, AgentTemplate, ConversationTitles, Limits, ModelChoice},
};
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::money::typed;
use crate::pages::agents::fallback_rows::FallbackRow;
#[cfg(feature = "ssr")]
use crate::pages::agents::fallback_rows::Rows;
use crate::pages::agents::tool_picks::ToolPick;

/// The model writes titles.
#[cfg(feature = "ssr")]
const MODEL: &str = "model";

/// The form as typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentForm {
    /// Shown name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Words to find it by, with commas between them.
    pub tags: String,
    /// The system prompt.
    pub instructions: String,
    /// Id of the chosen connection.
    pub connection_id: String,
    /// Name of the model there.
    pub model: String,
    /// A number, or empty for the provider's choice.
    pub temperature: String,
    /// A number of tokens, or empty for the provider's choice.
    pub max_output_tokens: String,
    /// A row for each model that may stand in.
    pub fallbacks: Vec<FallbackRow>,
    /// Seconds.
    pub max_seconds: String,
    /// Calls of the model.
    pub max_iterations: String,
    /// Tokens of answer, or empty for no limit.
    pub max_tokens: String,
    /// Dollars, or empty for no limit.
    pub max_cost: String,
    /// A row for each tool that may be chosen.
    pub tools: Vec<ToolPick>,
    /// `model` or nothing: who writes titles of conversations.
    pub conversation_titles: String,
    /// JSON, or empty for answers that are text.
    pub output_schema: String,
}

#[cfg(feature = "ssr")]
impl AgentForm {
    /// The form of a saved config.
    pub fn of(config: &AgentConfig) -> Self {
        let model = &config.model;
        Self {
            name: config.name.clone(),
            description: config.description.clone(),
            tags: config.tags.join(", "),
            instructions: config.instructions.clone(),
            connection_id: model.connection_id.to_string(),
            model: model.name.clone(),
            temperature: shown(model.temperature),
            max_output_tokens: shown(model.max_output_tokens),
            fallbacks: config.fallbacks.iter().map(FallbackRow::of).collect(),
            tools: config.tools.iter().map(ToolPick::of).collect(),
            conversation_titles: match config.conversation_titles {
                ConversationTitles::FirstWords => String::new(),
                ConversationTitles::Model => MODEL.to_owned(),
            },
            output_schema: config
                .output_schema
                .as_ref()
                .map_or_else(String::new, |schema| format!("{schema:#}")),
            ..Self::limited(config.limits)
        }
    }

    /// The form of a template, which has no model yet.
    pub fn of_template(template: &AgentTemplate) -> Self {
        Self {
            name: template.name.clone(),
            description: template.description.clone(),
            tags: template.tags.join(", "),
            instructions: template.instructions.clone(),
            temperature: shown(template.temperature),
            tools: template.tools.iter().map(ToolPick::of).collect(),
            ..Self::limited(template.limits)
        }
    }

    /// An empty form with limits. Whoever makes an agent here wants conversations to have names.
    pub fn limited(limits: Limits) -> Self {
        Self {
            max_seconds: limits.max_seconds.to_string(),
            max_iterations: limits.max_iterations.to_string(),
            max_tokens: shown(limits.max_tokens),
            max_cost: limits.max_cost_usd_micros.map_or_else(String::new, typed),
            conversation_titles: MODEL.to_owned(),
            ..Self::default()
        }
    }
}

#[cfg(feature = "ssr")]
fn shown(number: Option<impl ToString>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

#[cfg(feature = "ssr")]
impl AgentForm {
    /// The config that was typed, and in which rows its fallbacks stand. What has no field is taken
    /// from the saved config.
    ///
    /// # Errors
    /// `Invalid` naming each field that is no number or no choice.
    pub fn config(self, saved: Option<&AgentConfig>) -> Result<(AgentConfig, Rows), Error> {
        let mut errors = FieldErrors::default();
        let connection_id = self.connection_id.trim().parse().ok();
        if connection_id.is_none() {
            errors.push("model.connection_id", "choose a connection");
        }
        let temperature = number(&mut errors, "model.temperature", &self.temperature);
        let max_output_tokens = number(
            &mut errors,
            "model.max_output_tokens",
            &self.max_output_tokens,
        );
        let limits = saved.map(|saved| saved.limits).unwrap_or_default();
        let limits = self.limits(&mut errors, limits);
        let schema = self.output_schema.trim();
        let output_schema = (!schema.is_empty()).then(|| serde_json::from_str(schema));
        if let Some(Err(error)) = &output_schema {
            errors.push("output_schema", format!("must be JSON: {error}"));
        }
        let output_schema = output_schema.and_then(Result::ok);
        let known = saved.map_or(&[][..], |saved| &saved.fallbacks);
        let (fallbacks, rows) = Rows::read(&self.fallbacks, known, &mut errors);
        errors.finish()?;
        let connection_id = connection_id
            .ok_or_else(|| Error::invalid("model.connection_id", "choose a connection"))?;
        let tags = self.tags.split(',').map(str::trim);
        let config = AgentConfig {
            name: self.name.trim().to_owned(),
            description: self.description.trim().to_owned(),
            tags: tags
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
            // Browsers send line breaks as CRLF.
            instructions: self.instructions.replace("\r\n", "\n"),
            model: ModelChoice {
                connection_id,
                name: self.model.trim().to_owned(),
                temperature,
                max_output_tokens,
            },
            fallbacks,
            tools: self.tools.iter().filter_map(ToolPick::tool).collect(),
            limits,
            conversation_titles: match self.conversation_titles.as_str() {
                MODEL => ConversationTitles::Model,
                _ => ConversationTitles::FirstWords,
            },
            output_schema,
        };
        Ok((config, rows))
    }

    fn limits(&self, errors: &mut FieldErrors, saved: Limits) -> Limits {
        let max_seconds = number(errors, "limits.max_seconds", &self.max_seconds);
        let max_iterations = number(errors, "limits.max_iterations", &self.max_iterations);
        let cost = self.max_cost.trim();
        let max_cost_usd_micros = crate::money::micros(cost);
        if !cost.is_empty() && max_cost_usd_micros.is_none() {
            let message = "must be an amount such as 0.50";
            errors.push("limits.max_cost_usd_micros", message);
        }
        Limits {
            max_seconds: max_seconds.unwrap_or(saved.max_seconds),
            max_iterations: max_iterations.unwrap_or(saved.max_iterations),
            max_tokens: number(errors, "limits.max_tokens", &self.max_tokens),
            max_cost_usd_micros,
        }
    }
}

#[cfg(feature = "ssr")]
fn number<T: FromStr>(errors: &mut FieldErrors, field: &str, text: &str) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let number = text.replace(',', "").parse().ok();
    if number.is_none() {
        errors.push(field, "must be a number");
    }
    number
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    const CONNECTION: &str = "01890000-0000-7000-8000-000000000001";

    #[test]
    fn words_for_numbers_are_field_errors() {
        let form = AgentForm {
            temperature: "warm".into(),
            max_cost: "two".into(),
            ..AgentForm::default()
        };

        let error = form.config(None).expect_err("is invalid");

        assert_eq!(error.field("model.temperature"), Some("must be a number"));
        assert_eq!(
            error.field("limits.max_cost_usd_micros"),
            Some("must be an amount such as 0.50")
        );
        assert_eq!(
            error.field("model.connection_id"),
            Some("choose a connection")
        );
    }

    #[test]
    fn empty_numbers_leave_it_to_the_provider() {
        let form = AgentForm {
            connection_id: CONNECTION.into(),
            instructions: "one\r\ntwo".into(),
            tags: " ops, ,Research,".into(),
            ..AgentForm::default()
        };

        let (config, _) = form.config(None).expect("is valid");

        assert_eq!(config.model.temperature, None);
        assert_eq!(config.instructions, "one\ntwo");
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.tags, ["ops", "Research"]);
    }

    #[test]
    fn saved_config_survives_its_form() {
        let choice = |name: &str, temperature| ModelChoice {
            connection_id: CONNECTION.parse().expect("an id"),
            name: name.to_owned(),
            temperature,
            max_output_tokens: None,
        };
        let config = AgentConfig {
            name: "Scout".into(),
            description: "Looks ahead".into(),
            tags: vec!["ops".into(), "two words".into()],
            instructions: "Be brief.".into(),
            model: choice("large", Some(0.5)),
            fallbacks: vec![choice("small", Some(1.5)), choice("tiny", None)],
            tools: Vec::new(),
            limits: Limits {
                max_iterations: 3,
                max_tokens: Some(1_000),
                max_cost_usd_micros: Some(250_000),
                max_seconds: 60,
            },
            conversation_titles: ConversationTitles::Model,
            output_schema: Some(serde_json::json!({"type": "object"})),
        };

        let (typed, _) = AgentForm::of(&config).config(Some(&config)).expect("valid");

        assert_eq!(typed, config);
    }
}
