//! What many routes share: parameters, errors, and answers that no type of the product is.

use domain::accounts::{User, Workspace};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::route::Schemas;

/// Who is signed in now, and where.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct SignedIn {
    /// The person.
    user: User,
    /// The workspace.
    workspace: Workspace,
}

/// The workspace to look at.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Switch {
    /// One of the person's workspaces.
    workspace_id: uuid::Uuid,
}

/// What the holder of an invitation has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Link {
    /// The last part of the link.
    token: String,
}

/// Schemas that routes refer to by hand.
pub(super) fn shared() -> Schemas {
    let mut shared = Schemas::new();
    shared.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "description": "An error, as RFC 9457 has it.",
            "required": ["type", "title", "status", "detail", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What is wrong, for a person."},
                "request_id": {"type": "string", "description": "Finds the cause in the server's log."},
                "errors": {
                    "type": "array",
                    "description": "Every wrong field, with 422.",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string", "description": "Its path, such as `model.name`."},
                            "message": {"type": "string", "description": "What is wrong and what to do."},
                        },
                    },
                },
            },
        }),
    );
    shared
}

/// Parameters that routes refer to.
pub(super) fn parameters() -> Value {
    json!({
        "WorkspaceId": {
            "name": "X-Workspace-Id", "in": "header", "required": false,
            "schema": {"type": "string", "format": "uuid"},
            "description": "The workspace that is meant, if it is not the key's or the session's.",
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "Makes it safe to send the request again: within 24 hours the same key \
                            and body get the first answer, another body gets 409.",
        },
    })
}

/// Errors that routes refer to.
pub(super) fn problems() -> Value {
    let mut problems = json!({});
    for (status, words) in [
        (400, "The request cannot be read"),
        (401, "Nobody is signed in"),
        (403, "The role, or the scopes of the key, do not allow it"),
        (404, "It does not exist, or belongs to somebody else"),
        (413, "The body is too large"),
        (415, "The body is of the wrong type"),
        (422, "Fields are wrong; `errors` names them"),
        (429, "Too many requests"),
        (500, "A fault of the server's"),
        (503, "Something that this needs does not answer"),
    ] {
        let mut answer = problem(words);
        if matches!(status, 429 | 503) {
            answer["headers"] = json!({
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
            });
        }
        problems[format!("Problem{status}")] = answer;
    }
    problems
}

/// An error with these words.
pub(super) fn problem(words: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    json!({
        "description": words,
        "content": {"application/problem+json": {"schema": schema}},
    })
}
