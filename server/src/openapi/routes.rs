//! Every route of `router.rs`, in words and types. A test compares the two.
//!
//! To add a route: one line in its group. Types of bodies and answers derive `utoipa::ToSchema`
//! under the feature `openapi` of `domain`, as all types there do.

use domain::accounts::{
    BrowserSession, ChangePassword, Me, NameWorkspace, SetUp, SignIn, UpdateProfile, User,
    Workspace,
};
use domain::agents::{
    Agent, AgentConfig, AgentFile, AgentSummary, AgentTemplate, AgentVersion, TagCount,
    UpdateAgent, VersionChanges,
};
use domain::api_keys::{ApiKey, CreateApiKey, CreatedApiKey};
use domain::approvals::{Approval, DecideApproval};
use domain::audit::{AuditEvent, Deed};
use domain::budgets::{Budget, CreateBudget, UpdateBudget};
use domain::containers::{CatalogEntry, ContainerReport, ServerLogLine};
use domain::conversations::{
    Conversation, CreateConversation, Message, PostMessage, PostedMessage, UpdateConversation,
};
use domain::events::Event;
use domain::files::{ConversationFile, File};
use domain::invitations::{
    AcceptInvitation, CreateInvitation, CreatedInvitation, Invitation, Offer,
};
use domain::mcp_servers::{CreateMcpServer, McpServer, McpTool, UpdateMcpServer};
use domain::members::{Member, UpdateMember};
use domain::models::{
    ConnectionTest, CreateModelConnection, Model, ModelConnection, Provider, UpdateModel,
    UpdateModelConnection,
};
use domain::runs::{Run, RunSummary};
use domain::usage::UsageReport;
use serde_json::json;

use super::route::{Route, delete, get, patch, post, put};
use super::schemas::{Link, SignedIn, Switch};

/// The routes, by what they are about.
pub(super) fn routes() -> Vec<Route> {
    [
        accounts(),
        workspaces(),
        api_keys(),
        models(),
        agents(),
        conversations(),
        mcp_servers(),
        approvals(),
        runs(),
        usage(),
        files(),
        operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn accounts() -> Vec<Route> {
    let tag = "Accounts";
    vec![
        post(
            tag,
            "/setup",
            "Makes the first user and workspace; 404 once there is one",
        )
        .open()
        .takes::<SetUp>()
        .answers::<SignedIn>(201),
        post(tag, "/session", "Signs in")
            .open()
            .takes::<SignIn>()
            .answers::<SignedIn>(201),
        patch(tag, "/session", "Goes to another workspace")
            .browser()
            .takes::<Switch>()
            .gives::<SignedIn>(),
        delete(tag, "/session", "Signs out"),
        get(tag, "/me", "Who is signed in, and their workspaces").gives::<Me>(),
        patch(tag, "/me", "Changes the own profile")
            .browser()
            .takes::<UpdateProfile>()
            .gives::<User>(),
        put(
            tag,
            "/me/password",
            "Changes the own password and ends all other sessions",
        )
        .browser()
        .takes::<ChangePassword>()
        .gives::<SignedIn>(),
        get(tag, "/sessions", "Lists the own sessions")
            .browser()
            .pages::<BrowserSession>(),
        delete(tag, "/sessions", "Ends all own sessions but this one").browser(),
        delete(tag, "/sessions/{id}", "Ends one of the own sessions").browser(),
    ]
}

fn workspaces() -> Vec<Route> {
    let tag = "Workspaces and members";
    vec![
        post(tag, "/workspaces", "Makes another workspace")
            .takes::<NameWorkspace>()
            .creates::<Workspace>(),
        patch(tag, "/workspaces/{id}", "Renames the workspace")
            .takes::<NameWorkspace>()
            .gives::<Workspace>(),
        get(tag, "/members", "Lists the members").pages::<Member>(),
        patch(tag, "/members/{id}", "Changes a member's role")
            .takes::<UpdateMember>()
            .gives::<Member>()
            .conflicts("A workspace needs an owner"),
        delete(tag, "/members/{id}", "Removes a member").conflicts("A workspace needs an owner"),
        get(tag, "/invitations", "Lists the open invitations").pages::<Invitation>(),
        post(
            tag,
            "/invitations",
            "Invites somebody; the link is shown this once",
        )
        .takes::<CreateInvitation>()
        .creates::<CreatedInvitation>()
        .conflicts("The person is a member or invited already"),
        post(
            tag,
            "/invitations/offer",
            "What the holder of a link is offered",
        )
        .open()
        .takes::<Link>()
        .gives::<Offer>(),
        post(
            tag,
            "/invitations/acceptance",
            "Accepts an invitation and signs in",
        )
        .open()
        .takes::<AcceptInvitation>()
        .answers::<SignedIn>(201),
        delete(tag, "/invitations/{id}", "Takes an invitation back"),
        get(tag, "/audit-events", "Lists who changed what")
            .pages::<AuditEvent>()
            .query("action", json!({"enum": Deed::ALL}), "Only this deed.")
            .query(
                "actor_id",
                json!({"type": "string", "format": "uuid"}),
                "Only this person's.",
            )
            .query(
                "result",
                json!({"enum": ["done", "refused"]}),
                "Only this result.",
            ),
    ]
}

fn api_keys() -> Vec<Route> {
    let tag = "API keys";
    vec![
        get(tag, "/api-keys", "Lists the own keys").pages::<ApiKey>(),
        post(tag, "/api-keys", "Makes a key; it is shown this once")
            .takes::<CreateApiKey>()
            .creates::<CreatedApiKey>(),
        delete(tag, "/api-keys/{id}", "Deletes a key"),
    ]
}

fn models() -> Vec<Route> {
    let tag = "Models";
    vec![
        get(tag, "/model-connections", "Lists the connections").pages::<ModelConnection>(),
        post(
            tag,
            "/model-connections",
            "Connects to a provider of models",
        )
        .takes::<CreateModelConnection>()
        .creates::<ModelConnection>()
        .conflicts("The name is taken"),
        get(tag, "/model-connections/{id}", "One connection").gives::<ModelConnection>(),
        patch(tag, "/model-connections/{id}", "Changes a connection")
            .takes::<UpdateModelConnection>()
            .gives::<ModelConnection>()
            .conflicts("The name is taken"),
        delete(tag, "/model-connections/{id}", "Deletes a connection").conflicts("Agents use it"),
        post(
            tag,
            "/model-connections/{id}/test",
            "Tries a connection out",
        )
        .gives::<ConnectionTest>(),
        get(
            tag,
            "/model-providers",
            "Lists the providers of the catalog",
        )
        .pages::<Provider>(),
        get(tag, "/models", "Lists the models of all connections").pages::<Model>(),
        get(tag, "/models/{connection_id}/{name}", "One model").gives::<Model>(),
        patch(
            tag,
            "/models/{connection_id}/{name}",
            "Says what a model costs and can do",
        )
        .takes::<UpdateModel>()
        .gives::<Model>(),
        delete(
            tag,
            "/models/{connection_id}/{name}",
            "Forgets what was said of a model",
        )
        .gives::<Model>(),
    ]
}

fn agents() -> Vec<Route> {
    let tag = "Agents";
    vec![
        get(tag, "/agents", "Lists the agents")
            .pages::<AgentSummary>()
            .query(
                "search",
                json!({"type": "string", "maxLength": 200}),
                "Words to find.",
            )
            .query(
                "tag",
                json!({"type": "string"}),
                "Only agents with this tag.",
            ),
        get(tag, "/agent-tags", "Lists the tags in use, on one page").pages::<TagCount>(),
        get(
            tag,
            "/agent-templates",
            "Lists the agents to start from, on one page",
        )
        .pages::<AgentTemplate>(),
        post(tag, "/agents", "Makes an agent")
            .takes::<AgentConfig>()
            .creates::<Agent>(),
        get(tag, "/agents/{id}", "One agent").gives::<Agent>(),
        patch(tag, "/agents/{id}", "Saves a new version of an agent")
            .takes::<UpdateAgent>()
            .gives::<Agent>()
            .conflicts("Somebody else saved a version at the same time, or it is deleted"),
        delete(
            tag,
            "/agents/{id}",
            "Deletes an agent; its conversations stay readable",
        ),
        post(tag, "/agents/{id}/duplicate", "Makes a copy of an agent")
            .creates::<Agent>()
            .conflicts("The agent is deleted"),
        get(
            tag,
            "/agents/{id}/export",
            "An agent as a YAML file that names things instead of giving ids",
        )
        .gives_raw("application/yaml", json!({"type": "string"}))
        .conflicts("It uses a connection or a server that was deleted"),
        post(tag, "/agents/import", "Makes an agent of a YAML file")
            .takes_yaml::<AgentFile>()
            .creates::<Agent>(),
        get(
            tag,
            "/agents/{id}/changes",
            "What each version changed of the one before",
        )
        .pages::<VersionChanges>(),
        get(tag, "/agents/{id}/versions", "Lists an agent's versions").pages::<AgentVersion>(),
        post(
            tag,
            "/agents/{id}/versions/{version}/restoration",
            "Makes an old version the newest",
        )
        .creates::<Agent>()
        .conflicts("The agent is deleted"),
    ]
}

fn conversations() -> Vec<Route> {
    let tag = "Conversations";
    vec![
        get(
            tag,
            "/conversations",
            "Lists the conversations, last touched first",
        )
        .pages::<Conversation>()
        .query(
            "query",
            json!({"type": "string", "maxLength": 200}),
            "Words to find.",
        ),
        post(tag, "/conversations", "Begins a conversation")
            .takes::<CreateConversation>()
            .creates::<Conversation>()
            .conflicts("The agent is deleted"),
        get(tag, "/conversations/{id}", "One conversation").gives::<Conversation>(),
        patch(tag, "/conversations/{id}", "Renames a conversation")
            .takes::<UpdateConversation>()
            .gives::<Conversation>(),
        delete(
            tag,
            "/conversations/{id}",
            "Deletes a conversation with all it holds",
        ),
        get(tag, "/conversations/{id}/messages", "Lists the messages").pages::<Message>(),
        post(
            tag,
            "/conversations/{id}/messages",
            "Writes a message; a run answers it",
        )
        .takes::<PostMessage>()
        .answers::<PostedMessage>(202)
        .conflicts("The agent is deleted"),
        post(
            tag,
            "/conversations/{id}/messages/{message_id}/regeneration",
            "Asks a message again, on a branch of its own",
        )
        .answers::<PostedMessage>(202)
        .conflicts("An answer is being written, or the agent is deleted"),
        get(
            tag,
            "/conversations/{id}/files",
            "Lists the files that the agent keeps there, and the attachments",
        )
        .pages::<ConversationFile>(),
        get(
            tag,
            "/conversations/{id}/export",
            "The branch that is shown, as a file",
        )
        .gives_raw("*/*", json!({}))
        .query(
            "format",
            json!({"enum": ["markdown", "json"]}),
            "What it is.",
        ),
        get(
            tag,
            "/conversations/{id}/events",
            "The log: with `Accept: application/json` a page of it, ascending; otherwise a stream \
             (text/event-stream) that goes on with what happens",
        )
        .pages::<Event>()
        .query(
            "until",
            json!({"enum": ["idle"]}),
            "Ends the stream once no run is left.",
        ),
    ]
}

fn mcp_servers() -> Vec<Route> {
    let tag = "Tool servers";
    let acceptance = json!({
        "type": "object",
        "properties": {"definition_hash": {
            "type": "string",
            "description": "Hash of the definition that was looked at.",
        }},
    });
    vec![
        get(tag, "/mcp-servers", "Lists the servers").pages::<McpServer>(),
        post(tag, "/mcp-servers", "Adds a server")
            .takes::<CreateMcpServer>()
            .creates::<McpServer>()
            .conflicts("The name is taken"),
        get(tag, "/mcp-servers/{id}", "One server").gives::<McpServer>(),
        patch(tag, "/mcp-servers/{id}", "Changes a server")
            .takes::<UpdateMcpServer>()
            .gives::<McpServer>()
            .conflicts("The name is taken"),
        delete(tag, "/mcp-servers/{id}", "Removes a server").conflicts("Agents use it"),
        post(
            tag,
            "/mcp-servers/{id}/restart",
            "Connects again and reads the tools anew",
        )
        .gives::<McpServer>(),
        post(tag, "/mcp-servers/{id}/stop", "Ends a server's container")
            .gives::<McpServer>()
            .conflicts("It is not one that runs in a container"),
        get(tag, "/mcp-servers/{id}/logs", "The end of a server's log").pages::<ServerLogLine>(),
        get(
            tag,
            "/mcp-servers/{id}/container",
            "How a server's container is",
        )
        .gives::<ContainerReport>(),
        get(tag, "/mcp-catalog", "Lists the servers to choose from").pages::<CatalogEntry>(),
        get(tag, "/mcp-servers/{id}/tools", "Lists a server's tools").pages::<McpTool>(),
        post(
            tag,
            "/mcp-servers/{id}/tools/{name}/approval",
            "Accepts a changed definition",
        )
        .takes_raw("application/json", acceptance)
        .gives::<McpTool>()
        .conflicts("The definition has changed again"),
    ]
}

fn approvals() -> Vec<Route> {
    let tag = "Approvals";
    let status = json!({"enum": ["pending", "approved", "rejected"]});
    vec![
        get(tag, "/approvals", "Lists the tool calls that ask a person")
            .pages::<Approval>()
            .query("status", status, "Only those."),
        get(tag, "/approvals/{id}", "One question").gives::<Approval>(),
        post(
            tag,
            "/approvals/{id}/decision",
            "Lets a tool call go ahead, or not",
        )
        .takes::<DecideApproval>()
        .gives::<Approval>()
        .conflicts("It is decided already"),
    ]
}

fn runs() -> Vec<Route> {
    let tag = "Runs";
    vec![
        get(tag, "/runs", "Lists the runs").pages::<RunSummary>(),
        get(tag, "/runs/{id}", "One run with its journal").gives::<Run>(),
        post(tag, "/runs/{id}/cancellation", "Stops a run")
            .answers::<Run>(202)
            .conflicts("The run has ended"),
    ]
}

fn usage() -> Vec<Route> {
    let tag = "Usage";
    let days = json!({"type": "integer", "minimum": 1});
    vec![
        get(
            tag,
            "/usage",
            "What runs have used up, by day, agent and model",
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
        get(tag, "/usage/export", "The days as a table")
            .gives_raw("text/csv", json!({"type": "string"}))
            .query("days", days, "How many days, today included."),
    ]
}

fn files() -> Vec<Route> {
    let tag = "Files";
    let form = json!({
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    });
    vec![
        post(
            tag,
            "/files",
            "Uploads a file; one that no message has is deleted after a day",
        )
        .takes_raw("multipart/form-data", form)
        .creates::<File>(),
        get(tag, "/files/{id}", "Downloads a file").gives_raw("*/*", json!({})),
        delete(tag, "/files/{id}", "Deletes a file").conflicts("A message has it"),
    ]
}

fn operations() -> Vec<Route> {
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
