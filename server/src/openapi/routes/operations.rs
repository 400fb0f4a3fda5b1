//! What is used up, and what operators look at.

use crate::openapi::route::{Route, delete, get, patch, post};
use domain::budgets::{Budget, CreateBudget, UpdateBudget};
use domain::usage::{UsageCall, UsageReport};
use serde_json::json;

pub(super) fn usage() -> Vec<Route> {
    let tag = "Usage";
    let days = json!({"type": "integer", "minimum": 1});
    vec![
        get(
            tag,
            "/usage",
            "What was used up, by day, agent, model, tool and person",
        )
        .gives::<UsageReport>()
        .query("days", days.clone(), "How many days, today included."),
        get(tag, "/budgets", "Lists the budgets").pages::<Budget>(),
        post(tag, "/budgets", "Sets a budget of a workspace or agent")
            .takes::<CreateBudget>()
            .creates::<Budget>()
            .conflicts("There is one for the same agent and period"),
        get(tag, "/budgets/{id}", "One budget").gives::<Budget>(),
        patch(tag, "/budgets/{id}", "Changes a limit")
            .takes::<UpdateBudget>()
            .gives::<Budget>(),
        delete(tag, "/budgets/{id}", "Lifts a budget"),
        get(
            tag,
            "/usage/calls",
            "The ledger: every call of a model or tool, of runs, through the gateway, and tried",
        )
        .pages::<UsageCall>(),
        get(tag, "/usage/export", "A part of the report as a table")
            .gives_raw("text/csv", json!({"type": "string"}))
            .query("days", days, "How many days, today included.")
            .query(
                "part",
                json!({"enum": ["days", "agents", "models", "tools", "people", "calls"]}),
                "What is in the rows; `calls` are at most the newest 10,000.",
            ),
    ]
}

pub(super) fn operations() -> Vec<Route> {
    let tag = "Operations";
    let health = json!({
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": ["ok", "degraded", "down", "disabled"]}},
    });
    vec![
        get(tag, "//health", "Whether the server is ready; 503 if not")
            .open()
            .gives_raw("application/json", health.clone()),
        get(
            tag,
            "//health/db",
            "Whether the database answers; 503 if not",
        )
        .open()
        .gives_raw("application/json", health.clone()),
        get(tag, "//health/redis", "Whether Redis answers; 503 if not")
            .open()
            .gives_raw("application/json", health),
        get(tag, "//metrics", "Metrics for Prometheus")
            .open()
            .gives_raw("text/plain", json!({"type": "string"})),
        post(
            tag,
            "//policy-reports",
            "Takes what browsers report of breaches of the content policy",
        )
        .open()
        .takes_raw("application/reports+json", json!({"type": "array"})),
        get(tag, "/openapi.json", "This document")
            .open()
            .gives_raw("application/json", json!({"type": "object"})),
        get(tag, "//docs", "This document as a page")
            .open()
            .gives_raw("text/html", json!({"type": "string"})),
    ]
}
