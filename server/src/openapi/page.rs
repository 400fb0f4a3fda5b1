//! The document as a page, for people: no script, and nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

/// Renders the document.
pub(super) fn render(document: &Value, css: &str) -> String {
    let mut html = String::with_capacity(256 * 1024);
    let version = text(&document["info"]["version"]);
    let _ = write!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>API · AgentArea</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"{css}\"></head><body>\
         <header class=\"topbar\"><a class=\"link-plain\" href=\"/\"><strong>AgentArea</strong></a>\
         <span class=\"tag\">API {version}</span><span class=\"docs-gap\"></span>\
         <a class=\"btn btn-secondary\" href=\"/api/v1/openapi.json\" download=\"openapi.json\">\
         OpenAPI document</a></header><main class=\"page docs\"><h1 class=\"page-title\">API</h1>"
    );
    for paragraph in document["info"]["description"]
        .as_str()
        .unwrap_or("")
        .split("\n\n")
    {
        let _ = write!(html, "<p class=\"page-lead\">{}</p>", prose(paragraph));
    }
    contents(&mut html, document);
    for tag in items(&document["tags"]) {
        operations(&mut html, document, tag["name"].as_str().unwrap_or(""));
    }
    html += "<h2 class=\"section-title\" id=\"types\">Types</h2>";
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ = write!(
            html,
            "<section class=\"card\" id=\"type-{0}\"><div class=\"card-head\">\
             <h3 class=\"card-title\"><code>{0}</code></h3></div><div class=\"card-body docs-body\">",
            escape(name)
        );
        described(&mut html, schema);
        html += "</div></section>";
    }
    html += "</main></body></html>";
    html
}

fn contents(html: &mut String, document: &Value) {
    *html += "<nav class=\"docs-nav\" aria-label=\"Contents\">";
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        let _ = write!(
            html,
            "<a class=\"link\" href=\"#{}\">{name}</a>",
            anchor(&name)
        );
    }
    *html += "<a class=\"link\" href=\"#types\">Types</a></nav>";
}

fn operations(html: &mut String, document: &Value, tag: &str) {
    let _ = write!(
        html,
        "<h2 class=\"section-title\" id=\"{}\">{}</h2><div class=\"tools\">",
        anchor(tag),
        escape(tag)
    );
    for (path, methods) in entries(&document["paths"]) {
        for (method, operation) in entries(methods) {
            if operation["tags"][0] == tag {
                self::operation(html, document, path, method, operation);
            }
        }
    }
    *html += "</div>";
}

fn operation(html: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        html,
        "<details class=\"tool\" id=\"{}\"><summary><span class=\"pill {}\">{}</span>\
         <code class=\"docs-path\">{}</code><span class=\"tool-args docs-summary\">{}</span></summary>\
         <div class=\"tool-body docs-body\"><p>{}</p>",
        text(&operation["operationId"]),
        tone(method),
        method.to_uppercase(),
        escape(path),
        text(&operation["summary"]),
        prose(operation["summary"].as_str().unwrap_or("")),
    );
    let _ = write!(html, "<p class=\"field-hint\">{}</p>", access(operation));
    let parameters: Vec<&Value> = items(&operation["parameters"])
        .map(|parameter| resolved(document, parameter))
        .collect();
    if !parameters.is_empty() {
        *html += "<h4>Parameters</h4><dl class=\"args\">";
        for parameter in parameters {
            let _ = write!(
                html,
                "<div><dt>{}</dt><dd>{}, {}. {}</dd></div>",
                text(&parameter["name"]),
                kind(&parameter["schema"]),
                text(&parameter["in"]),
                prose(parameter["description"].as_str().unwrap_or("")),
            );
        }
        *html += "</dl>";
    }
    for (media_type, content) in entries(&operation["requestBody"]["content"]) {
        let _ = write!(
            html,
            "<h4>Body</h4><p><code>{}</code></p>",
            escape(media_type)
        );
        described(html, &content["schema"]);
    }
    *html += "<h4>Answers</h4><dl class=\"args\">";
    for (status, response) in entries(&operation["responses"]) {
        let response = resolved(document, response);
        let _ = write!(
            html,
            "<div><dt>{}</dt><dd>{}",
            escape(status),
            text(&response["description"])
        );
        for (media_type, content) in entries(&response["content"]) {
            let kind = kind(&content["schema"]);
            let _ = write!(html, " · <code>{}</code> {kind}", escape(media_type));
        }
        *html += "</dd></div>";
    }
    *html += "</dl></div></details>";
}

fn access(operation: &Value) -> &'static str {
    match operation["security"].as_array().map(Vec::len) {
        Some(0) => "Anybody may ask.",
        Some(1) => "Only for signed-in browsers, not with an API key.",
        _ => "With an API key or a signed-in browser.",
    }
}

/// A schema: its description, and its fields as a table if it has some.
fn described(html: &mut String, schema: &Value) {
    if let Some(words) = schema["description"].as_str() {
        let _ = write!(html, "<p>{}</p>", prose(words));
    }
    let parts: Vec<&Value> = items(&schema["allOf"]).collect();
    if !parts.is_empty() {
        for part in parts {
            described(html, part);
        }
        return;
    }
    if schema["properties"].is_object() {
        return fields(html, schema);
    }
    let _ = write!(html, "<p>{}</p>", kind(schema));
}

fn fields(html: &mut String, schema: &Value) {
    *html += "<dl class=\"args docs-fields\">";
    for (name, field) in entries(&schema["properties"]) {
        let is_required = items(&schema["required"]).any(|required| required == name);
        let _ = write!(
            html,
            "<div><dt>{}</dt><dd>{}{}. {}</dd></div>",
            escape(name),
            kind(field),
            if is_required { "" } else { ", may be missing" },
            prose(field["description"].as_str().unwrap_or("")),
        );
    }
    *html += "</dl>";
}

/// A type in a few words, with links to named ones.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a class=\"link\" href=\"#type-{name}\">{name}</a>");
    }
    for (key, word) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        let parts: Vec<String> = items(&schema[key]).map(kind).collect();
        if !parts.is_empty() {
            return parts.join(word);
        }
    }
    if let Some(constant) = schema.get("const") {
        return format!("<code>{}</code>", escape(&constant.to_string()));
    }
    let choices: Vec<String> = items(&schema["enum"])
        .map(|choice| format!("<code>{}</code>", text(choice)))
        .collect();
    if !choices.is_empty() {
        return choices.join(" ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(&schema["items"]));
    }
    let types: Vec<String> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        Value::String(name) => vec![escape(name)],
        _ => vec!["anything".to_owned()],
    };
    let format = schema["format"]
        .as_str()
        .or(schema["contentMediaType"].as_str());
    let format = format.map(|format| format!(" ({})", escape(format)));
    let fields: Vec<String> = entries(&schema["properties"])
        .map(|(name, field)| format!("<code>{}</code>: {}", escape(name), kind(field)))
        .collect();
    match fields.is_empty() {
        true => types.join(" or ") + &format.unwrap_or_default(),
        false => format!("{{ {} }}", fields.join(", ")),
    }
}

fn tone(method: &str) -> &'static str {
    match method {
        "get" => "pill-info",
        "post" => "pill-success",
        "delete" => "pill-danger",
        _ => "pill-warning",
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(value)
}

fn anchor(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

/// Words with `code` in them.
fn prose(words: &str) -> String {
    let mut html = String::new();
    for (number, part) in escape(words).split('`').enumerate() {
        match number % 2 {
            0 => html += part,
            _ => {
                let _ = write!(html, "<code>{part}</code>");
            }
        }
    }
    html
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        Value::Null => String::new(),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
