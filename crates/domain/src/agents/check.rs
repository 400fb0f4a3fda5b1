//! What a config must be like, as far as that needs no look-up.

use crate::agents::{
    AgentConfig, MAX_AGENT_NAME_CHARS, MAX_FALLBACKS, MAX_SCHEMA_CHARS, MAX_TAG_CHARS, MAX_TAGS,
    ModelChoice,
};
use crate::models::MAX_NAME_CHARS;
use crate::{Error, FieldErrors, tools};

impl AgentConfig {
    /// The same without blanks around names, and with tags in lower case, each once.
    pub fn tidy(mut self) -> Self {
        self.name = self.name.trim().to_owned();
        for choice in std::iter::once(&mut self.model).chain(&mut self.fallbacks) {
            choice.name = choice.name.trim().to_owned();
        }
        let mut tags: Vec<String> = Vec::with_capacity(self.tags.len());
        for tag in &self.tags {
            let tag = tidy_tag(tag);
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        self.tags = tags;
        self
    }

    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", &self.name, MAX_AGENT_NAME_CHARS);
        errors.text("description", &self.description, 500);
        self.check_tags(&mut errors);
        errors.text("instructions", &self.instructions, 50_000);
        self.model.check(&mut errors, "model");
        self.check_fallbacks(&mut errors);
        tools::check(&mut errors, &self.tools);
        if let Some(schema) = &self.output_schema {
            if !schema.is_object() {
                errors.push("output_schema", "must be a JSON object");
            }
            errors.text("output_schema", &schema.to_string(), MAX_SCHEMA_CHARS);
        }
        if !(1..=100).contains(&self.limits.max_iterations) {
            errors.push("limits.max_iterations", "must be between 1 and 100");
        }
        if !(1..=86_400).contains(&self.limits.max_seconds) {
            errors.push("limits.max_seconds", "must be between 1 and 86400");
        }
        errors.finish()
    }
}

impl AgentConfig {
    fn check_tags(&self, errors: &mut FieldErrors) {
        if self.tags.len() > MAX_TAGS {
            errors.push("tags", format!("must have at most {MAX_TAGS} entries"));
            return;
        }
        for (index, tag) in self.tags.iter().enumerate() {
            errors.line(&format!("tags[{index}]"), tag, MAX_TAG_CHARS);
        }
    }

    fn check_fallbacks(&self, errors: &mut FieldErrors) {
        if self.fallbacks.len() > MAX_FALLBACKS {
            let message = format!("must have at most {MAX_FALLBACKS} entries");
            errors.push("fallbacks", message);
            return;
        }
        for (index, fallback) in self.fallbacks.iter().enumerate() {
            let field = format!("fallbacks[{index}]");
            fallback.check(errors, &field);
            let is_asked_before = std::iter::once(&self.model)
                .chain(&self.fallbacks[..index])
                .any(|before| before.is_same_model(fallback));
            if is_asked_before {
                errors.push(&field, "is asked already; choose another model");
            }
        }
    }
}

impl ModelChoice {
    fn check(&self, errors: &mut FieldErrors, field: &str) {
        errors.line(&format!("{field}.name"), &self.name, MAX_NAME_CHARS);
        if self
            .temperature
            .is_some_and(|value| !(0.0..=2.0).contains(&value))
        {
            errors.push(&format!("{field}.temperature"), "must be between 0 and 2");
        }
        if self.max_output_tokens == Some(0) {
            errors.push(&format!("{field}.max_output_tokens"), "must be at least 1");
        }
    }

    fn is_same_model(&self, other: &Self) -> bool {
        self.connection_id == other.connection_id && self.name.trim() == other.name.trim()
    }
}

/// A tag as it is kept.
pub(super) fn tidy_tag(tag: &str) -> String {
    tag.trim().to_lowercase()
}
