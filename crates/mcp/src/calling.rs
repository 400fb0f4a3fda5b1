//! Requests that are under way.

use std::time::Duration;

use rmcp::model::{ClientRequest, DiscoverRequest, JsonObject, PingRequest, ServerResult};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient, ServiceError};
use serde_json::Value;
use tokio::sync::oneshot::error::RecvError;

use crate::ask::{Answer, Ask};
use crate::connection::{CLOSE_TIMEOUT, CallOptions, Connection};
use crate::error::{CallError, ConnectError};
use crate::handler::Aside;
use crate::output::ToolOutput;

/// How often others get their turn before what they heard counts as all.
const TURNS: usize = 16;

/// A request that is under way. Dropped before its end, it tells the server to stop.
struct InFlight {
    handle: Option<RequestHandle<RoleClient>>,
}

impl Connection {
    /// Asks for something and waits for the answer, which is at most 4 MiB.
    ///
    /// # Errors
    /// See [`CallError`]. After a time-out or a cancellation the server is told so.
    pub async fn ask(&self, ask: Ask, options: CallOptions<'_>) -> Result<Answer, CallError> {
        let meta = ask.meta();
        let request_options = match self.is_modern() {
            // Only the newest revision asks callers; others were told at the start that nobody can be.
            true => PeerRequestOptions::no_options().with_meta(meta),
            false => PeerRequestOptions::no_options(),
        };
        let request = ask.into_request()?;
        let handle = self
            .service
            .send_request_with_option(request, request_options)
            .await?;
        let token = handle.progress_token.clone();
        let mut asides = self
            .service
            .service()
            .watch(token, options.on_log.is_some());
        let mut call = InFlight::new(handle);
        let timeout = tokio::time::sleep(options.timeout);
        tokio::pin!(timeout);
        let tell = |aside| match (aside, options.on_progress, options.on_log) {
            (Aside::Step(step), Some(tell), _) => tell(step),
            (Aside::Log(line), _, Some(tell)) => tell(line),
            _ => {}
        };
        loop {
            tokio::select! {
                biased;
                answer = call.answer() => {
                    call.finish();
                    if options.on_progress.is_some() || options.on_log.is_some() {
                        // What was said before the answer may still be on its way from another task.
                        for _ in 0..TURNS {
                            tokio::task::yield_now().await;
                        }
                    }
                    while let Ok(aside) = asides.said.try_recv() {
                        tell(aside);
                    }
                    let closed = || CallError::Lost("it closed the connection".to_owned());
                    return Ok(Answer(answer.map_err(|_| closed())??));
                }
                () = options.cancel.cancelled() => return Err(CallError::Cancelled),
                () = &mut timeout => {
                    return Err(CallError::Timeout { seconds: options.timeout.as_secs() });
                }
                Some(aside) = asides.said.recv() => tell(aside),
            }
        }
    }

    /// Calls a tool and waits for its answer; see [`Connection::ask`].
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: JsonObject,
        options: CallOptions<'_>,
    ) -> Result<ToolOutput, CallError> {
        let ask = Ask::tool(name, Value::Object(arguments));
        self.ask(ask, options).await?.into_tool()
    }

    /// Asks the server whether it is there, in the words of its revision.
    ///
    /// # Errors
    /// `Timeout` and `Unreachable` if it is not; anything else is an answer.
    pub async fn ping(&self, timeout: Duration) -> Result<(), ConnectError> {
        let request = match self.is_modern() {
            true => ClientRequest::DiscoverRequest(DiscoverRequest::default()),
            false => ClientRequest::PingRequest(PingRequest::default()),
        };
        self.request(request, timeout).await.map(drop)
    }

    /// Sends a request of our own, within a time.
    pub(crate) async fn request(
        &self,
        request: ClientRequest,
        timeout: Duration,
    ) -> Result<ServerResult, ConnectError> {
        let options = PeerRequestOptions::no_options();
        let handle = self
            .service
            .send_request_with_option(request, options)
            .await?;
        let mut call = InFlight::new(handle);
        let answer = tokio::time::timeout(timeout, call.answer()).await;
        let answer = answer.map_err(|_| ConnectError::Timeout {
            seconds: timeout.as_secs(),
        })?;
        call.finish();
        let closed = || ConnectError::Unreachable("it closed the connection".to_owned());
        Ok(answer.map_err(|_| closed())??)
    }

    /// Whether the server speaks 2026-07-28 or newer, which knows no beginning.
    pub(crate) fn is_modern(&self) -> bool {
        let info = self.service.peer_info();
        info.is_some_and(|info| !info.protocol_version.has_initialize())
    }
}

impl InFlight {
    fn new(handle: RequestHandle<RoleClient>) -> Self {
        Self {
            handle: Some(handle),
        }
    }

    async fn answer(&mut self) -> Result<Result<ServerResult, ServiceError>, RecvError> {
        match &mut self.handle {
            Some(handle) => (&mut handle.rx).await,
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self) {
        self.handle = None;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let (Some(handle), Ok(runtime)) =
            (self.handle.take(), tokio::runtime::Handle::try_current())
        {
            // Bounded by the transport's own time for such messages.
            runtime.spawn(async move {
                let cancelled = handle.cancel(Some("no longer wanted".to_owned()));
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, cancelled).await;
            });
        }
    }
}
