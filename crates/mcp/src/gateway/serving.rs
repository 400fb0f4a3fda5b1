//! Answers what clients ask, in both revisions.

use std::collections::HashMap;
use std::sync::Mutex;

use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities,
    CompleteRequestParams, CompleteResult, ContentBlock, ErrorCode, ErrorData, Extensions,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ResultType, ServerCapabilities, ServerConfig,
    ServerResult, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};

use super::listing::{self, Listing};
use super::parked::Parked;
use super::{Caller, MAX_FOLLOWED, asking, notices};
use crate::ask::{Answer, Ask, Client};
use crate::error::CallError;
use crate::logs;

/// For how long, in milliseconds, a client may take a list as fresh.
pub(super) const LIST_FRESH_MS: u64 = 1_000;

/// Answers requests of the protocol; makes nothing up of its own.
#[derive(Debug)]
pub struct Gateway {
    /// What belongs to a session; `None` without one.
    session: Option<Session>,
    /// Calls that wait for clients to ask once more.
    pub(super) parked: Parked,
}

/// What is kept of a client of 2025.
#[derive(Debug)]
struct Session {
    log_level: Mutex<logs::Level>,
    notices: Mutex<Option<notices::Follower>>,
    /// Resources that the client has subscribed to, by URI.
    followed: Mutex<HashMap<String, notices::Follower>>,
}

impl Gateway {
    pub(super) fn without_session(parked: Parked) -> Self {
        Self {
            session: None,
            parked,
        }
    }

    pub(super) fn with_session(parked: Parked) -> Self {
        Self {
            parked,
            session: Some(Session {
                log_level: Mutex::new(logs::USUAL),
                notices: Mutex::default(),
                followed: Mutex::default(),
            }),
        }
    }

    /// What the client of a request can be asked and wants to hear.
    pub(super) fn client(&self, context: &RequestContext<RoleServer>) -> Client {
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
            .enable_resources_subscribe()
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
        answer_of_tool(self.answer(ask, &context).await, &name)
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

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let Some(session) = &self.session else {
            let why = "begin a session to be told of changed resources";
            return Err(ErrorData::invalid_request(why, None));
        };
        if asking::lock(&session.followed).len() >= MAX_FOLLOWED {
            return Err(ErrorData::invalid_request("too many subscriptions", None));
        }
        let caller = caller(&context.extensions)?;
        let uri = request.uri;
        let first = match caller.0.follow(&uri).await {
            Ok(first) => first,
            Err(CallError::NoSuchTool) => return Err(unknown("resource", &uri)),
            Err(error) => return Err(told(error)),
        };
        let follower = notices::Follower::of_resource(caller, uri.clone(), first, context.peer);
        asking::lock(&session.followed).insert(uri, follower);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if let Some(session) = &self.session {
            asking::lock(&session.followed).remove(&request.uri);
        }
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = caller(&context.request_context().extensions)?;
        notices::listen(&caller, &context).await
    }
}

/// Whether a request is of revision 2026-07-28 or newer.
pub(super) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| !version.has_initialize())
}

pub(super) fn caller(extensions: &Extensions) -> Result<Caller, ErrorData> {
    let parts = extensions.get::<http::request::Parts>();
    let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
    caller
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("nobody is signed in", None))
}

/// What a client is told of a call.
pub(super) fn answer_of_tool(
    answer: Result<Answer, CallError>,
    name: &str,
) -> Result<CallToolResponse, ErrorData> {
    match answer {
        Ok(Answer(ServerResult::InputRequiredResult(result))) => Ok(result.into()),
        Ok(answer) => match answer.into_tool() {
            Ok(output) => {
                let mut result = output.into_result();
                result.result_type = Some(ResultType::COMPLETE);
                Ok(CallToolResponse::Complete(result))
            }
            Err(error) => Ok(failed(&error)),
        },
        Err(CallError::NoSuchTool) => Err(unknown("tool", name)),
        Err(error @ CallError::Refused { .. }) => Err(told(error)),
        Err(error) => Ok(failed(&error)),
    }
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
