//! The OpenAPI document says what is true: every route, and what every answer of these tests was.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::authorization::inventory;
use crate::support::{TestApp, client};

const HOW: &str = "describe the route by a line in server/src/openapi/routes; a type that goes in \
     or out needs #[cfg_attr(feature = \"openapi\", derive(utoipa::ToSchema))] in domain";

/// The document, as the program prints it.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let printed = Command::new(env!("CARGO_BIN_EXE_agentarea"))
            .arg("openapi")
            .output()
            .expect("run openapi");
        assert!(printed.status.success(), "{printed:?}");
        serde_json::from_slice(&printed.stdout).expect("JSON")
    })
}

/// Compares an answer with the document; `path` is below `/api/v1`.
///
/// # Panics
/// If the answer is of another kind than the document says.
pub fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &Value) {
    let path = path.split('?').next().unwrap_or(path);
    let Some(operation) = operation(method, &format!("/api/v1{path}")) else {
        return;
    };
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let schema = match content_type {
        "application/problem+json" => json!({"$ref": "#/components/schemas/Problem"}),
        _ if !status.is_success() => return,
        _ => {
            let answer = &operation["responses"][status.as_str()];
            assert!(
                answer.is_object(),
                "{method} {path}: {status} is not documented; {HOW}"
            );
            match content_type {
                _ if answer["content"]["*/*"].is_object() => return,
                "application/json" => answer["content"][content_type]["schema"].clone(),
                _ => return,
            }
        }
    };
    assert!(
        schema.is_object(),
        "{method} {path}: {status} has no JSON; {HOW}"
    );
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [closed(schema)],
        "components": document()["components"],
    });
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        wrong.is_empty(),
        "{method} {path} {status}: {wrong:#?} in {body:#}; {HOW}"
    );
}

/// Nothing but what is documented, in an object or the items of a page.
fn closed(mut schema: Value) -> Value {
    let is_page = schema.pointer("/properties/items/items").is_some();
    let pointer = if is_page {
        "/properties/items/items"
    } else {
        ""
    };
    if let Some(Value::Object(object)) = schema.pointer_mut(pointer) {
        object.insert("unevaluatedProperties".to_owned(), false.into());
    }
    schema
}

/// One model, in the document; the router has one wildcard for both.
const MODEL: &str = "/api/v1/models/{connection_id}/{name}";

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        let fits = |(wanted, part): (&&str, &&str)| wanted == part || wanted.starts_with('{');
        // A model's name may have slashes.
        let is_long = template == MODEL && parts.len() > wanted.len();
        (wanted.len() == parts.len() || is_long) && wanted.iter().zip(&parts).all(fits)
    };
    let paths = document()["paths"].as_object()?;
    // A path without parameters is meant before one with.
    let mut found: Vec<_> = paths
        .iter()
        .filter(|(template, _)| fits(template))
        .collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    let operation = &found.first()?.1[method.as_str().to_lowercase()];
    operation.is_object().then_some(operation)
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let mut documented = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let path = path.strip_prefix("/api/v1").unwrap_or(path);
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    // Server functions and the way back from a sign-in are the dashboard's own; who we are is for
    // authorization servers, as their specification says.
    let elsewhere = [
        "POST /api/{*function}",
        "GET /oauth/callback",
        "GET /oauth/client-metadata.json",
    ];
    let elsewhere: BTreeSet<String> = elsewhere.map(str::to_owned).into();
    let routes: BTreeSet<String> = inventory()
        .difference(&elsewhere)
        .map(|route| route.replace("/models/{*id}", "/models/{connection_id}/{name}"))
        .collect();

    let missing: Vec<_> = routes.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&routes).collect();

    assert!(
        missing.is_empty(),
        "not in the document: {missing:#?}; {HOW}"
    );
    assert!(
        gone.is_empty(),
        "in the document, but not in the router: {gone:#?}; {HOW}"
    );
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let mut references = Vec::new();
    collect_references(document(), &mut references);
    let mut names = BTreeSet::new();

    for reference in &references {
        let target = document().pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference} leads nowhere");
    }
    for methods in document()["paths"].as_object().expect("paths").values() {
        for operation in methods.as_object().expect("methods").values() {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name), "{name} is there twice");
        }
    }
    assert!(references.len() > 100, "{}", references.len());
    assert_eq!(document()["openapi"], "3.1.0");
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                references.push(reference.to_owned());
            }
            fields
                .values()
                .for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn server_gives_the_document_and_a_page_that_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;

    let served = client().get(app.url("/api/v1/openapi.json")).send().await;
    let served: Value = served.expect("an answer").json().await.expect("JSON");
    let page = client()
        .get(app.url("/docs"))
        .send()
        .await
        .expect("an answer");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    let status = page.status();
    let html = page.text().await.expect("a page");

    assert_eq!(&served, document());
    assert_eq!(status, StatusCode::OK);
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("script"),
        "{policy}"
    );
    assert!(html.contains("/api/v1/agents") && html.contains("Makes an agent"));
    for outside in ["http://", "https://", "//cdn", "<script", "javascript:"] {
        assert!(!html.contains(outside), "{outside}");
    }
}
