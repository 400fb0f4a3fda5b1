//! The gateway: one tool server that shows its caller the tools of others.
//!
//! It keeps no sessions, so any process can answer any request, and a caller that hangs up ends its
//! call. Who calls, and what they may use, comes with each request as a [`Caller`].

use std::sync::Arc;

use async_trait::async_trait;
use domain::mcp_servers::ToolDefinition;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ResultType,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::connection::Progress;
use crate::error::CallError;
use crate::output::ToolOutput;

/// Steps of one call that may wait to be passed on; more are left out.
const WAITING_STEPS: usize = 16;
/// For how long, in milliseconds, a client may take a list as fresh.
const LIST_FRESH_MS: u64 = 1_000;

/// Mounts in any tower of services; takes requests that carry a [`Caller`].
pub type GatewayService = StreamableHttpService<Gateway, NeverSessionManager>;

/// Whoever calls, and what they may use.
#[async_trait]
pub trait GatewayCaller: Send + Sync {
    /// The tools that the caller may use, from memory or the database.
    ///
    /// # Errors
    /// In words for the caller.
    async fn list(&self) -> Result<Listing, String>;

    /// Calls a tool by the name in the listing.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn call(
        &self,
        name: &str,
        arguments: Value,
        cancel: &CancellationToken,
        on_progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<ToolOutput, CallError>;
}

/// The caller of one request, among the request's extensions.
#[derive(Clone)]
pub struct Caller(pub Arc<dyn GatewayCaller>);

/// Tools as they are listed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listing(Arc<Vec<Tool>>);

/// Answers requests of the protocol; makes nothing up of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gateway;

/// The gateway's service.
///
/// `hosts` and `origins` are those that it is known by; requests that name others are refused.
pub fn service(
    hosts: Vec<String>,
    origins: Vec<String>,
    max_body_bytes: usize,
    stopping: CancellationToken,
) -> GatewayService {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(max_body_bytes)
        .with_cancellation_token(stopping);
    StreamableHttpService::new(
        || Ok(Gateway),
        Arc::new(NeverSessionManager::default()),
        config,
    )
}

impl Listing {
    /// Tools by the names that callers see.
    pub fn new<'a>(tools: impl Iterator<Item = (String, &'a ToolDefinition)>) -> Self {
        let tools = tools.map(|(name, definition)| to_tool(name, definition));
        Self(Arc::new(tools.collect()))
    }
}

impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let this = Implementation::new("agentarea", env!("CARGO_PKG_VERSION"))
            .with_title("AgentArea gateway");
        ServerConfig::new(capabilities).with_server_info(this)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listing = caller(&context)?.0.list().await;
        let Listing(tools) = listing.map_err(|message| ErrorData::internal_error(message, None))?;
        let mut result = ListToolsResult::with_all_items((*tools).clone());
        result.ttl_ms = Some(LIST_FRESH_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Caller(caller) = caller(&context)?;
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let (steps, mut told) = mpsc::channel::<Progress>(WAITING_STEPS);
        // A client that is slow to hear of steps is not waited for.
        let on_progress = move |step| drop(steps.try_send(step));
        let call = caller.call(&request.name, arguments, &context.ct, &on_progress);
        tokio::pin!(call);
        let token = context.meta.get_progress_token();
        let result = loop {
            tokio::select! {
                biased;
                result = &mut call => break result,
                Some(step) = told.recv() => {
                    let Some(token) = &token else { continue };
                    let mut param = ProgressNotificationParam::new(token.clone(), step.progress);
                    param.total = step.total;
                    param.message = step.message;
                    let _ = context.peer.notify_progress(param).await;
                }
            }
        };
        match result {
            Ok(output) => {
                let mut result = output.into_result();
                result.result_type = Some(ResultType::COMPLETE);
                Ok(CallToolResponse::Complete(result))
            }
            Err(CallError::NoSuchTool) => Err(ErrorData::invalid_params(
                format!("unknown tool: {}", request.name),
                None,
            )),
            Err(error) => {
                let told = vec![ContentBlock::text(error.to_string())];
                Ok(CallToolResponse::Complete(CallToolResult::error(told)))
            }
        }
    }
}

fn caller(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("nobody is signed in", None))
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
