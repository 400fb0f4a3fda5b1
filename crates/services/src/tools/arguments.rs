//! Checks values against JSON Schemas, and says what is wrong so that a model, or a person, can mend
//! it.

use jsonschema::Validator;
use serde_json::Value;

/// Complaints told at once.
const MAX_COMPLAINTS: usize = 5;
/// Characters of one complaint.
const COMPLAINT_CHARS: usize = 300;

/// What a tool takes.
pub(crate) struct Arguments {
    schema: Schema,
}

/// The form of a value.
pub(crate) struct Schema {
    /// `None` if the schema itself is broken: then the tool's own server must complain.
    validator: Option<Validator>,
}

/// Whether a JSON Schema makes sense.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_schema(schema: &Value) -> Result<(), String> {
    let checked = jsonschema::validator_for(schema);
    checked.map(|_| ()).map_err(|error| cut(&error.to_string()))
}

fn cut(text: &str) -> String {
    text.chars().take(COMPLAINT_CHARS).collect()
}

/// Reads JSON that a model wrote, with a mark in place of each NUL: Postgres stores none.
///
/// # Errors
/// If it is no JSON.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    let mut value = serde_json::from_str(text)?;
    if text.contains("\\u0000") {
        replace_nul(&mut value);
    }
    Ok(value)
}

fn replace_nul(value: &mut Value) {
    let replaced = |text: &str| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) => *text = replaced(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    replace_nul(&mut value);
                    (replaced(&name), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Arguments {
    /// Reads a JSON Schema; references to other documents are never followed.
    pub(crate) fn new(schema: &Value) -> Self {
        Self {
            schema: Schema::new(schema),
        }
    }

    /// Reads arguments as a model wrote them. Nothing at all stands for no arguments.
    ///
    /// # Errors
    /// What is wrong, for the model.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let arguments = match text.trim() {
            "" => Value::Object(Default::default()),
            text => {
                read(text).map_err(|error| format!("the arguments are not valid JSON: {error}"))?
            }
        };
        self.check(&arguments)?;
        Ok(arguments)
    }

    /// Checks arguments.
    ///
    /// # Errors
    /// What is wrong, for whoever gave them.
    pub(crate) fn check(&self, arguments: &Value) -> Result<(), String> {
        if !arguments.is_object() {
            return Err("the arguments must be a JSON object".to_owned());
        }
        let checked = self.schema.check(arguments);
        checked.map_err(|why| format!("the arguments do not fit the tool's schema: {why}"))
    }
}

impl Schema {
    /// Reads a JSON Schema; references to other documents are never followed.
    pub(crate) fn new(schema: &Value) -> Self {
        Self {
            validator: jsonschema::validator_for(schema).ok(),
        }
    }

    /// Checks a text that shall be JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_text(&self, text: &str) -> Result<(), String> {
        let value = serde_json::from_str(text).map_err(|error| format!("no JSON ({error})"))?;
        self.check(&value)
    }

    /// Checks a value.
    fn check(&self, value: &Value) -> Result<(), String> {
        let Some(validator) = &self.validator else {
            return Ok(());
        };
        let complaints: Vec<String> = validator
            .iter_errors(value)
            .take(MAX_COMPLAINTS)
            .map(|error| {
                let place = error.instance_path().to_string();
                let text = cut(&error.to_string());
                match place.is_empty() {
                    true => text,
                    false => format!("{place}: {text}"),
                }
            })
            .collect();
        match complaints[..] {
            [] => Ok(()),
            _ => Err(complaints.join("; ")),
        }
    }
}
