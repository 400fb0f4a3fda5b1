//! What a server offers, asked for page by page and within limits.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::mcp_servers::{McpOffer, McpOffers, ToolDefinition};
use rmcp::model::{
    ClientRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest,
    ListToolsRequest, PaginatedRequestParams, ServerResult,
};

use crate::Connection;
use crate::definition::from_tool;
use crate::error::{ConnectError, short};
use crate::offer;
use crate::straight::has_headers;

/// Tools that one server can have.
const MAX_TOOLS: usize = 1_000;
/// Bytes of all definitions of one server.
const MAX_TOOLS_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one definition.
const MAX_TOOL_BYTES: usize = 64 * 1024;
/// Prompts, and resources, that are told.
const MAX_OFFERS: usize = 100;
const MAX_PAGES: usize = 100;
/// Longest time for all pages of one list.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

impl Connection {
    /// Asks for all tools, within 10 s. Tools without a usable name are left out, as is the second
    /// of two with the same.
    ///
    /// # Errors
    /// If the server fails, or offers more than 1,000 tools or 4 MiB of definitions.
    pub async fn list_tools(&self) -> Result<Vec<ToolDefinition>, ConnectError> {
        if !self.has_tools() {
            return Ok(Vec::new());
        }
        let mut pages = Pages::begin();
        let mut tools: Vec<ToolDefinition> = Vec::new();
        let mut names = HashSet::new();
        let mut bytes = 0;
        while let Some(params) = pages.next()? {
            let request = ClientRequest::ListToolsRequest(ListToolsRequest {
                method: Default::default(),
                params: Some(params),
                extensions: Default::default(),
            });
            let ServerResult::ListToolsResult(page) =
                self.request(request, pages.time_left()).await?
            else {
                return Err(ConnectError::not_mcp("what it answers makes no sense"));
            };
            for tool in page.tools {
                let json = serde_json::to_string(&tool).unwrap_or_default();
                let size = json.len();
                bytes += size;
                if let Some(straight) = self.straight.as_ref().filter(|_| has_headers(&json)) {
                    straight.leave_out(&tool.name);
                }
                let tool = from_tool(tool);
                if size > MAX_TOOL_BYTES {
                    return Err(ConnectError::TooMuch(format!(
                        "describes its tool {} in more than 64 KiB",
                        short(&tool.name)
                    )));
                }
                if is_name(&tool.name) && names.insert(tool.name.clone()) {
                    tools.push(tool);
                }
            }
            if tools.len() > MAX_TOOLS || bytes > MAX_TOOLS_BYTES {
                return Err(ConnectError::TooMuch(format!(
                    "offers more than {MAX_TOOLS} tools or 4 MiB of definitions"
                )));
            }
            pages.turn(page.next_cursor);
        }
        Ok(tools)
    }

    /// Asks for prompts, resources and templates of such, at most 100 of each and within 10 s each.
    /// What a server fails to tell is left out.
    pub async fn list_offers(&self) -> McpOffers {
        let (has_prompts, has_resources) = self.has_offers();
        let mut offers = McpOffers::default();
        if has_prompts {
            offers.prompts = self.list_prompts().await.unwrap_or_default();
        }
        if has_resources {
            offers.resources = self.list_resources().await.unwrap_or_default();
            offers.templates = self.list_templates().await.unwrap_or_default();
        }
        offers
    }

    async fn list_prompts(&self) -> Result<Vec<McpOffer>, ConnectError> {
        self.offers(|page| {
            let request = ListPromptsRequest {
                method: Default::default(),
                params: Some(page),
                extensions: Default::default(),
            };
            (request.into(), |result| match result {
                ServerResult::ListPromptsResult(page) => {
                    let prompts = page.prompts.into_iter().map(offer::prompt);
                    Some((prompts.collect(), page.next_cursor))
                }
                _ => None,
            })
        })
        .await
    }

    async fn list_resources(&self) -> Result<Vec<McpOffer>, ConnectError> {
        self.offers(|page| {
            let request = ListResourcesRequest {
                method: Default::default(),
                params: Some(page),
                extensions: Default::default(),
            };
            (request.into(), |result| match result {
                ServerResult::ListResourcesResult(page) => {
                    let resources = page.resources.into_iter().map(offer::resource);
                    Some((resources.collect(), page.next_cursor))
                }
                _ => None,
            })
        })
        .await
    }

    async fn list_templates(&self) -> Result<Vec<McpOffer>, ConnectError> {
        self.offers(|page| {
            let request = ListResourceTemplatesRequest {
                method: Default::default(),
                params: Some(page),
                extensions: Default::default(),
            };
            (request.into(), |result| match result {
                ServerResult::ListResourceTemplatesResult(page) => {
                    let templates = page.resource_templates.into_iter().map(offer::template);
                    Some((templates.collect(), page.next_cursor))
                }
                _ => None,
            })
        })
        .await
    }

    /// All pages of one list, without those that cannot be shown; a name counts once.
    async fn offers<R>(
        &self,
        ask: impl Fn(PaginatedRequestParams) -> (ClientRequest, R),
    ) -> Result<Vec<McpOffer>, ConnectError>
    where
        R: FnOnce(ServerResult) -> Option<(Vec<McpOffer>, Option<String>)>,
    {
        let mut pages = Pages::begin();
        let mut offers: Vec<McpOffer> = Vec::new();
        let mut names = HashSet::new();
        while let Some(params) = pages.next()? {
            let (request, read) = ask(params);
            let Some((page, cursor)) = read(self.request(request, pages.time_left()).await?) else {
                break;
            };
            offers.extend(
                page.into_iter()
                    .filter(|it| offer::is_usable(it) && names.insert(it.name.clone())),
            );
            if offers.len() >= MAX_OFFERS {
                break;
            }
            pages.turn(cursor);
        }
        offers.truncate(MAX_OFFERS);
        Ok(offers)
    }
}

/// Walks through the pages of a list.
struct Pages {
    started: Instant,
    turned: usize,
    cursor: Option<String>,
    is_done: bool,
}

impl Pages {
    fn begin() -> Self {
        Self {
            started: Instant::now(),
            turned: 0,
            cursor: None,
            is_done: false,
        }
    }

    fn next(&self) -> Result<Option<PaginatedRequestParams>, ConnectError> {
        if self.turned >= MAX_PAGES {
            return Err(ConnectError::TooMuch(format!(
                "has more than {MAX_PAGES} pages of one list"
            )));
        }
        let params = PaginatedRequestParams::default().with_cursor(self.cursor.clone());
        Ok((!self.is_done).then_some(params))
    }

    fn turn(&mut self, cursor: Option<String>) {
        self.turned += 1;
        self.is_done = cursor.is_none() || cursor == self.cursor;
        self.cursor = cursor;
    }

    fn time_left(&self) -> Duration {
        LIST_TIMEOUT.saturating_sub(self.started.elapsed())
    }
}

/// Names that can be shown, stored and put into a path.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}
