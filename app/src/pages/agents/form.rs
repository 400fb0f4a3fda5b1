//! What the agent form sends: text as typed, turned into a config or into field errors.

#[cfg(feature = "ssr")]
use std::str::FromStr;

use domain::agents::AgentConfig;
#[cfg(feature = "ssr")]
use domain::{
    Error, FieldErrors,
    agents::{Limits, ModelChoice},
};
use serde::{Deserialize, Serialize};

use crate::pages::agents::tool_picks::ToolPick;

/// The form as typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentForm {
    /// Shown name.
    pub name: String,
    /// What it is for.
    pub description: String,
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
    /// Id of the connection to ask when that one fails; empty for none.
    pub fallback_connection_id: String,
    /// Name of the model there.
    pub fallback_model: String,
    /// Seconds.
    pub max_seconds: String,
    /// A row for each tool that may be chosen.
    pub tools: Vec<ToolPick>,
}

impl AgentForm {
    /// The form of a saved config.
    pub fn of(config: &AgentConfig) -> Self {
        let optional = |number: Option<String>| number.unwrap_or_default();
        let fallback = config.fallbacks.first();
        Self {
            name: config.name.clone(),
            description: config.description.clone(),
            instructions: config.instructions.clone(),
            connection_id: config.model.connection_id.to_string(),
            model: config.model.name.clone(),
            temperature: optional(config.model.temperature.map(|value| value.to_string())),
            max_output_tokens: optional(
                config
                    .model
                    .max_output_tokens
                    .map(|value| value.to_string()),
            ),
            fallback_connection_id: optional(
                fallback.map(|choice| choice.connection_id.to_string()),
            ),
            fallback_model: optional(fallback.map(|choice| choice.name.clone())),
            max_seconds: config.limits.max_seconds.to_string(),
            tools: config.tools.iter().map(ToolPick::of).collect(),
        }
    }
}

#[cfg(feature = "ssr")]
impl AgentForm {
    /// The config that was typed; limits without a field are taken from `limits`.
    ///
    /// # Errors
    /// `Invalid` naming each field that is no number or no choice.
    pub fn config(self, limits: Limits) -> Result<AgentConfig, Error> {
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
        let max_seconds = number(&mut errors, "limits.max_seconds", &self.max_seconds);
        let fallbacks = fallbacks(
            &mut errors,
            &self.fallback_connection_id,
            &self.fallback_model,
        );
        errors.finish()?;
        let connection_id = connection_id
            .ok_or_else(|| Error::invalid("model.connection_id", "choose a connection"))?;
        Ok(AgentConfig {
            name: self.name.trim().to_owned(),
            description: self.description.trim().to_owned(),
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
            limits: Limits {
                max_seconds: max_seconds.unwrap_or(limits.max_seconds),
                ..limits
            },
        })
    }
}

/// The fallback that was chosen, if there is one.
#[cfg(feature = "ssr")]
fn fallbacks(errors: &mut FieldErrors, connection_id: &str, model: &str) -> Vec<ModelChoice> {
    let (connection_id, model) = (connection_id.trim(), model.trim());
    if connection_id.is_empty() {
        return Vec::new();
    }
    let Ok(connection_id) = connection_id.parse() else {
        errors.push("fallbacks[0].connection_id", "choose a connection");
        return Vec::new();
    };
    vec![ModelChoice {
        connection_id,
        name: model.to_owned(),
        temperature: None,
        max_output_tokens: None,
    }]
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

    #[test]
    fn words_for_numbers_are_field_errors() {
        let form = AgentForm {
            temperature: "warm".into(),
            ..AgentForm::default()
        };

        let error = form.config(Limits::default()).expect_err("is invalid");

        assert_eq!(error.field("model.temperature"), Some("must be a number"));
        assert_eq!(
            error.field("model.connection_id"),
            Some("choose a connection")
        );
    }

    #[test]
    fn empty_numbers_leave_it_to_the_provider() {
        let form = AgentForm {
            connection_id: "01890000-0000-7000-8000-000000000001".into(),
            instructions: "one\r\ntwo".into(),
            ..AgentForm::default()
        };

        let config = form.config(Limits::default()).expect("is valid");

        assert_eq!(config.model.temperature, None);
        assert_eq!(config.instructions, "one\ntwo");
        assert_eq!(config.limits, Limits::default());
    }
}
