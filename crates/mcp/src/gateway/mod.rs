//! The gateway: one tool server that shows its caller the tools, prompts and resources of others.
//!
//! Any process can answer any request: what a caller may use comes with each request as a
//! [`Caller`]. Clients of 2025 also get a session ([`sessions`]) so that they can be told and asked.

mod asking;
mod listing;
mod notices;
mod sessions;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities,
    CompleteRequestParams, CompleteResult, ContentBlock, ErrorCode, ErrorData, Extensions,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ResultType, ServerCapabilities, ServerConfig,
    ServerResult, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::listing::{Listing, PAGE, ShownServer, URI_PREFIX, long_uri};
pub use self::sessions::GatewayService;
use crate::ask::{Answer, Ask, Client, LogLine};
use crate::connection::Progress;
use crate::error::CallError;
use crate::logs;

/// For how long, in milliseconds, a client may take a list as fresh.
const LIST_FRESH_MS: u64 = 1_000;

/// Whoever calls, and what they may use.
#[async_trait]
pub trait GatewayCaller: Send + Sync {
    /// What the caller may use, from memory or the database.
    ///
    /// # Errors
    /// In words for the caller.
    async fn list(&self) -> Result<Listing, String>;

    /// Asks the server that has what is asked for, by the name in the listing.
    ///
    /// # Errors
    /// See [`CallError`].
    async fn ask(&self, ask: Ask, hearing: Hearing<'_>) -> Result<Answer, CallError>;

    /// Raised whenever the listing may be another.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Returns when the caller's access ends or changes. Safe to cancel.
    async fn access_ends(&self);

    /// Who it is, and which gateway they use: sessions are not shared with others.
    fn identity(&self) -> String;
}

/// How the caller of one request is kept informed.
#[derive(Clone, Copy)]
pub struct Hearing<'a> {
    /// Ends the request.
    pub cancel: &'a CancellationToken,
    /// Is told of each step; must not block.
    pub on_progress: &'a (dyn Fn(Progress) + Send + Sync),
    /// Is told what the server logs, if the caller wants that; must not block.
    pub on_log: Option<&'a (dyn Fn(LogLine) + Send + Sync)>,
}

/// The caller of one request, among the request's extensions.
#[derive(Clone)]
pub struct Caller(pub Arc<dyn GatewayCaller>);

/// Answers requests of the protocol; makes nothing up of its own.
#[derive(Debug, Default)]
pub struct Gateway {
    /// What belongs to a session; `None` without one.
    session: Option<Session>,
}

/// What is kept of a client of 2025.
#[derive(Debug)]
struct Session {
    log_level: Mutex<logs::Level>,
    notices: Mutex<Option<notices::Follower>>,
}

impl Gateway {
    fn with_session() -> Self {
        Self {
            session: Some(Session {
                log_level: Mutex::new(logs::USUAL),
                notices: Mutex::default(),
            }),
        }
    }

    /// What the client of a request can be asked and wants to hear.
    fn client(&self, context: &RequestContext<RoleServer>) -> Client {
        let has = context.client_capabilities().unwrap_or_default();
        // Nothing is passed on that is not understood here, such as tasks.
        let mut capabilities = ClientCapabilities::default();
        let is_asked = is_modern(context) || self.session.is_some();
        if is_asked {
            capabilities.elicitation = has.elicitation;
            capabilities.sampling = has.sampling;
            capabilities.roots = has.roots;
        }
        let log_level = match &self.session {
            _ if is_modern(context) => context.meta.log_level(),
            Some(session) => Some(*asking::lock(&session.log_level)),
            None => None,
        };
        Client {
            capabilities,
            log_level,
        }
    }

    async fn listing(&self, context: &RequestContext<RoleServer>) -> Result<Listing, ErrorData> {
        let listing = caller(&context.extensions)?.0.list().await;
        listing.map_err(|message| ErrorData::internal_error(message, None))
    }
}

impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        logs::enable(&mut capabilities);
        let this = Implementation::new("agentarea", env!("CARGO_PKG_VERSION"))
            .with_title("AgentArea gateway");
        ServerConfig::new(capabilities).with_server_info(this)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listing = self.listing(&context).await?;
        let (tools, next) = listing::page(&listing.shown().tools, request, |it| &it.name);
        let mut result = ListToolsResult::with_all_items(tools);
        result.next_cursor = next;
        result.ttl_ms = Some(LIST_FRESH_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let listing = self.listing(&context).await?;
        let (prompts, next) = listing::page(&listing.shown().prompts, request, |it| &it.name);
        let mut result = ListPromptsResult::with_all_items(prompts);
        result.next_cursor = next;
        result.ttl_ms = Some(LIST_FRESH_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let listing = self.listing(&context).await?;
        let (resources, next) = listing::page(&listing.shown().resources, request, |it| &it.uri);
        let mut result = ListResourcesResult::with_all_items(resources);
        result.next_cursor = next;
        result.ttl_ms = Some(LIST_FRESH_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let listing = self.listing(&context).await?;
        let all = &listing.shown().templates;
        let (templates, next) = listing::page(all, request, |it| &it.uri_template);
        let mut result = ListResourceTemplatesResult::with_all_items(templates);
        result.next_cursor = next;
        result.ttl_ms = Some(LIST_FRESH_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        let ask = Ask::from_call(request, self.client(&context));
        match self.answer(ask, &context).await {
            Ok(Answer(ServerResult::InputRequiredResult(result))) => Ok(result.into()),
            Ok(answer) => match answer.into_tool() {
                Ok(output) => {
                    let mut result = output.into_result();
                    result.result_type = Some(ResultType::COMPLETE);
                    Ok(CallToolResponse::Complete(result))
                }
                Err(error) => Ok(failed(&error)),
            },
            Err(CallError::NoSuchTool) => Err(unknown("tool", &name)),
            Err(error @ CallError::Refused { .. }) => Err(told(error)),
            Err(error) => Ok(failed(&error)),
        }
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let name = request.name.clone();
        let ask = Ask::from_prompt(request, self.client(&context));
        match self.answer(ask, &context).await {
            Ok(Answer(ServerResult::GetPromptResult(mut result))) => {
                result.result_type = Some(ResultType::COMPLETE);
                Ok(result.into())
            }
            Ok(Answer(ServerResult::InputRequiredResult(result))) => Ok(result.into()),
            Ok(_) => Err(told(crate::ask::nonsense())),
            Err(CallError::NoSuchTool) => Err(unknown("prompt", &name)),
            Err(error) => Err(told(error)),
        }
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.clone();
        let ask = Ask::from_read(request, self.client(&context));
        match self.answer(ask, &context).await {
            Ok(Answer(ServerResult::ReadResourceResult(mut result))) => {
                result.result_type = Some(ResultType::COMPLETE);
                // Whatever the server says: the answer is this caller's.
                result.cache_scope = Some(CacheScope::Private);
                Ok(result.into())
            }
            Ok(Answer(ServerResult::InputRequiredResult(result))) => Ok(result.into()),
            Ok(_) => Err(told(crate::ask::nonsense())),
            Err(CallError::NoSuchTool) => {
                let data = serde_json::json!({ "uri": uri });
                Err(ErrorData::resource_not_found(
                    "unknown resource",
                    Some(data),
                ))
            }
            Err(error) => Err(told(error)),
        }
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let ask = Ask::from_completion(request, self.client(&context));
        let asked = match ask {
            Some(ask) => self.answer(ask, &context).await,
            None => Err(CallError::NoSuchTool),
        };
        match asked {
            Ok(Answer(ServerResult::CompleteResult(mut result))) => {
                result.result_type = Some(ResultType::COMPLETE);
                Ok(result)
            }
            Ok(_) => Err(told(crate::ask::nonsense())),
            Err(CallError::NoSuchTool) => Err(ErrorData::invalid_params(
                "nothing of that name can be completed",
                None,
            )),
            Err(error) => Err(told(error)),
        }
    }

    async fn set_level(
        &self,
        request: logs::SetLevel,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            let method = "logging/setLevel".to_owned();
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None));
        }
        // Without a session nothing is told unasked: there is no level to keep.
        if let Some(session) = &self.session {
            *asking::lock(&session.log_level) = logs::level_of(&request);
        }
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let (Some(session), Ok(caller)) = (&self.session, caller(&context.extensions)) else {
            return;
        };
        let follower = notices::Follower::start(caller, context.peer);
        *asking::lock(&session.notices) = Some(follower);
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let Caller(caller) = caller(&context.request_context().extensions)?;
        notices::listen(caller.as_ref(), &context).await
    }
}

/// Whether a request is of revision 2026-07-28 or newer.
fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| !version.has_initialize())
}

fn caller(extensions: &Extensions) -> Result<Caller, ErrorData> {
    let parts = extensions.get::<http::request::Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("nobody is signed in", None))
}

fn failed(error: &CallError) -> CallToolResponse {
    let told = vec![ContentBlock::text(error.to_string())];
    CallToolResponse::Complete(CallToolResult::error(told))
}

fn unknown(what: &str, name: &str) -> ErrorData {
    ErrorData::invalid_params(format!("unknown {what}: {name}"), None)
}

fn told(error: CallError) -> ErrorData {
    match error {
        CallError::Refused {
            code,
            message,
            data,
        } => ErrorData::new(ErrorCode(code), message, data),
        other => ErrorData::internal_error(other.to_string(), None),
    }
}
