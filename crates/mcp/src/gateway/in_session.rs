//! Calls of tools in sessions of 2025, answered without waking the session.
//!
//! Only for clients that cannot be asked anything, and calls whose steps nobody wants to hear: all
//! that can come besides the answer are lines of a log, which make a stream of it. Everything else is
//! the session's own business.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{Full, StreamBody};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ErrorData, JsonObject, RequestId,
    RequestMetaObject, ServerResult,
};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::GatewayCaller;
use super::asking::lock;
use super::call::Call;
use super::serving::answer_of_tool;
use super::straight::{self, Awaited, JSON, Message, VERSION, only};
use crate::ask::{Answer, Ask, Client};
use crate::error::CallError;
use crate::handler::Aside;
use crate::logs;

/// Revisions whose calls need no more than their body says.
const REVISIONS: [&[u8]; 2] = [b"2025-11-25", b"2025-06-18"];
/// How often a call wakes the session, which ends when it sleeps for hours.
const WAKE_EVERY: Duration = Duration::from_secs(10 * 60);
/// After so long without an answer something is sent again and again, so that the line stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const WAITING: usize = 16;
const STREAM: &str = "text/event-stream";

/// What is known here of a session.
pub(super) struct Owned {
    /// Whose it is.
    pub(super) who: String,
    /// Whether its client cannot be asked, and wants the usual lines of logs.
    is_plain: AtomicBool,
    woken_at: Mutex<Instant>,
    /// Calls under way that did not wake it.
    calls: Mutex<HashMap<RequestId, CancellationToken>>,
}

/// A call that does not wake its session.
pub(super) struct SessionCall {
    id: RequestId,
    params: CallToolRequestParams,
}

/// A call under way; it can be cancelled until this is dropped.
struct Listed {
    owned: Arc<Owned>,
    id: RequestId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    arguments: Option<JsonObject>,
    #[serde(rename = "_meta")]
    meta: Option<RequestMetaObject>,
}

impl Owned {
    /// By the message that began the session.
    pub(super) fn new(who: String, initialize: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Begun {
            params: Abilities,
        }
        #[derive(Deserialize)]
        struct Abilities {
            capabilities: ClientCapabilities,
        }
        let begun = serde_json::from_slice::<Begun>(initialize);
        let is_plain = begun.is_ok_and(|begun| {
            let can = begun.params.capabilities;
            can.elicitation.is_none() && can.sampling.is_none() && can.roots.is_none()
        });
        Self {
            who,
            is_plain: AtomicBool::new(is_plain),
            woken_at: Mutex::new(Instant::now()),
            calls: Mutex::default(),
        }
    }

    /// The call in a message, if it need not wake the session.
    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Option<SessionCall> {
        if !self.is_plain.load(Ordering::Relaxed) {
            return None;
        }
        let version = only(headers, &VERSION)?;
        let message: Message<'_, Params> = serde_json::from_slice(body).ok()?;
        let mut wants_nothing = message.params.meta.iter();
        let is_call = REVISIONS.contains(&version)
            && message.is(straight::CALL)
            && wants_nothing.all(|meta| !meta.contains_key("progressToken"));
        if !is_call || lock(&self.woken_at).elapsed() > WAKE_EVERY {
            return None;
        }
        let mut params = CallToolRequestParams::new(message.params.name);
        params.arguments = message.params.arguments;
        Some(SessionCall {
            id: message.id,
            params,
        })
    }

    /// Looks at a message that is for the session; `true` if it was about a call that did not wake
    /// it, and is dealt with.
    pub(super) fn hear(&self, body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Notice<'a> {
            #[serde(borrow)]
            method: Cow<'a, str>,
            params: Option<Cancelled>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled {
            request_id: Option<RequestId>,
        }
        *lock(&self.woken_at) = Instant::now();
        let Ok(notice) = serde_json::from_slice::<Notice<'_>>(body) else {
            return false;
        };
        if notice.method == "logging/setLevel" {
            // From now on the session knows what its client wants.
            self.is_plain.store(false, Ordering::Relaxed);
        }
        let id = notice.params.and_then(|params| params.request_id);
        let calls = lock(&self.calls);
        match id.and_then(|id| calls.get(&id)) {
            Some(call) if notice.method == "notifications/cancelled" => {
                call.cancel();
                true
            }
            _ => false,
        }
    }
}

impl SessionCall {
    /// Makes the call. One whose client goes away goes on: in these revisions that is no wish.
    pub(super) async fn answer(
        self,
        caller: Arc<dyn GatewayCaller>,
        owned: Arc<Owned>,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        let name = self.params.name.clone().into_owned();
        let client = Client {
            capabilities: ClientCapabilities::default(),
            log_level: Some(logs::USUAL),
        };
        let call = Call::begin(caller, Ask::from_call(self.params, client), false);
        let Some(listed) = Listed::new(owned, &self.id, &call) else {
            // Ids are used once; of two calls by one nobody could tell which is meant to be cancelled.
            let message = "a request with this id is under way";
            let error = ErrorData::invalid_request(message, None);
            let (_, body) = straight::message(&self.id, Err::<(), _>(error));
            return straight::response(StatusCode::OK, JSON, Full::from(body));
        };
        let mut awaited = Awaited::to_its_end(call);
        let call = awaited.call();
        let first = tokio::select! {
            biased;
            answer = &mut call.answer => Ok(answer),
            Some(aside) = call.said.recv() => Err(Some(*aside)),
            () = tokio::time::sleep(KEEP_ALIVE) => Err(None),
        };
        match first {
            Ok(answer) => {
                let body = told(&listed.id, answer, &name);
                let said = events(&rest(awaited.end()));
                match said.is_empty() {
                    true => straight::response(StatusCode::OK, JSON, Full::from(body)),
                    false => {
                        let all = [said, event(&body)].concat();
                        straight::response(StatusCode::OK, STREAM, Full::from(all))
                    }
                }
            }
            Err(aside) => {
                let (sender, mut receiver) = mpsc::channel(WAITING);
                tokio::spawn(go_on(awaited, listed, name, aside, sender));
                let frames = futures::stream::poll_fn(move |cx| {
                    let next = receiver.poll_recv(cx);
                    next.map(|bytes| Some(Ok::<_, Infallible>(Frame::data(bytes?))))
                });
                straight::response(StatusCode::OK, STREAM, StreamBody::new(frames))
            }
        }
    }
}

/// Tells of a call until its answer; a client that has gone hears nothing of it.
async fn go_on(
    mut awaited: Awaited,
    listed: Listed,
    name: String,
    mut aside: Option<Aside>,
    client: mpsc::Sender<Bytes>,
) {
    let answer = loop {
        let message = aside.take().and_then(line);
        let bytes = message.map_or_else(|| b":\n\n".to_vec(), |message| event(&message));
        let _ = client.send(bytes.into()).await;
        let call = awaited.call();
        tokio::select! {
            biased;
            answer = &mut call.answer => break answer,
            Some(said) = call.said.recv() => aside = Some(*said),
            () = tokio::time::sleep(KEEP_ALIVE) => {}
        }
    };
    let mut bytes = events(&rest(awaited.end()));
    bytes.extend(event(&told(&listed.id, answer, &name)));
    let _ = client.send(bytes.into()).await;
}

/// What was said before the answer and is not told yet.
fn rest(call: Option<Call>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    if let Some(mut call) = call {
        while let Ok(aside) = call.said.try_recv() {
            lines.extend(line(*aside));
        }
    }
    lines
}

fn line(aside: Aside) -> Option<Vec<u8>> {
    match aside {
        Aside::Log(line) if logs::is_at_least(&line.0, logs::USUAL) => logs::message(line.0),
        _ => None,
    }
}

fn event(message: &[u8]) -> Vec<u8> {
    [b"data: ", message, b"\n\n"].concat()
}

fn events(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| event(message)).collect()
}

/// The message that answers a call.
fn told(id: &RequestId, answer: Result<Answer, CallError>, name: &str) -> Vec<u8> {
    let answer = answer.and_then(|answer| match answer.0 {
        ServerResult::InputRequiredResult(_) => Err(CallError::Server(
            "the server asks for what the client has not said that it can do".to_owned(),
        )),
        _ => Ok(answer),
    });
    let result = answer_of_tool(answer, name).map(|mut response| {
        if let CallToolResponse::Complete(result) = &mut response {
            // These revisions do not know it.
            result.result_type = None;
        }
        ServerResult::from(response)
    });
    straight::message(id, result).1
}

impl Listed {
    /// `None` if a call with that id is under way.
    fn new(owned: Arc<Owned>, id: &RequestId, call: &Call) -> Option<Self> {
        match lock(&owned.calls).entry(id.clone()) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(place) => place.insert(call.cancel.clone()),
        };
        let id = id.clone();
        Some(Self { owned, id })
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.owned.calls).remove(&self.id);
    }
}
