//! What pins a tool: its definition and the hash of it.

use domain::mcp_servers::ToolDefinition;
use rmcp::model::Tool;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of a definition in its canonical form: JSON without spaces, keys sorted.
pub fn hash(definition: &ToolDefinition) -> String {
    let whole = json!({
        "name": definition.name,
        "title": definition.title,
        "description": definition.description,
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "annotations": definition.annotations,
    });
    let mut text = String::new();
    write(&whole, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes JSON with sorted keys, whatever order the map keeps.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// What a server says of a tool, in our words.
pub(crate) fn from_tool(tool: Tool) -> ToolDefinition {
    let annotations = tool
        .annotations
        .and_then(|annotations| serde_json::to_value(annotations).ok());
    ToolDefinition {
        name: tool.name.into_owned(),
        title: tool.title,
        description: tool
            .description
            .map(|text| text.into_owned())
            .unwrap_or_default(),
        input_schema: Value::Object((*tool.input_schema).clone()),
        output_schema: tool
            .output_schema
            .map(|schema| Value::Object((*schema).clone())),
        annotations: annotations.unwrap_or_else(|| json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(schema: &str) -> ToolDefinition {
        ToolDefinition {
            name: "add".to_owned(),
            title: None,
            description: "Adds".to_owned(),
            input_schema: serde_json::from_str(schema).expect("JSON"),
            output_schema: None,
            annotations: json!({}),
        }
    }

    #[test]
    fn hash_is_of_what_is_said_not_of_its_order() {
        let one = definition(r#"{"type":"object","properties":{"a":{"type":"number"},"b":{}}}"#);
        let two = definition(r#"{ "properties":{"b":{},"a":{"type":"number"}}, "type":"object" }"#);

        assert_eq!(hash(&one), hash(&two));
        assert_eq!(hash(&one).len(), 64);
    }

    #[test]
    fn hash_changes_with_every_part() {
        let plain = definition(r#"{"type":"object"}"#);
        let mut changed = vec![plain.clone(); 6];
        changed[0].name.push('x');
        changed[1].description.push('x');
        changed[2].input_schema = json!({});
        changed[3].annotations = json!({"readOnlyHint": true});
        changed[4].title = Some("Add".to_owned());
        changed[5].output_schema = Some(json!({}));

        for other in changed {
            assert_ne!(hash(&plain), hash(&other), "{other:?}");
        }
    }
}
