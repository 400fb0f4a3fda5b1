//! Server functions of the tools pages.

use std::collections::HashMap;

use domain::mcp_servers::{McpServer, McpTool, ToolTrial};
use domain::{Error, McpServerId, Secret};
#[cfg(feature = "ssr")]
use domain::{
    Page, expose,
    mcp_servers::{
        CreateMcpServer, McpServerSource, McpServerSourceInput, RemoteSourceInput,
        SignInClientInput, UpdateMcpServer,
    },
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::tools::container_server::ContainerDetail;
#[cfg(feature = "ssr")]
use crate::pages::tools::container_server::container_of;
use crate::time::AsOf;

/// What a server's page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerDetail {
    /// The server.
    pub server: McpServer,
    /// Its tools by name, at most 500.
    pub tools: Vec<McpTool>,
    /// Its container, if it runs in one of ours.
    pub container: Option<ContainerDetail>,
}

/// What was typed of a client that was registered by hand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TypedClient {
    /// Its id; empty for none.
    #[serde(default)]
    pub id: String,
    /// Its secret; empty if it was not typed.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// A server with its tools, to choose from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerChoice {
    /// The server.
    pub id: McpServerId,
    /// Its name.
    pub name: String,
    /// Names and descriptions of its tools.
    pub tools: Vec<(String, String)>,
}

/// The workspace's tool servers, newest first, at most 100.
#[server]
pub async fn list_tool_servers() -> Result<Vec<McpServer>, Error> {
    let platform = crate::context::platform()?;
    Ok(platform.list_mcp_servers(Page::first(100)).await?.items)
}

/// One server as its page shows it; a glance leaves its tools out.
#[server]
pub async fn get_tool_server(
    id: McpServerId,
    #[server(default)] is_glance: bool,
) -> Result<AsOf<ServerDetail>, Error> {
    let platform = crate::context::platform()?;
    let server = platform.get_mcp_server(id).await?;
    let value = ServerDetail {
        tools: match is_glance {
            true => Vec::new(),
            false => tools_of(&*platform, id).await?,
        },
        container: match server.source.container() {
            Some(settings) => Some(container_of(&*platform, id, settings.resources).await?),
            None => None,
        },
        server,
    };
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// Adds a server and shows it.
#[server]
pub async fn add_tool_server(
    name: String,
    url: String,
    #[server(default)] client: TypedClient,
    #[server(default)] header_names: Vec<String>,
    #[server(default)] header_values: Vec<Secret>,
) -> Result<(), Error> {
    let client = client.input().filter(|client| !client.id.trim().is_empty());
    let source = remote(url, client, header_names, header_values, Vec::new());
    let input = CreateMcpServer {
        call_price_usd_micros: None,
        name: name.trim().to_owned(),
        source,
    };
    let server = crate::context::platform()?.create_mcp_server(input).await?;
    crate::context::go_to(&format!("/tools/{}", server.id));
    Ok(())
}

/// Changes a server. Headers without a value keep theirs.
#[server]
pub async fn change_tool_server(
    id: McpServerId,
    name: String,
    url: String,
    #[server(default)] client: TypedClient,
    #[server(default)] header_names: Vec<String>,
    #[server(default)] header_values: Vec<Secret>,
    #[server(default)] removed: Vec<String>,
) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let McpServerSource::Remote(old) = platform.get_mcp_server(id).await?.source else {
        return Err(Error::NotFound);
    };
    let is_moved = old.url != url.trim();
    let is_rekeyed =
        !removed.is_empty() || header_values.iter().any(|value| !expose(value).is_empty());
    // One that is not typed again stays.
    let is_other = client.id.trim() != old.sign_in_client_id.as_deref().unwrap_or_default();
    let client = client
        .input()
        .filter(|client| is_other || client.secret.is_some());
    let is_rekeyed = is_rekeyed || client.is_some();
    let source = remote(url, client, header_names, header_values, removed);
    let input = UpdateMcpServer {
        call_price_usd_micros: None,
        name: Some(name.trim().to_owned()),
        // A source that is named is connected to anew.
        source: (is_moved || is_rekeyed).then_some(source),
    };
    platform.update_mcp_server(id, input).await?;
    Ok(())
}

/// Connects to a server anew and asks for its tools.
#[server]
pub async fn restart_tool_server(id: McpServerId) -> Result<(), Error> {
    crate::context::platform()?.restart_mcp_server(id).await?;
    Ok(())
}

/// Begins to sign in at a server and goes where that is done.
#[server]
pub async fn begin_tool_server_sign_in(id: McpServerId) -> Result<(), Error> {
    let address = crate::context::platform()?.begin_mcp_sign_in(id).await?;
    crate::context::go_to(&address);
    Ok(())
}

/// Forgets what signing in at a server left.
#[server]
pub async fn end_tool_server_sign_in(id: McpServerId) -> Result<(), Error> {
    crate::context::platform()?.end_mcp_sign_in(id).await?;
    Ok(())
}

/// Deletes a server and shows the list.
#[server]
pub async fn delete_tool_server(id: McpServerId) -> Result<(), Error> {
    crate::context::platform()?.delete_mcp_server(id).await?;
    crate::context::go_to("/tools");
    Ok(())
}

/// Accepts a changed definition that the page showed.
#[server]
pub async fn accept_tool(id: McpServerId, tool: String, hash: String) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let seen = Some(hash.as_str()).filter(|hash| !hash.is_empty());
    platform.accept_mcp_tool(id, &tool, seen).await?;
    Ok(())
}

/// Calls a tool with what was typed into the fields of its schema.
#[server]
pub async fn try_tool(
    id: McpServerId,
    tool: String,
    #[server(default)] fields: HashMap<String, String>,
) -> Result<ToolTrial, Error> {
    let platform = crate::context::platform()?;
    let tools = tools_of(&*platform, id).await?;
    let found = tools.iter().find(|known| known.definition.name == tool);
    let schema = &found.ok_or(Error::NotFound)?.definition.input_schema;
    let arguments = crate::pages::tools::typed::arguments(schema, fields)?;
    platform.try_mcp_tool(id, &tool, arguments).await
}

/// Every server's tools, for agents to choose from.
#[cfg(feature = "ssr")]
pub async fn choices(platform: &dyn domain::Platform) -> Result<Vec<ServerChoice>, Error> {
    let servers = platform.list_mcp_servers(Page::first(100)).await?.items;
    let mut choices = Vec::new();
    for server in servers {
        let tools = tools_of(platform, server.id).await?;
        choices.push(ServerChoice {
            id: server.id,
            name: server.name,
            tools: tools
                .into_iter()
                .map(|tool| (tool.definition.name, tool.definition.description))
                .collect(),
        });
    }
    Ok(choices)
}

#[cfg(feature = "ssr")]
async fn tools_of(platform: &dyn domain::Platform, id: McpServerId) -> Result<Vec<McpTool>, Error> {
    const MAX_SHOWN: usize = 500;
    let mut page = Page::first(100);
    let mut tools = Vec::new();
    while tools.len() < MAX_SHOWN {
        let paged = platform.list_mcp_tools(id, page.clone()).await?;
        tools.extend(paged.items);
        match paged.next {
            Some(after) => page.after = Some(after),
            None => break,
        }
    }
    Ok(tools)
}

#[cfg(feature = "ssr")]
impl TypedClient {
    fn input(self) -> Option<SignInClientInput> {
        let secret = self.secret.filter(|secret| !expose(secret).is_empty());
        Some(SignInClientInput {
            id: self.id,
            secret,
        })
    }
}

#[cfg(feature = "ssr")]
fn remote(
    url: String,
    sign_in_client: Option<SignInClientInput>,
    names: Vec<String>,
    values: Vec<Secret>,
    removed: Vec<String>,
) -> McpServerSourceInput {
    let given = names.into_iter().zip(values);
    let mut headers: std::collections::BTreeMap<_, _> = given
        .map(|(name, value)| (name.trim().to_owned(), value))
        // A row that is empty, or a stored header whose value was not typed again.
        .filter(|(name, value)| !name.is_empty() && !expose(value).is_empty())
        .map(|(name, value)| (name, Some(value)))
        .collect();
    headers.extend(removed.into_iter().map(|name| (name, None)));
    McpServerSourceInput::Remote(RemoteSourceInput {
        url,
        headers,
        sign_in_client,
    })
}
