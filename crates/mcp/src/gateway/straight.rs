//! Calls and lists of tools in revision 2026-07-28, answered at once.
//!
//! They are what is asked most, and need neither a session nor a task of their own. Whatever is not
//! exactly as it is expected here goes the long way, which knows all rules and names each mistake.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use rmcp::model::{
    CacheScope, CallToolRequestParams, ClientCapabilities, ErrorCode, ErrorData, InputResponses,
    JsonObject, JsonRpcError, ProtocolVersion, RequestId, RequestMetaObject, ResultType,
    ServerResult,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::GatewayCaller;
use super::call::Call;
use super::listing::{self, Listing};
use super::parked::Parked;
use super::serving::{LIST_FRESH_MS, answer_of_tool};
use crate::ask::{Answer, Ask, Client};
use crate::error::CallError;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const CALL: &str = "tools/call";
const LIST: &str = "tools/list";
pub(super) const JSON: &str = "application/json";

/// One request, as it is expected.
pub(super) struct Request {
    id: RequestId,
    asked: Asked,
}

enum Asked {
    Call(Box<CallToolRequestParams>),
    List(Option<String>),
}

/// A request's body. Whatever else stands in it is for the long way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message<'a, P> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    pub(super) id: RequestId,
    #[serde(borrow)]
    method: Cow<'a, str>,
    pub(super) params: P,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CallParams {
    name: String,
    arguments: Option<JsonObject>,
    input_responses: Option<InputResponses>,
    request_state: Option<String>,
    #[serde(rename = "_meta")]
    meta: RequestMetaObject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    cursor: Option<String>,
    #[serde(rename = "_meta")]
    meta: RequestMetaObject,
}

#[derive(Serialize)]
struct Said<'a, R> {
    jsonrpc: &'static str,
    id: &'a RequestId,
    result: R,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolsPage<'a> {
    result_type: ResultType,
    tools: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    ttl_ms: u64,
    cache_scope: CacheScope,
}

/// A call that goes on until its answer is there, whether or not its client still waits for that.
pub(super) struct Awaited {
    call: Option<Call>,
    /// Whether its server is told when the client goes.
    is_cancelled: bool,
}

/// Whether a request of that revision may be one of these, by its headers.
pub(super) fn is_expected(headers: &HeaderMap, hosts: &[String]) -> bool {
    is_usual(headers, hosts)
        && only(headers, &VERSION).is_some()
        && only(headers, &METHOD).is_some_and(|it| it == CALL.as_bytes() || it == LIST.as_bytes())
}

/// Whether a message comes from no page, to us, and takes any answer.
pub(super) fn is_usual(headers: &HeaderMap, hosts: &[String]) -> bool {
    let is_host = |host: &[u8]| {
        hosts.is_empty()
            || hosts
                .iter()
                .any(|own| own.as_bytes().eq_ignore_ascii_case(host))
    };
    let accepts = |kinds: &[u8]| {
        let kinds = std::str::from_utf8(kinds).unwrap_or_default();
        let has = |kind| kinds.split(',').any(|it: &str| it.trim() == kind);
        has(JSON) && has("text/event-stream")
    };
    !headers.contains_key(ORIGIN)
        && only(headers, &HOST).is_some_and(is_host)
        && only(headers, &ACCEPT).is_some_and(accepts)
        && only(headers, &CONTENT_TYPE).is_some_and(|kind| kind == JSON.as_bytes())
}

/// The request in a body, if it is one of these.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Option<Request> {
    let method = only(headers, &METHOD)?;
    if method == LIST.as_bytes() {
        let message: Message<'_, ListParams> = serde_json::from_slice(body).ok()?;
        let is_expected = message.is(LIST) && is_plain(&message.params.meta);
        return is_expected.then_some(Request {
            id: message.id,
            asked: Asked::List(message.params.cursor),
        });
    }
    let message: Message<'_, CallParams> = serde_json::from_slice(body).ok()?;
    let is_named = only(headers, &NAME)? == message.params.name.as_bytes()
        && !message.params.name.starts_with("=?");
    if !message.is(CALL) || !is_plain(&message.params.meta) || !is_named {
        return None;
    }
    let mut params = CallToolRequestParams::new(message.params.name);
    params.arguments = message.params.arguments;
    params.input_responses = message.params.input_responses;
    params.request_state = message.params.request_state;
    params.meta = Some(message.params.meta);
    Some(Request {
        id: message.id,
        asked: Asked::Call(Box::new(params)),
    })
}

impl Request {
    /// What answers it.
    pub(super) async fn answer(
        self,
        caller: Arc<dyn GatewayCaller>,
        parked: &Parked,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        let id = &self.id;
        let (status, body) = match self.asked {
            Asked::Call(params) => message(id, call(*params, caller, parked).await),
            Asked::List(cursor) => match caller.list().await {
                Ok(listing) => message(id, Ok(page(&listing, cursor))),
                Err(error) => message(id, Err::<(), _>(ErrorData::internal_error(error, None))),
            },
        };
        response(status, JSON, Full::from(body))
    }
}

/// A result or an error as the message that answers a request, and its status.
pub(super) fn message<R: Serialize>(
    id: &RequestId,
    result: Result<R, ErrorData>,
) -> (StatusCode, Vec<u8>) {
    let jsonrpc = "2.0";
    let written = result.and_then(|result| {
        let said = Said {
            jsonrpc,
            id,
            result,
        };
        serde_json::to_vec(&said).map_err(|_| ErrorData::internal_error("it cannot be said", None))
    });
    let error = match written {
        Ok(body) => return (StatusCode::OK, body),
        Err(error) => error,
    };
    let status = match error.code {
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let error = JsonRpcError::new(Some(id.clone()), error);
    (status, serde_json::to_vec(&error).unwrap_or_default())
}

pub(super) fn response<B>(
    status: StatusCode,
    kind: &'static str,
    body: B,
) -> Response<BoxBody<Bytes, Infallible>>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static,
{
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn call(
    mut params: CallToolRequestParams,
    caller: Arc<dyn GatewayCaller>,
    parked: &Parked,
) -> Result<ServerResult, ErrorData> {
    let meta = params.meta.take().unwrap_or_default();
    let has = meta.client_capabilities().unwrap_or_default();
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = has.elicitation;
    capabilities.sampling = has.sampling;
    capabilities.roots = has.roots;
    let client = Client {
        capabilities,
        log_level: None,
    };
    let name = params.name.clone();
    let mut ask = Ask::from_call(params, client);
    let call = match &ask.state {
        Some(state) if parked.is_here(state) => {
            parked.resume(state, &caller.identity(), ask.responses.take())
        }
        _ => Ok(Call::begin(caller.clone(), ask, false)),
    };
    let answer = match call {
        Ok(call) => wait(call, caller.as_ref(), parked).await,
        Err(error) => Err(error),
    };
    answer_of_tool(answer, &name).map(ServerResult::from)
}

async fn wait(
    call: Call,
    caller: &dyn GatewayCaller,
    parked: &Parked,
) -> Result<Answer, CallError> {
    let mut awaited = Awaited {
        call: Some(call),
        is_cancelled: true,
    };
    let call = awaited.call();
    let question = tokio::select! {
        biased;
        answer = &mut call.answer => {
            awaited.end();
            return answer;
        }
        Some(question) = call.questions.recv() => *question,
    };
    match awaited.end() {
        Some(call) => parked.park(call, question, caller.identity()),
        None => Err(crate::ask::nonsense()),
    }
}

fn page(listing: &Listing, cursor: Option<String>) -> ToolsPage<'_> {
    let shown = listing.shown();
    let (range, next_cursor) = listing::range(&shown.tools, cursor.as_deref(), |it| &it.name);
    ToolsPage {
        result_type: ResultType::COMPLETE,
        tools: shown.tools_as_json().get(range).unwrap_or_default(),
        next_cursor,
        ttl_ms: LIST_FRESH_MS,
        cache_scope: CacheScope::Private,
    }
}

/// A client that wants neither steps nor logs, and says all that it has to.
fn is_plain(meta: &RequestMetaObject) -> bool {
    let wants = ["progressToken", "io.modelcontextprotocol/logLevel"];
    meta.protocol_version() == Some(ProtocolVersion::V_2026_07_28)
        && meta
            .client_capabilities()
            .is_some_and(|it| !it.supports_tasks())
        && !wants.iter().any(|wanted| meta.contains_key(*wanted))
}

/// The value of a header that is there once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

impl<P> Message<'_, P> {
    pub(super) fn is(&self, method: &str) -> bool {
        self.jsonrpc == "2.0" && self.method == method
    }
}

impl Awaited {
    /// A call whose client may go without ending it.
    pub(super) fn to_its_end(call: Call) -> Self {
        Self {
            call: Some(call),
            is_cancelled: false,
        }
    }

    pub(super) fn call(&mut self) -> &mut Call {
        self.call.as_mut().expect("it is taken at the end only")
    }

    /// It is not waited for any more.
    pub(super) fn end(&mut self) -> Option<Call> {
        self.call.take()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let (Some(mut call), Ok(runtime)) =
            (self.call.take(), tokio::runtime::Handle::try_current())
        {
            if self.is_cancelled {
                call.cancel.cancel();
            }
            // So that it is written down as it ended.
            runtime.spawn(async move {
                let _ = call.answer.as_mut().await;
            });
        }
    }
}
