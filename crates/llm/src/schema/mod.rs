//! The form of an answer, as providers are told of it.

mod closed;

use std::borrow::Cow;

use serde_json::{Value, json};

pub(crate) use self::closed::closed;

/// What answers are called where the format wants a name.
pub(crate) const NAME: &str = "answer";

/// Whether a schema keeps to the narrow form in which OpenAI guarantees it: every object is closed
/// and all its fields are required.
pub(crate) fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let is_object = fields.get("type").is_some_and(|it| it == "object")
                || fields.contains_key("properties");
            (!is_object || is_closed(schema)) && fields.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

fn is_closed(object: &Value) -> bool {
    let Some(properties) = object["properties"].as_object() else {
        return false;
    };
    let required = object["required"].as_array();
    object["additionalProperties"] == false
        && properties
            .keys()
            .all(|name| required.is_some_and(|names| names.iter().any(|it| it == name)))
}

/// A tool's schema as OpenAI takes it: an object that names no properties has none, and says so.
pub(crate) fn with_properties(schema: &Value) -> Cow<'_, Value> {
    let names_none = schema.get("properties").is_none_or(Value::is_null);
    match schema.as_object() {
        Some(fields) if names_none => {
            let mut fields = fields.clone();
            fields.insert("properties".to_owned(), json!({}));
            Cow::Owned(Value::Object(fields))
        }
        _ => Cow::Borrowed(schema),
    }
}

/// Instructions for a model that is not told of the schema otherwise.
pub(crate) fn in_words(instructions: &str, schema: &Value) -> String {
    format!(
        "{instructions}\n\nAnswer with JSON alone, without Markdown, that fits this JSON Schema:\n\
         {schema}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_objects_with_required_fields_are_strict() {
        let person = json!({
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
            "additionalProperties": false,
        });
        let mut open = person.clone();
        open["additionalProperties"] = json!(true);
        let mut optional = person.clone();
        optional["required"] = json!([]);

        assert!(is_strict(&person));
        assert!(!is_strict(&open));
        assert!(!is_strict(&optional));
        assert!(!is_strict(&json!({"type": "array", "items": open})));
        assert!(!is_strict(&json!({"type": "object"})));
    }
}
