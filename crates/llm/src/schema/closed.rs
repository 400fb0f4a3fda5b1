//! Schemas in the form in which Anthropic guarantees them: every object is closed, and nothing is
//! said of the size of numbers, texts and lists.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// Forms of texts that may be asked for.
const FORMATS: [&str; 10] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];
/// Definitions that lead to each other at most: each takes a part of the stack.
const MAX_DEPTH: usize = 16;

/// The schema in that form: wider than the real one, which whoever asks checks.
///
/// `None` where an object must stay open, and where the schema refers to itself or to others.
pub(crate) fn closed(schema: &Value) -> Option<Value> {
    let mut walk = Walk {
        root: schema,
        open: Vec::new(),
        done: HashSet::new(),
    };
    if walk.ends(schema) {
        narrowed(schema)
    } else {
        None
    }
}

fn narrowed(schema: &Value) -> Option<Value> {
    let fields = schema.as_object()?;
    let is_object = is_object(fields);
    if !says_something(fields) || (is_object && !can_be_closed(fields)) {
        return None;
    }
    let mut kept = Map::new();
    for (keyword, value) in fields {
        let value = match keyword.as_str() {
            "type" | "title" | "description" | "enum" | "const" | "default" | "required"
            | "$ref" => value.clone(),
            "format" if value.as_str().is_some_and(|it| FORMATS.contains(&it)) => value.clone(),
            "minItems" if value.as_u64().is_some_and(|it| it <= 1) => value.clone(),
            "items" => narrowed(value)?,
            "properties" | "$defs" | "definitions" => narrowed_each(value)?,
            "anyOf" | "oneOf" => value
                .as_array()?
                .iter()
                .map(narrowed)
                .collect::<Option<Value>>()?,
            _ => continue,
        };
        let keyword = match keyword.as_str() {
            "oneOf" => "anyOf",
            other => other,
        };
        kept.insert(keyword.to_owned(), value);
    }
    if is_object {
        kept.insert("additionalProperties".to_owned(), json!(false));
    }
    Some(Value::Object(kept))
}

fn narrowed_each(schemas: &Value) -> Option<Value> {
    let schemas = schemas.as_object()?.iter();
    let each = schemas.map(|(name, schema)| Some((name.clone(), narrowed(schema)?)));
    each.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// Whether what is kept of a schema tells one value from another; what is in all of several
/// schemas at once cannot be closed in each.
fn says_something(fields: &Map<String, Value>) -> bool {
    let keywords = ["type", "enum", "const", "$ref", "anyOf", "oneOf"];
    !fields.contains_key("allOf") && keywords.iter().any(|it| fields.contains_key(*it))
}

fn is_object(fields: &Map<String, Value>) -> bool {
    let names_it = match fields.get("type") {
        Some(Value::Array(types)) => types.iter().any(|it| it == "object"),
        Some(one) => one == "object",
        None => false,
    };
    names_it || fields.contains_key("properties")
}

/// Whether an object's properties are all that it may have.
fn can_be_closed(fields: &Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = fields.get("properties") else {
        return false;
    };
    let required = fields.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    let is_open = fields
        .get("additionalProperties")
        .is_some_and(|it| it != false);
    let has_others = ["patternProperties", "anyOf", "oneOf", "$ref"]
        .iter()
        .any(|it| fields.contains_key(*it));
    !properties.is_empty()
        && !is_open
        && !has_others
        && required.all(|name| properties.contains_key(name))
}

/// A walk along everything that a schema refers to.
struct Walk<'a> {
    root: &'a Value,
    /// References that led here.
    open: Vec<&'a str>,
    /// References that came to an end.
    done: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// Whether every reference leads to a definition within the schema, and none in a circle.
    fn ends(&mut self, at: &'a Value) -> bool {
        match at {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                reference.is_none_or(|reference| self.follow(reference))
                    && fields.values().all(|value| self.ends(value))
            }
            Value::Array(items) => items.iter().all(|item| self.ends(item)),
            _ => true,
        }
    }

    fn follow(&mut self, reference: &'a str) -> bool {
        if self.done.contains(reference) {
            return true;
        }
        let is_circle = self.open.contains(&reference);
        if is_circle || self.open.len() == MAX_DEPTH {
            return false;
        }
        let Some(definition) = definition(self.root, reference) else {
            return false;
        };
        self.open.push(reference);
        let ends = self.ends(definition);
        self.open.pop();
        self.done.insert(reference);
        ends
    }
}

/// What a reference names, if it is a definition of this schema.
fn definition<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    let is_definition = pointer.starts_with("/$defs/") || pointer.starts_with("/definitions/");
    root.pointer(pointer).filter(|_| is_definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(properties: Value) -> Value {
        json!({"type": "object", "properties": properties})
    }

    #[test]
    fn objects_are_closed_and_sizes_dropped() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 0, "multipleOf": 2, "description": "Years."},
                "name": {"type": ["string", "null"], "minLength": 1, "pattern": "^[A-Z]"},
                "at": {"type": "string", "format": "date"},
                "odd": {"type": "string", "format": "iban"},
                "minimum": {"type": "array", "minItems": 2, "uniqueItems": true,
                    "items": {"$ref": "#/$defs/pet"}},
                "kind": {"oneOf": [{"const": "a"}, {"type": "array", "minItems": 1}]},
            },
            "required": ["age"],
            "minProperties": 1,
            "$defs": {"pet": object(json!({"name": {"type": "string"}}))},
        });

        let closed = closed(&schema).expect("a schema");

        let expected = json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer", "description": "Years."},
                "name": {"type": ["string", "null"]},
                "at": {"type": "string", "format": "date"},
                "odd": {"type": "string"},
                "minimum": {"type": "array", "items": {"$ref": "#/$defs/pet"}},
                "kind": {"anyOf": [{"const": "a"}, {"type": "array", "minItems": 1}]},
            },
            "required": ["age"],
            "additionalProperties": false,
            "$defs": {"pet": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "additionalProperties": false,
            }},
        });
        assert_eq!(closed, expected);
    }

    #[test]
    fn what_must_stay_open_has_no_such_form() {
        let with = |keyword: &str, value: Value| {
            let mut schema = object(json!({"a": {"type": "string"}}));
            schema[keyword] = value;
            schema
        };
        for schema in [
            json!({"type": "object"}),
            object(json!({})),
            object(json!({"any": {}})),
            object(json!({"any": true})),
            json!({"type": "array", "items": {"type": "object"}}),
            with("additionalProperties", json!(true)),
            with("additionalProperties", json!({"type": "string"})),
            with("patternProperties", json!({"^x": {"type": "string"}})),
            with("anyOf", json!([{"required": ["a"]}])),
            with("required", json!(["b"])),
            json!({"allOf": [object(json!({"a": {"type": "string"}}))]}),
        ] {
            assert_eq!(closed(&schema), None, "{schema}");
        }
    }

    #[test]
    fn what_refers_to_itself_or_to_others_has_no_such_form() {
        let refers = |to: &str| json!({"$ref": to});
        let tree = |child: &str| {
            let mut schema = object(json!({"root": refers("#/$defs/a")}));
            schema["$defs"] = json!({
                "a": object(json!({"b": refers("#/$defs/b")})),
                "b": object(json!({"child": refers(child)})),
                "c": object(json!({"name": {"type": "string"}})),
            });
            schema
        };

        assert!(closed(&tree("#/$defs/c")).is_some());
        for child in [
            "#/$defs/a",
            "#/$defs/b",
            "#",
            "#/$defs/none",
            "https://x.y/z",
        ] {
            assert_eq!(closed(&tree(child)), None, "{child}");
        }
    }
}
