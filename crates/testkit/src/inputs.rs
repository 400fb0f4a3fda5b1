//! JSON bodies for the REST API, with human names.

use serde_json::{Value, json};

/// Address of the person most tests are about.
pub const ADA: &str = "ada@example.com";
/// Address of a second person, who belongs to no workspace of Ada's.
pub const GRACE: &str = "grace@example.com";
/// A password that every account of a test may have.
pub const PASSWORD: &str = "correct horse battery";
/// Name of Ada's workspace.
pub const ACME: &str = "Acme";

/// Body of `POST /setup`: Ada, owner of Acme.
pub fn set_up() -> Value {
    json!({"email": ADA, "password": PASSWORD, "workspace": ACME})
}

/// Body of `POST /session` for an account with the usual password.
pub fn sign_in(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

/// Body of `POST /model-connections` for an OpenAI-compatible server at `base_url`.
pub fn model_connection(name: &str, base_url: &str) -> Value {
    json!({"name": name, "kind": "openai_compatible", "base_url": base_url, "api_key": "sk-test"})
}

/// Body of `POST /agents`: an agent that asks `model` of a connection, without tools.
pub fn agent(name: &str, connection_id: &str, model: &str) -> Value {
    json!({
        "name": name,
        "description": "answers questions about the shop",
        "instructions": "Answer briefly.",
        "model": {"connection_id": connection_id, "name": model},
    })
}

/// Body of `POST /conversations`.
pub fn conversation(agent_id: &str) -> Value {
    json!({"agent_id": agent_id})
}

/// Body of `POST /conversations/{id}/messages`.
pub fn message(text: &str) -> Value {
    json!({"text": text})
}
