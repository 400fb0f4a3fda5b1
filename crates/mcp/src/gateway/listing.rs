//! What the gateway shows, page by page.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use domain::mcp_servers::{McpOffers, ToolDefinition};
use domain::tools::NAME_SEPARATOR;
use rmcp::model::{PaginatedRequestParams, Prompt, Resource, ResourceTemplate, Tool};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use crate::offer;

/// Entries of one page of any list.
pub const PAGE: usize = 250;
/// Begins the URIs of resources where there is more than one server: `agentarea://SERVER/URI`.
pub const URI_PREFIX: &str = "agentarea://";

/// Everything that one caller is shown. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listing(Arc<Shown>);

#[derive(Debug)]
pub(super) struct Shown {
    pub(super) tools: Vec<Tool>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) resources: Vec<Resource>,
    pub(super) templates: Vec<ResourceTemplate>,
    pub(super) marks: Marks,
    json: OnceLock<Vec<Box<RawValue>>>,
}

/// Hashes of the lists, to see which has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) tools: [u8; 32],
    pub(super) prompts: [u8; 32],
    pub(super) resources: [u8; 32],
}

/// One server as it is shown.
#[derive(Debug)]
pub struct ShownServer<'a> {
    /// Stands before everything of it; `None` if it is alone.
    pub prefix: Option<&'a str>,
    /// The tools that may be called.
    pub tools: Vec<&'a ToolDefinition>,
    /// Its prompts and resources.
    pub offers: &'a McpOffers,
}

impl Listing {
    /// All there is of these servers, each list by name.
    pub fn new<'a>(servers: impl Iterator<Item = ShownServer<'a>>) -> Self {
        let mut shown = Shown {
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            marks: Marks::of_nothing(),
            json: OnceLock::new(),
        };
        for server in servers {
            let prefix = server.prefix;
            let tools = server.tools.iter();
            shown
                .tools
                .extend(tools.map(|tool| to_tool(long_name(prefix, &tool.name), tool)));
            let offers = server.offers;
            let prompts = offers.prompts.iter();
            shown
                .prompts
                .extend(prompts.map(|it| offer::to_prompt(long_name(prefix, &it.name), it)));
            let resources = offers.resources.iter();
            shown
                .resources
                .extend(resources.map(|it| offer::to_resource(long_uri(prefix, &it.name), it)));
            let templates = offers.templates.iter();
            shown
                .templates
                .extend(templates.map(|it| offer::to_template(long_uri(prefix, &it.name), it)));
        }
        shown.tools.sort_by(|a, b| a.name.cmp(&b.name));
        shown.prompts.sort_by(|a, b| a.name.cmp(&b.name));
        shown.resources.sort_by(|a, b| a.uri.cmp(&b.uri));
        shown
            .templates
            .sort_by(|a, b| a.uri_template.cmp(&b.uri_template));
        shown.marks = Marks {
            tools: mark(&shown.tools),
            prompts: mark(&shown.prompts),
            resources: mark(&(&shown.resources, &shown.templates)),
        };
        Self(Arc::new(shown))
    }

    pub(super) fn shown(&self) -> &Shown {
        &self.0
    }
}

impl Shown {
    /// The tools as they are sent, written once.
    pub(super) fn tools_as_json(&self) -> &[Box<RawValue>] {
        let write = || self.tools.iter().filter_map(|tool| to_raw_value(tool).ok());
        self.json.get_or_init(|| write().collect())
    }
}

impl Marks {
    fn of_nothing() -> Self {
        Self {
            tools: [0; 32],
            prompts: [0; 32],
            resources: [0; 32],
        }
    }
}

/// The name of a tool or prompt as callers see it.
fn long_name(prefix: Option<&str>, name: &str) -> String {
    match prefix {
        Some(prefix) => format!("{prefix}{NAME_SEPARATOR}{name}"),
        None => name.to_owned(),
    }
}

/// The URI of a resource as callers see it.
pub fn long_uri(prefix: Option<&str>, uri: &str) -> String {
    match prefix {
        Some(prefix) => format!("{URI_PREFIX}{prefix}/{uri}"),
        None => uri.to_owned(),
    }
}

/// One page of a sorted list, and the cursor of the next: the last name of this one. Whatever comes
/// or goes between two pages, nothing else is shown twice or left out.
pub(super) fn page<T: Clone>(
    all: &[T],
    request: Option<PaginatedRequestParams>,
    name: impl Fn(&T) -> &str,
) -> (Vec<T>, Option<String>) {
    let after = request.and_then(|request| request.cursor);
    let (range, next) = range(all, after.as_deref(), name);
    (all[range].to_vec(), next)
}

/// Where that page is in the list, and the cursor of the next.
pub(super) fn range<T>(
    all: &[T],
    after: Option<&str>,
    name: impl Fn(&T) -> &str,
) -> (Range<usize>, Option<String>) {
    let start = match after {
        Some(after) => all.partition_point(|it| name(it) <= after),
        None => 0,
    };
    let end = all.len().min(start + PAGE);
    let next = (end < all.len()).then(|| name(&all[end - 1]).to_owned());
    (start..end, next)
}

fn mark(list: &impl serde::Serialize) -> [u8; 32] {
    let json = serde_json::to_vec(list).unwrap_or_default();
    Sha256::digest(json).into()
}

fn to_tool(name: String, definition: &ToolDefinition) -> Tool {
    let object = |value: &Value| Arc::new(value.as_object().cloned().unwrap_or_default());
    let mut tool = Tool::default();
    tool.name = name.into();
    tool.title = definition.title.clone();
    tool.description =
        (!definition.description.is_empty()).then(|| definition.description.clone().into());
    tool.input_schema = object(&definition.input_schema);
    tool.output_schema = definition.output_schema.as_ref().map(object);
    tool.annotations = serde_json::from_value(definition.annotations.clone()).ok();
    tool
}
