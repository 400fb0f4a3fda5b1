//! Whether arguments are what a tool asks for.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Errors that are told at once.
const MAX_ERRORS: usize = 8;
/// Longest telling of one error: it may quote the argument.
const MAX_ERROR_CHARS: usize = 300;

/// A tool's schema, made ready once to check the arguments of many calls.
///
/// References to other documents are not followed, and patterns run in linear time. A schema that is
/// none is not held against the arguments, as long as they are an object.
#[derive(Debug)]
pub struct ArgumentCheck(Option<Validator>);

impl ArgumentCheck {
    /// Makes a schema ready, which takes far longer than a check.
    pub fn new(schema: &Value) -> Self {
        Self(compile(schema))
    }

    /// Checks the arguments of one call.
    ///
    /// # Errors
    /// What is wrong with them, for whoever made them.
    pub fn check(&self, arguments: &Value) -> Result<(), String> {
        if !arguments.is_object() {
            return Err("the arguments must be a JSON object".to_owned());
        }
        match &self.0 {
            Some(validator) if !validator.is_valid(arguments) => told(validator, arguments),
            _ => Ok(()),
        }
    }
}

/// Checks arguments against a tool's schema, as an [`ArgumentCheck`] does.
///
/// # Errors
/// What is wrong with the arguments, for whoever made them.
pub fn check_arguments(schema: &Value, arguments: &Value) -> Result<(), String> {
    ArgumentCheck::new(schema).check(arguments)
}

fn told(validator: &Validator, arguments: &Value) -> Result<(), String> {
    let errors: Vec<String> = validator
        .iter_errors(arguments)
        .take(MAX_ERRORS)
        .map(|error| {
            let place = error.instance_path().to_string();
            let text: String = error.to_string().chars().take(MAX_ERROR_CHARS).collect();
            match place.is_empty() {
                true => text,
                false => format!("{place}: {text}"),
            }
        })
        .collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors.join("; ")),
    }
}

fn compile(schema: &Value) -> Option<Validator> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_arguments_are_told_by_place() {
        let schema = json!({"type": "object", "required": ["a"],
            "properties": {"a": {"type": "number"}, "b": {"enum": ["x"]}}});

        assert_eq!(check_arguments(&schema, &json!({"a": 1})), Ok(()));
        let told = check_arguments(&schema, &json!({"b": "y"})).expect_err("wrong");
        assert!(told.contains("\"a\" is a required property"), "{told}");
        assert!(told.contains("/b: "), "{told}");
        assert!(check_arguments(&schema, &json!([])).is_err());
    }

    #[test]
    fn hostile_schemas_do_no_harm() {
        let hostile = [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
            json!({"$ref": "http://127.0.0.1:9/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"type": 7}),
            json!({"properties": {"a": {"pattern": "(a+)+$"}}}),
            json!({"properties": {"a": {"pattern": "("}}}),
            json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
                "$ref": "#/$defs/a"}),
        ];
        let arguments = json!({"a": "a".repeat(10_000) + "b"});

        for schema in hostile {
            let started = std::time::Instant::now();
            let _ = check_arguments(&schema, &arguments);
            assert!(started.elapsed().as_secs() < 10, "{schema}");
        }
    }
}
