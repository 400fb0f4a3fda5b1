//! From typed fields to a tool's arguments.

use std::collections::HashMap;

use domain::{Error, FieldErrors};
use serde_json::{Map, Value};

/// Reads each field as its schema asks; fields left empty are left out.
///
/// # Errors
/// `Invalid` naming each field that cannot be read.
pub fn arguments(schema: &Value, fields: HashMap<String, String>) -> Result<Value, Error> {
    let mut errors = FieldErrors::default();
    let mut arguments = Map::new();
    for (name, text) in fields {
        if text.trim().is_empty() {
            continue;
        }
        match value(&schema["properties"][&name], &text) {
            Some(value) => {
                arguments.insert(name, value);
            }
            None => errors.push(&name, "cannot be read; check the kind of value it takes"),
        }
    }
    errors.finish()?;
    Ok(Value::Object(arguments))
}

fn value(schema: &Value, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    match schema["type"].as_str() {
        Some("integer") => trimmed.parse::<i64>().ok().map(Value::from),
        Some("number") => trimmed.parse::<f64>().ok().map(Value::from),
        Some("boolean") => trimmed.parse::<bool>().ok().map(Value::from),
        // Browsers send line breaks as CRLF.
        Some("string") => Some(Value::from(text.replace("\r\n", "\n"))),
        Some(_) => serde_json::from_str(trimmed).ok(),
        // Anything goes: JSON if it is some, else the words.
        None => Some(serde_json::from_str(trimmed).unwrap_or_else(|_| Value::from(text))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn fields_are_read_as_their_schema_asks() {
        let schema = json!({"properties": {
            "text": {"type": "string"}, "count": {"type": "integer"}, "on": {"type": "boolean"},
            "list": {"type": "array"}, "any": {}}});
        let typed = fields(&[
            ("text", "42"),
            ("count", " 42 "),
            ("on", "true"),
            ("list", "[1]"),
            ("any", "words"),
        ]);

        let read = arguments(&schema, typed).expect("readable");

        assert_eq!(
            read,
            json!({"text": "42", "count": 42, "on": true, "list": [1], "any": "words"})
        );
    }

    #[test]
    fn unreadable_fields_are_named() {
        let schema = json!({"properties": {"count": {"type": "integer"}}});

        let error = arguments(&schema, fields(&[("count", "many")])).expect_err("unreadable");

        assert!(error.field("count").is_some());
        assert_eq!(arguments(&schema, fields(&[("count", "")])), Ok(json!({})));
    }
}
