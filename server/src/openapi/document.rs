//! Puts the document together.

use http::Method;
use serde_json::{Map, Value, json};

use super::route::{Content, Needs, Route};
use super::schemas;

const DESCRIPTION: &str = "\
Sign in with an API key, `Authorization: Bearer aa_…`, or with the session cookie of a browser. The \
workspace is the key's, or the one of the `X-Workspace-Id` header.

Lists are paged by cursor: give `next` of one page as `after` of the following. Times are RFC 3339 in \
UTC with milliseconds, ids are UUIDs, money is in whole micro-dollars. A POST with an \
`Idempotency-Key` can be sent again: for 24 hours the same key and body get the first answer.

Errors are problem documents of RFC 9457. What belongs to somebody else is answered exactly like \
what does not exist.";

/// The document of these routes.
pub(super) fn build(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    let mut named = schemas::shared();
    for route in routes {
        named.extend(route.schemas.clone());
        let methods = paths.entry(route.full_path()).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_lowercase()] = operation(route);
    }
    open_parts(&mut named);
    let mut tags: Vec<&str> = Vec::new();
    for route in routes {
        if !tags.contains(&route.tag) {
            tags.push(route.tag);
        }
    }
    let tags: Vec<Value> = tags.iter().map(|tag| json!({"name": tag})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AgentArea",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": named,
            "parameters": schemas::parameters(),
            "responses": schemas::problems(),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `aa_…`."},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "agentarea",
                    "description": "The browser's session; `__Host-agentarea` on https.",
                },
            },
        },
    })
}

/// A schema that is a part of others cannot forbid what stands beside it there.
fn open_parts(named: &mut Map<String, Value>) {
    let parts: Vec<String> = named
        .values()
        .filter_map(|schema| schema["allOf"].as_array())
        .flatten()
        .filter_map(|part| part["$ref"].as_str()?.rsplit('/').next())
        .map(str::to_owned)
        .collect();
    for part in parts {
        if let Some(Value::Object(schema)) = named.get_mut(&part) {
            schema.remove("additionalProperties");
        }
    }
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": responses(route),
        "security": match route.needs {
            Needs::Nobody => json!([]),
            Needs::Anybody => json!([{"apiKey": []}, {"session": []}]),
            Needs::Browser => json!([{"session": []}]),
        },
    });
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({"required": true, "content": content(body)});
    }
    operation
}

/// `get_agents_id_versions`
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches('/');
    let name: String = path
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("{}_{name}", route.method.as_str().to_lowercase())
}

fn parameters(route: &Route) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for part in route.path.split('/') {
        if let Some(name) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        {
            let schema = match name {
                "id" => json!({"type": "string", "format": "uuid"}),
                "version" => json!({"type": "integer", "minimum": 1}),
                _ => json!({"type": "string"}),
            };
            parameters
                .push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
    }
    for parameter in &route.query {
        parameters.push(json!({
            "name": parameter.name, "in": "query", "required": false,
            "schema": parameter.schema, "description": parameter.description,
        }));
    }
    if route.needs != Needs::Nobody {
        parameters.push(json!({"$ref": "#/components/parameters/WorkspaceId"}));
        if route.method == Method::POST {
            parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
        }
    }
    parameters.into()
}

fn responses(route: &Route) -> Value {
    let mut answer = json!({
        "description": answer_in_words(route.status),
        "headers": {
            "X-Request-Id": {
                "description": "Finds the request in the server's log.",
                "schema": {"type": "string"},
            },
        },
    });
    if route.has_location {
        answer["headers"]["Location"] =
            json!({"description": "Address of the new object.", "schema": {"type": "string"}});
    }
    if let Some(body) = &route.answer {
        answer["content"] = content(body);
    }
    let mut responses = Map::new();
    responses.insert(route.status.to_string(), answer);
    for status in problems(route) {
        let reference = format!("#/components/responses/Problem{status}");
        responses.insert(status.to_string(), json!({"$ref": reference}));
    }
    if let Some(why) = route.conflict {
        let mut problem = schemas::problem(why);
        problem["description"] = why.into();
        responses.insert("409".to_owned(), problem);
    }
    responses.into()
}

/// Statuses of errors that the route can answer with, besides 409.
fn problems(route: &Route) -> Vec<u16> {
    if !route.full_path().starts_with("/api/v1/") {
        return Vec::new();
    }
    let mut statuses = Vec::new();
    if route.needs != Needs::Nobody {
        statuses.extend([401, 403]);
    }
    if route.path.contains('{') || route.needs != Needs::Nobody {
        // Also for a workspace that is somebody else's.
        statuses.push(404);
    }
    if route.body.is_some() {
        statuses.extend([400, 413, 415]);
    }
    if route.body.is_some() || !route.query.is_empty() {
        statuses.push(422);
    }
    statuses.extend([429, 500, 503]);
    statuses
}

fn content(content: &Content) -> Value {
    let mut by_type = Map::new();
    by_type.insert(
        content.media_type.to_owned(),
        json!({"schema": content.schema}),
    );
    by_type.into()
}

fn answer_in_words(status: u16) -> &'static str {
    match status {
        201 => "Created",
        202 => "Accepted; it is under way",
        204 => "Done",
        _ => "OK",
    }
}
