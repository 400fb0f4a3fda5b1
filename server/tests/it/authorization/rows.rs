//! Who may use which route.

use domain::Action;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::inputs;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Needs {
    /// Anybody, signed in or not.
    Nothing,
    /// Whoever may do this in the workspace.
    May(Action),
    /// The same, but never with an API key.
    Browser(Action),
}

/// A route, an address on it, and a body that is accepted.
pub struct Row {
    pub method: Method,
    pub route: &'static str,
    pub needs: Needs,
    pub path: fn(&Objects) -> String,
    pub body: fn(&Objects) -> Value,
}

/// What a workspace holds.
#[derive(Clone, Debug)]
pub struct Objects {
    pub workspace: String,
    pub connection: String,
    pub connection_name: String,
    pub agent: String,
    pub mcp_server: String,
    pub container_server: String,
    pub catalog_entry: String,
    pub conversation: String,
    pub message: String,
    pub run: String,
    pub approval: String,
    pub budget: String,
    pub api_key: String,
    pub session: String,
    pub member: String,
    pub invitation: String,
    pub file: String,
}

/// A row for every route but those that are open to everybody.
pub fn rows() -> Vec<Row> {
    use Action::*;
    use Needs::*;
    let none: fn(&Objects) -> Value = |_| Value::Null;
    let row = |method: Method, route, needs, path, body| Row {
        method,
        route,
        needs,
        path,
        body,
    };
    let get = |route, needs, path| row(Method::GET, route, needs, path, none);
    let delete = |route, needs, path| row(Method::DELETE, route, needs, path, none);
    vec![
        row(Method::POST, "/setup", Nothing, |_| "/setup".into(), none),
        row(
            Method::POST,
            "/session",
            Nothing,
            |_| "/session".into(),
            none,
        ),
        row(
            Method::PATCH,
            "/session",
            Browser(ManageOwnAccount),
            |_| "/session".into(),
            |o| json!({"workspace_id": o.workspace}),
        ),
        delete("/session", May(Read), |_| "/session".into()),
        get("/me", May(Read), |_| "/me".into()),
        row(
            Method::PATCH,
            "/me",
            Browser(ManageOwnAccount),
            |_| "/me".into(),
            |_| json!({"name": "Somebody"}),
        ),
        row(
            Method::PUT,
            "/me/password",
            Browser(ManageOwnAccount),
            |_| "/me/password".into(),
            |_| json!({"current_password": inputs::PASSWORD, "new_password": inputs::PASSWORD}),
        ),
        get("/sessions", Browser(ManageOwnAccount), |_| {
            "/sessions".into()
        }),
        delete("/sessions", Browser(ManageOwnAccount), |_| {
            "/sessions".into()
        }),
        delete("/sessions/{id}", Browser(ManageOwnAccount), |o| {
            format!("/sessions/{}", o.session)
        }),
        row(
            Method::POST,
            "/workspaces",
            May(CreateWorkspaces),
            |_| "/workspaces".into(),
            |_| json!({"name": "Another"}),
        ),
        row(
            Method::PATCH,
            "/workspaces/{id}",
            May(ManageWorkspace),
            |o| format!("/workspaces/{}", o.workspace),
            |_| json!({"name": "Acme"}),
        ),
        get("/members", May(Read), |_| "/members".into()),
        row(
            Method::PATCH,
            "/members/{id}",
            May(ManageMembers),
            |o| format!("/members/{}", o.member),
            |_| json!({"role": "member"}),
        ),
        delete("/members/{id}", May(ManageMembers), |o| {
            format!("/members/{}", o.member)
        }),
        get("/invitations", May(ManageMembers), |_| {
            "/invitations".into()
        }),
        row(
            Method::POST,
            "/invitations",
            May(ManageMembers),
            |_| "/invitations".into(),
            |_| json!({"email": "new@example.com", "role": "viewer"}),
        ),
        row(
            Method::POST,
            "/invitations/offer",
            Nothing,
            |_| "/invitations/offer".into(),
            none,
        ),
        row(
            Method::POST,
            "/invitations/acceptance",
            Nothing,
            |_| "/invitations/acceptance".into(),
            none,
        ),
        delete("/invitations/{id}", May(ManageMembers), |o| {
            format!("/invitations/{}", o.invitation)
        }),
        get("/audit-events", May(ReadAudit), |_| "/audit-events".into()),
        get("/api-keys", May(ManageOwnApiKeys), |_| "/api-keys".into()),
        row(
            Method::POST,
            "/api-keys",
            May(ManageOwnApiKeys),
            |_| "/api-keys".into(),
            |_| json!({"name": "another"}),
        ),
        delete("/api-keys/{id}", May(ManageOwnApiKeys), |o| {
            format!("/api-keys/{}", o.api_key)
        }),
        get("/model-connections", May(Read), |_| {
            "/model-connections".into()
        }),
        row(
            Method::POST,
            "/model-connections",
            May(ManageModels),
            |_| "/model-connections".into(),
            |_| json!({"name": uuid::Uuid::now_v7().to_string(), "kind": "local"}),
        ),
        get("/model-connections/{id}", May(Read), |o| {
            format!("/model-connections/{}", o.connection)
        }),
        row(
            Method::PATCH,
            "/model-connections/{id}",
            May(ManageModels),
            |o| format!("/model-connections/{}", o.connection),
            |_| json!({"name": uuid::Uuid::now_v7().to_string()}),
        ),
        delete("/model-connections/{id}", May(ManageModels), |o| {
            format!("/model-connections/{}", o.connection)
        }),
        row(
            Method::POST,
            "/model-connections/test",
            May(ManageModels),
            |_| "/model-connections/test".into(),
            |o| json!({"id": o.connection}),
        ),
        row(
            Method::POST,
            "/model-connections/{id}/test",
            May(ManageModels),
            |o| format!("/model-connections/{}/test", o.connection),
            none,
        ),
        get("/model-providers", May(Read), |_| "/model-providers".into()),
        get("/models", May(Read), |_| "/models".into()),
        get("/mcp-servers", May(Read), |_| "/mcp-servers".into()),
        row(
            Method::POST,
            "/mcp-servers",
            May(ManageTools),
            |_| "/mcp-servers".into(),
            |_| {
                let name = format!("s{}", uuid::Uuid::now_v7().simple());
                let source = json!({"type": "remote", "url": "http://127.0.0.1:9/mcp"});
                json!({"name": &name[..32], "source": source})
            },
        ),
        get("/mcp-servers/{id}", May(Read), |o| {
            format!("/mcp-servers/{}", o.mcp_server)
        }),
        row(
            Method::PATCH,
            "/mcp-servers/{id}",
            May(ManageTools),
            |o| format!("/mcp-servers/{}", o.mcp_server),
            |_| {
                let name = format!("s{}", uuid::Uuid::now_v7().simple());
                json!({"name": &name[..32]})
            },
        ),
        delete("/mcp-servers/{id}", May(ManageTools), |o| {
            format!("/mcp-servers/{}", o.mcp_server)
        }),
        row(
            Method::POST,
            "/mcp-servers/{id}/restart",
            May(ManageTools),
            |o| format!("/mcp-servers/{}/restart", o.mcp_server),
            none,
        ),
        row(
            Method::POST,
            "/mcp-servers/{id}/sign-in",
            Browser(ManageTools),
            |o| format!("/mcp-servers/{}/sign-in", o.mcp_server),
            none,
        ),
        delete("/mcp-servers/{id}/sign-in", May(ManageTools), |o| {
            format!("/mcp-servers/{}/sign-in", o.mcp_server)
        }),
        row(
            Method::POST,
            "/mcp-servers/{id}/stop",
            May(ManageTools),
            |o| format!("/mcp-servers/{}/stop", o.mcp_server),
            none,
        ),
        get("/mcp-servers/{id}/logs", May(Read), |o| {
            format!("/mcp-servers/{}/logs", o.mcp_server)
        }),
        get("/mcp-servers/{id}/container", May(Read), |o| {
            format!("/mcp-servers/{}/container", o.mcp_server)
        }),
        get("/mcp-catalog", May(Read), |_| "/mcp-catalog".into()),
        row(
            Method::POST,
            "/mcp-catalog",
            May(ManageTools),
            |_| "/mcp-catalog".into(),
            |_| {
                let name = format!("com.example/{}", uuid::Uuid::new_v4().simple());
                let remotes =
                    json!([{"type": "streamable-http", "url": "https://example.com/mcp"}]);
                json!({"name": name, "description": "x", "version": "1", "remotes": remotes})
            },
        ),
        delete("/mcp-catalog/{key}", May(ManageTools), |o| {
            format!("/mcp-catalog/{}", o.catalog_entry)
        }),
        get("/mcp-servers/{id}/tools", May(Read), |o| {
            format!("/mcp-servers/{}/tools", o.mcp_server)
        }),
        row(
            Method::POST,
            "/mcp-servers/{id}/tools/{name}/approval",
            May(ManageTools),
            |o| format!("/mcp-servers/{}/tools/echo/approval", o.mcp_server),
            none,
        ),
        get("/models/{*id}", May(Read), |o| {
            format!("/models/{}/a/b", o.connection)
        }),
        row(
            Method::PATCH,
            "/models/{*id}",
            May(ManageModels),
            |o| format!("/models/{}/a/b", o.connection),
            |_| json!({"context_window": 8000}),
        ),
        delete("/models/{*id}", May(ManageModels), |o| {
            format!("/models/{}/a/b", o.connection)
        }),
        get("/agents", May(Read), |_| "/agents".into()),
        row(
            Method::POST,
            "/agents",
            May(BuildAgents),
            |_| "/agents".into(),
            |o| inputs::agent("Another", &o.connection, "scripted-large"),
        ),
        get("/agents/{id}", May(Read), |o| {
            format!("/agents/{}", o.agent)
        }),
        row(
            Method::PATCH,
            "/agents/{id}",
            May(BuildAgents),
            |o| format!("/agents/{}", o.agent),
            |_| json!({"description": "changed"}),
        ),
        delete("/agents/{id}", May(BuildAgents), |o| {
            format!("/agents/{}", o.agent)
        }),
        get("/agents/{id}/draft", May(Read), |o| {
            format!("/agents/{}/draft", o.agent)
        }),
        row(
            Method::PATCH,
            "/agents/{id}/draft",
            May(BuildAgents),
            |o| format!("/agents/{}/draft", o.agent),
            |_| json!({"description": "drafted anew"}),
        ),
        delete("/agents/{id}/draft", May(BuildAgents), |o| {
            format!("/agents/{}/draft", o.agent)
        }),
        row(
            Method::POST,
            "/agents/{id}/draft/publication",
            May(BuildAgents),
            |o| format!("/agents/{}/draft/publication", o.agent),
            none,
        ),
        get("/agent-tags", May(Read), |_| "/agent-tags".into()),
        get("/agent-templates", May(Read), |_| "/agent-templates".into()),
        row(
            Method::POST,
            "/agents/{id}/duplicate",
            May(BuildAgents),
            |o| format!("/agents/{}/duplicate", o.agent),
            none,
        ),
        get("/agents/{id}/export", May(Read), |o| {
            format!("/agents/{}/export", o.agent)
        }),
        row(
            Method::POST,
            "/agents/import",
            May(BuildAgents),
            |_| "/agents/import".into(),
            |o| json!({"name": "Another", "model": {"connection": o.connection_name, "name": "m"}}),
        ),
        get("/agents/{id}/changes", May(Read), |o| {
            format!("/agents/{}/changes", o.agent)
        }),
        get("/agents/{id}/versions", May(Read), |o| {
            format!("/agents/{}/versions", o.agent)
        }),
        row(
            Method::POST,
            "/agents/{id}/versions/{version}/restoration",
            May(BuildAgents),
            |o| format!("/agents/{}/versions/1/restoration", o.agent),
            none,
        ),
        get("/conversations", May(Read), |_| "/conversations".into()),
        row(
            Method::POST,
            "/conversations",
            May(Converse),
            |_| "/conversations".into(),
            |o| inputs::conversation(&o.agent),
        ),
        get("/conversations/{id}", May(Read), |o| {
            format!("/conversations/{}", o.conversation)
        }),
        row(
            Method::PATCH,
            "/conversations/{id}",
            May(Converse),
            |o| format!("/conversations/{}", o.conversation),
            |_| json!({"title": "Renamed"}),
        ),
        delete("/conversations/{id}", May(Converse), |o| {
            format!("/conversations/{}", o.conversation)
        }),
        get("/conversations/{id}/messages", May(Read), |o| {
            format!("/conversations/{}/messages", o.conversation)
        }),
        row(
            Method::POST,
            "/conversations/{id}/messages",
            May(Converse),
            |o| format!("/conversations/{}/messages", o.conversation),
            |_| inputs::message("hello"),
        ),
        row(
            Method::POST,
            "/conversations/{id}/messages/{message_id}/regeneration",
            May(Converse),
            |o| {
                format!(
                    "/conversations/{}/messages/{}/regeneration",
                    o.conversation, o.message
                )
            },
            none,
        ),
        get("/conversations/{id}/export", May(Read), |o| {
            format!("/conversations/{}/export", o.conversation)
        }),
        get("/conversations/{id}/files", May(Read), |o| {
            format!("/conversations/{}/files", o.conversation)
        }),
        get("/conversations/{id}/events", May(Read), |o| {
            format!("/conversations/{}/events?until=idle", o.conversation)
        }),
        get("/approvals", May(Read), |_| "/approvals".into()),
        get("/approvals/{id}", May(Read), |o| {
            format!("/approvals/{}", o.approval)
        }),
        row(
            Method::POST,
            "/approvals/{id}/decision",
            May(DecideApprovals),
            |o| format!("/approvals/{}/decision", o.approval),
            |_| json!({"decision": "approve"}),
        ),
        get("/budgets", May(Read), |_| "/budgets".into()),
        row(
            Method::POST,
            "/budgets",
            May(ManageWorkspace),
            |_| "/budgets".into(),
            |o| json!({"agent_id": o.agent, "period": "day", "limit_usd_micros": 1}),
        ),
        get("/budgets/{id}", May(Read), |o| {
            format!("/budgets/{}", o.budget)
        }),
        row(
            Method::PATCH,
            "/budgets/{id}",
            May(ManageWorkspace),
            |o| format!("/budgets/{}", o.budget),
            |_| json!({"limit_usd_micros": 1_000_000}),
        ),
        delete("/budgets/{id}", May(ManageWorkspace), |o| {
            format!("/budgets/{}", o.budget)
        }),
        get("/usage", May(Read), |_| "/usage".into()),
        get("/usage/calls", May(Read), |_| "/usage/calls".into()),
        get("/usage/export", May(Read), |_| "/usage/export".into()),
        row(
            Method::POST,
            "/files",
            May(Converse),
            |_| "/files".into(),
            none,
        ),
        get("/files/{id}", May(Read), |o| format!("/files/{}", o.file)),
        delete("/files/{id}", May(Converse), |o| {
            format!("/files/{}", o.file)
        }),
        get("/runs", May(Read), |_| "/runs".into()),
        get("/runs/{id}", May(Read), |o| format!("/runs/{}", o.run)),
        row(
            Method::POST,
            "/runs/{id}/cancellation",
            May(Converse),
            |o| format!("/runs/{}/cancellation", o.run),
            none,
        ),
    ]
}
