//! Requests that are under way.

use std::time::Duration;

use rmcp::model::{ClientRequest, DiscoverRequest, JsonObject, PingRequest, ServerResult};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient, ServiceError};
use serde_json::Value;
use tokio::sync::oneshot::error::RecvError;

use crate::ask::{Answer, Ask};
use crate::clock::Clock;
use crate::connection::{CLOSE_TIMEOUT, CallOptions, Connection};
use crate::error::{CallError, ConnectError};
use crate::handler::{Aside, WAITING_STEPS};
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
        if let Some(straight) = self.straight.as_ref().filter(|it| it.takes(&ask)) {
            return straight.ask(ask, options, self.service.service()).await;
        }
        // In a box: its future would weigh on those that need the straight way only.
        Box::pin(self.ask_by_session(ask, options)).await
    }

    /// Asks by rmcp's connection.
    async fn ask_by_session(
        &self,
        ask: Ask,
        options: CallOptions<'_>,
    ) -> Result<Answer, CallError> {
        let meta = ask.meta();
        let request_options = match self.is_modern() {
            // Others were told at the start what they can ask.
            true => PeerRequestOptions::no_options().with_meta(meta),
            false => PeerRequestOptions::no_options(),
        };
        if !self.is_modern() && ask.state.is_some() {
            // Nobody but the process that was asked knows the call, which must not be made twice.
            return Err(CallError::Server(
                "its question is not open here any more; call it again".to_owned(),
            ));
        }
        let request = ask.into_request()?;
        let handle = self
            .service
            .send_request_with_option(request, request_options)
            .await?;
        let mut asides = self.service.service().watch(
            (handle.id.clone(), handle.progress_token.clone()),
            options.on_log.is_some(),
            options.on_question.is_some(),
        );
        let mut call = InFlight::new(handle);
        let mut clock = Clock::new(options.patience);
        let timeout = tokio::time::sleep_until(clock.end());
        tokio::pin!(timeout);
        let tell = |aside| match aside {
            Aside::Step(step) => {
                options.on_progress.inspect(|tell| tell(step));
            }
            Aside::Log(line) => {
                options.on_log.inspect(|tell| tell(line));
            }
            Aside::Question(question) => {
                options.on_question.inspect(|ask| ask(question));
            }
            Aside::Answered => {}
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
                // Before what is said: whoever talks without end has an end, too.
                () = &mut timeout, if !clock.is_stopped() => {
                    for _ in 0..WAITING_STEPS {
                        let Ok(aside) = asides.said.try_recv() else { break };
                        clock.heard(&aside);
                        tell(aside);
                    }
                    if !clock.is_stopped() && clock.is_over() {
                        return Err(CallError::Timeout { seconds: clock.seconds() });
                    }
                    timeout.as_mut().reset(clock.end());
                }
                Some(aside) = asides.said.recv() => {
                    clock.heard(&aside);
                    tell(aside);
                    if !clock.is_stopped() {
                        timeout.as_mut().reset(clock.end());
                    }
                }
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
