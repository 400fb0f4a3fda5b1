//! Tool servers.

use crate::openapi::route::{Route, delete, get, patch, post};
use domain::containers::{CatalogEntry, ContainerReport, ServerLogLine};
use domain::mcp_servers::{CreateMcpServer, McpServer, McpTool, SignInAddress, UpdateMcpServer};
use serde_json::json;

pub(super) fn mcp_servers() -> Vec<Route> {
    let tag = "Tool servers";
    let acceptance = json!({
        "type": "object",
        "properties": {"definition_hash": {
            "type": "string",
            "description": "Hash of the definition that was looked at.",
        }},
    });
    let file = json!({
        "type": "object",
        "description": "A file in the format of the official registry (server.json).",
        "properties": {"name": {"type": "string"}},
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
        post(
            tag,
            "/mcp-servers/{id}/sign-in",
            "Begins to sign in at a server; not with an API key",
        )
        .gives::<SignInAddress>()
        .conflicts("There is no sign-in"),
        delete(
            tag,
            "/mcp-servers/{id}/sign-in",
            "Forgets what signing in at a server gave",
        ),
        get(tag, "/mcp-servers/{id}/logs", "The end of a server's log").pages::<ServerLogLine>(),
        get(
            tag,
            "/mcp-servers/{id}/container",
            "How a server's container is",
        )
        .gives::<ContainerReport>(),
        get(tag, "/mcp-catalog", "Lists the servers to choose from").pages::<CatalogEntry>(),
        post(tag, "/mcp-catalog", "Puts a server into the catalog")
            .takes_raw("application/json", file)
            .creates::<CatalogEntry>()
            .conflicts("The catalog has one of that name"),
        delete(
            tag,
            "/mcp-catalog/{key}",
            "Takes a server out of the catalog",
        ),
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
