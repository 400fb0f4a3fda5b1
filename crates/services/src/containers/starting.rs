//! From a server's settings to a container that speaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::containers::{ContainerHttp, ContainerSettings, Resources};
use domain::mcp_servers::McpServerState;
use domain::{McpServerId, Secret};
use mcp::{ConnectError, Connection};
use provisioner::{Door, Error, Limits, LogBook, Reader, Refusals, Running, Spec, Writer};
use store::mcp_servers::Observation;
use tokio::io::AsyncReadExt;

use super::place::Pause;
use super::{Containers, InstanceLease};
use crate::mint;

/// Lines of the log that a failure tells.
const TOLD_LINES: usize = 5;
/// How long the end of a container is waited for when its conversation ended.
const END_WAIT: Duration = Duration::from_millis(1500);
/// How long a container that nobody uses any more may still end by itself.
const LAST_WAIT: Duration = Duration::from_millis(300);

/// How long a call waits until it is noted what its server is refused.
const LOOKOUT_WAIT: Duration = Duration::from_secs(3);

/// How long a server that speaks HTTP may take to listen.
const LISTEN_WAIT: Duration = Duration::from_secs(30);
const LISTEN_POLL: Duration = Duration::from_millis(50);

/// What is to run.
pub(crate) struct Order<'a> {
    /// The right to do so.
    pub(crate) lease: InstanceLease,
    pub(crate) revision: i32,
    /// The id of an image on the engine.
    pub(crate) image: String,
    pub(crate) settings: &'a ContainerSettings,
    pub(crate) secrets: BTreeMap<String, String>,
}

/// A container that speaks.
pub(crate) struct Begun {
    pub(crate) connection: Connection,
    pub(crate) guard: ContainerGuard,
}

/// Keeps a container; dropping it removes the container, unless it was replaced.
pub(crate) struct ContainerGuard {
    containers: Containers,
    /// `None` once it is being dropped.
    lease: Option<InstanceLease>,
    id: McpServerId,
    fence: i64,
    revision: i32,
    running: Arc<Running>,
    memory_bytes: u64,
    /// What leads to its port.
    _door: Option<Door>,
}

/// A container that nobody uses any more.
struct Unused {
    lease: InstanceLease,
    revision: i32,
    running: Arc<Running>,
    memory_bytes: u64,
}

impl Containers {
    /// Starts a server's container in place of any there is, and greets it.
    ///
    /// # Errors
    /// Says what a person can do, with the end of the log.
    pub(crate) async fn begin(&self, order: Order<'_>) -> Result<Begun, ConnectError> {
        let (id, fence) = (order.lease.id, order.lease.fence);
        let place = self.place(id);
        let provisioner = self.provisioner().await.map_err(told)?;
        let revision = order.revision;
        let http = order.settings.http.clone();
        let (spec, lease) = spec(order)?;
        let _work = place.work.lock().await;
        let started = provisioner.start(&spec).await.map_err(told)?;
        let running = Arc::new(started.running);
        let mut guard = {
            let mut state = place.state();
            if let Some(reason) = state.last_crash() {
                running.log.note(&format!("[AgentArea] before: {reason}"));
            }
            state.fence = fence;
            state.running = Some(running.clone());
            state.started_at = Some(mint::now());
            state.samples.clear();
            state.last_look = None;
            state.log = Some(running.log.clone());
            state.refusals = Some(running.refusals.clone());
            ContainerGuard {
                containers: self.clone(),
                lease: Some(lease),
                id,
                fence,
                revision,
                running: running.clone(),
                memory_bytes: spec.limits.memory_bytes,
                _door: None,
            }
        };
        let opened = match &http {
            None => Connection::open_stream(started.output, started.input).await,
            Some(http) => {
                note_output(started.output, started.input, running.log.clone());
                let opened = open_http(&running, http).await;
                opened.map(|(connection, door)| {
                    guard._door = Some(door);
                    connection
                })
            }
        };
        match opened {
            Ok(connection) => {
                tokio::spawn(running.look_out());
                Ok(Begun { connection, guard })
            }
            Err(error) => {
                let ended = tokio::time::timeout(END_WAIT, running.ended()).await;
                let reason = match ended {
                    Ok(_) => guard.end_in_words(),
                    Err(_) => with_log(error.to_string(), &running),
                };
                // Its own words may be an error that repeats what it was given.
                let reason = running.log.veil().hide_in(&reason);
                place.state().note_crash(fence, &reason);
                Err(ConnectError::Protocol(reason))
            }
        }
    }

    /// The start that ended by itself last.
    pub(crate) fn last_crash(&self, id: McpServerId) -> Option<i64> {
        Some(self.find_place(id)?.state().crashed)
    }

    /// Waits until a server that ended by itself may be started again.
    ///
    /// # Errors
    /// If it ended too often.
    pub(crate) async fn rest(&self, id: McpServerId, revision: i32) -> Result<(), ConnectError> {
        let pause = self.place(id).state().pause(revision);
        match pause {
            None => Ok(()),
            Some(Pause::Until(end)) => {
                tokio::time::sleep_until(end.into()).await;
                Ok(())
            }
            Some(Pause::ForGood(reason)) => Err(ConnectError::Protocol(reason)),
        }
    }

    /// Lets a server start again at once although it ended too often.
    pub(crate) fn pardon(&self, id: McpServerId) {
        if let Some(place) = self.find_place(id) {
            place.state().pardon();
        }
    }

    /// Removes the container of a start at once, whoever uses it.
    pub(crate) async fn kill(&self, id: McpServerId, fence: i64) {
        if let Ok(provisioner) = self.provisioner().await
            && let Err(error) = provisioner.remove(&id.to_string(), fence).await
        {
            tracing::warn!(mcp_server.id = %id, %error, "a container was left to the sweep");
        }
    }

    /// Removes a container that nobody uses any more, if no other was started since.
    async fn retire(&self, unused: Unused) {
        let Unused {
            lease,
            revision,
            running,
            memory_bytes,
        } = unused;
        let (workspace_id, id, fence) = (lease.workspace_id, lease.id, lease.fence);
        let place = self.place(id);
        let _work = place.work.lock().await;
        if place.state().fence != fence {
            return;
        }
        // A conversation that broke off often means that the server has ended.
        let exit = tokio::time::timeout(LAST_WAIT, running.ended()).await;
        let crash = exit
            .ok()
            .map(|exit| with_log(exit.to_error(memory_bytes).to_string(), &running));
        drop(running);
        let is_held = self.is_held(id, fence);
        if let (Some(reason), true) = (&crash, is_held) {
            place.state().note_crash(fence, reason);
        }
        // Closes its input, too.
        place.state().running = None;
        self.kill(id, fence).await;
        if !is_held {
            // It is another process's by now.
            return;
        }
        let noted = async {
            let mut tx = self.inner.store.begin(workspace_id).await?;
            match crash {
                Some(reason) => {
                    let seen = Observation {
                        state: McpServerState::Failed,
                        reason: Some(reason),
                        time: mint::now(),
                        profile: None,
                    };
                    tx.observe_mcp_server(id, revision, &seen).await?;
                }
                None => tx.put_mcp_server_asleep(id, revision, mint::now()).await?,
            }
            tx.put_mcp_server_stopped(id, mint::now()).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(mcp_server.id = %id, %error, "a sleeping server is not shown as such");
        }
        lease.release().await;
    }
}

impl ContainerGuard {
    /// Connections that were refused to the container.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.running.refusals
    }

    /// Waits until it is noted what is refused to the container, but not for long.
    pub(crate) async fn look_out(&self) {
        let _ = tokio::time::timeout(LOOKOUT_WAIT, self.running.look_out()).await;
    }

    /// Waits until the container ends while it is in use, and says why it did; `None` if that is
    /// nobody's business any more.
    pub(crate) fn ended(&self) -> impl Future<Output = Option<String>> + Send + 'static + use<> {
        let (containers, running) = (self.containers.clone(), self.running.clone());
        let (id, fence, memory_bytes) = (self.id, self.fence, self.memory_bytes);
        async move {
            let exit = running.ended().await;
            if !containers.is_held(id, fence) {
                // Somebody else runs the server by now.
                return None;
            }
            let reason = with_log(exit.to_error(memory_bytes).to_string(), &running);
            if let Some(place) = containers.find_place(id) {
                place.state().note_crash(fence, &reason);
            }
            Some(reason)
        }
    }

    /// Whether the container has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.running.exit().is_some()
    }

    /// Whether the container ends within a moment; then it counts as ended by itself.
    pub(crate) async fn ends_soon(&self) -> bool {
        let ended = tokio::time::timeout(END_WAIT, self.ended());
        ended.await.is_ok()
    }

    fn end_in_words(&self) -> String {
        match self.running.exit() {
            Some(exit) => with_log(exit.to_error(self.memory_bytes).to_string(), &self.running),
            None => "the container ended".to_owned(),
        }
    }
}

impl Drop for ContainerGuard {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let containers = self.containers.clone();
        let unused = Unused {
            lease,
            revision: self.revision,
            running: self.running.clone(),
            memory_bytes: self.memory_bytes,
        };
        // Outside a runtime everything ends with the process, whose end closes the inputs.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let retiring = self.containers.inner.retiring.clone();
            retiring.spawn_on(async move { containers.retire(unused).await }, &runtime);
        }
    }
}

/// Connects to a server that may not listen yet, for as long as its container runs.
async fn open_http(
    running: &Running,
    http: &ContainerHttp,
) -> Result<(Connection, Door), ConnectError> {
    let door = running.open_door(http.port).map_err(told)?;
    let begun = Instant::now();
    let opened = async {
        loop {
            match Connection::open_socket(&door.path(), http.port, &http.path).await {
                Err(ConnectError::Unreachable(_)) if begun.elapsed() < LISTEN_WAIT => {
                    tokio::time::sleep(LISTEN_POLL).await;
                }
                opened => return opened,
            }
        }
    };
    let connection = tokio::select! {
        opened = opened => opened.map_err(|error| match error {
            ConnectError::Unreachable(_) => ConnectError::Protocol(format!(
                "nothing answers on port {} of the container", http.port
            )),
            error => error,
        })?,
        exit = running.ended() => {
            let code = exit.code.unwrap_or_default();
            return Err(ConnectError::Protocol(format!("it ended with exit code {code}")));
        }
    };
    Ok((connection, door))
}

/// What a server that speaks HTTP writes to its standard output is for its log; its input stays open
/// until then.
fn note_output(mut output: Reader, input: Writer, log: LogBook) {
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer).await {
            log.write(&buffer[..length]);
        }
        drop(input);
    });
}

fn spec(order: Order<'_>) -> Result<(Spec, InstanceLease), ConnectError> {
    let settings = order.settings;
    let egress = settings
        .egress
        .iter()
        .map(|rule| rule.parse())
        .collect::<Result<_, _>>();
    let spec = Spec {
        id: order.lease.id.to_string(),
        workspace: order.lease.workspace_id,
        revision: order.revision.to_string(),
        fence: order.lease.fence,
        image: order.image,
        command: settings.command.clone(),
        env: settings.env.clone(),
        secrets: order
            .secrets
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
        limits: limits(settings.resources),
        egress: egress
            .map_err(|error: provisioner::RuleError| ConnectError::Protocol(error.to_string()))?,
        port: settings.http.as_ref().map(|http| http.port),
    };
    Ok((spec, order.lease))
}

fn limits(resources: Resources) -> Limits {
    Limits {
        memory_bytes: u64::from(resources.memory_mb) << 20,
        cpu_millis: resources.cpu_millis,
        pids: resources.pids,
        ..Limits::default()
    }
}

fn with_log(reason: String, running: &Running) -> String {
    let lines = running.log.tail(TOLD_LINES);
    if lines.is_empty() {
        return reason;
    }
    let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let told: String = lines.join(" ⏎ ").chars().take(600).collect();
    format!("{reason}; its log ends: {told}")
}

pub(super) fn told(error: Error) -> ConnectError {
    match error.is_transient() {
        true => ConnectError::Unavailable(error.to_string()),
        false => ConnectError::Protocol(error.to_string()),
    }
}
