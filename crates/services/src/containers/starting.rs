//! From a server's settings to a container that speaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::containers::{ContainerSettings, Resources};
use domain::mcp_servers::McpServerState;
use domain::{McpServerId, Secret, WorkspaceId};
use mcp::{ConnectError, Connection};
use provisioner::{Error, Limits, Running, Spec};
use store::mcp_servers::Observation;

use super::Containers;
use crate::mint;

/// Lines of the log that a failure tells.
const TOLD_LINES: usize = 5;
/// How long the end of a container is waited for when its conversation ended.
const END_WAIT: Duration = Duration::from_millis(1500);
/// How long a container that nobody uses any more may still end by itself.
const LAST_WAIT: Duration = Duration::from_millis(300);

/// What is to run.
pub(crate) struct Order<'a> {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) id: McpServerId,
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
    id: McpServerId,
    generation: u64,
    workspace_id: WorkspaceId,
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
        let place = self.place(order.id);
        if let Some(refusal) = place.state().refusal() {
            return Err(ConnectError::Protocol(refusal));
        }
        let provisioner = self.provisioner().await.map_err(told)?;
        let (id, workspace_id, revision) = (order.id, order.workspace_id, order.revision);
        let spec = spec(self.name(&id.to_string()), order)?;
        let _work = place.work.lock().await;
        let started = provisioner.start(&spec).await.map_err(told)?;
        let running = Arc::new(started.running);
        let guard = {
            let mut state = place.state();
            state.generation += 1;
            state.running = Some(running.clone());
            state.started_at = Some(mint::now());
            state.log = Some(running.log.clone());
            state.refusals = Some(running.refusals.clone());
            ContainerGuard {
                containers: self.clone(),
                id,
                generation: state.generation,
                workspace_id,
                revision,
                running: running.clone(),
                memory_bytes: spec.limits.memory_bytes,
            }
        };
        match Connection::open_stream(started.output, started.input).await {
            Ok(connection) => Ok(Begun { connection, guard }),
            Err(error) => {
                let ended = tokio::time::timeout(END_WAIT, running.ended()).await;
                let reason = match ended {
                    Ok(_) => guard.end_in_words(),
                    Err(_) => with_log(error.to_string(), &running),
                };
                place.state().note_crash(guard.generation, &reason);
                Err(ConnectError::Protocol(reason))
            }
        }
    }

    /// Lets a server start again at once although it ended too often.
    pub(crate) fn pardon(&self, id: McpServerId) {
        if let Some(place) = self.find_place(id) {
            place.state().pardon();
        }
    }

    /// Removes a container that nobody uses any more, if it is still the one of `generation`.
    async fn retire(
        &self,
        (workspace_id, id, revision): (WorkspaceId, McpServerId, i32),
        generation: u64,
        (running, memory_bytes): (Arc<Running>, u64),
    ) {
        let place = self.place(id);
        let _work = place.work.lock().await;
        if place.state().generation != generation {
            return;
        }
        // A conversation that broke off often means that the server has ended.
        let exit = tokio::time::timeout(LAST_WAIT, running.ended()).await;
        let crash = exit
            .ok()
            .map(|exit| with_log(exit.to_error(memory_bytes).to_string(), &running));
        drop(running);
        if let Some(reason) = &crash {
            place.state().note_crash(generation, reason);
        }
        // Closes its input, too.
        place.state().running = None;
        let Ok(provisioner) = self.provisioner().await else {
            return;
        };
        if let Err(error) = provisioner.remove(&self.name(&id.to_string())).await {
            tracing::warn!(mcp_server.id = %id, %error, "a container was left to the sweep");
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
                    tx.announce_tools().await?;
                }
                None => tx.put_mcp_server_asleep(id, revision, mint::now()).await?,
            }
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(mcp_server.id = %id, %error, "a sleeping server is not shown as such");
        }
    }
}

impl ContainerGuard {
    /// Waits until the container ends while it is in use, and says why it did.
    pub(crate) fn ended(&self) -> impl Future<Output = String> + Send + 'static + use<> {
        let (containers, running) = (self.containers.clone(), self.running.clone());
        let (id, generation, memory_bytes) = (self.id, self.generation, self.memory_bytes);
        async move {
            let exit = running.ended().await;
            let reason = with_log(exit.to_error(memory_bytes).to_string(), &running);
            if let Some(place) = containers.find_place(id) {
                place.state().note_crash(generation, &reason);
            }
            reason
        }
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
        let (containers, generation) = (self.containers.clone(), self.generation);
        let server = (self.workspace_id, self.id, self.revision);
        // Outside a runtime everything ends with the process, whose end closes the inputs.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let running = (self.running.clone(), self.memory_bytes);
            runtime.spawn(async move { containers.retire(server, generation, running).await });
        }
    }
}

fn spec(name: String, order: Order<'_>) -> Result<Spec, ConnectError> {
    let settings = order.settings;
    let egress = settings
        .egress
        .iter()
        .map(|rule| rule.parse())
        .collect::<Result<_, _>>();
    Ok(Spec {
        id: name,
        workspace: order.workspace_id,
        revision: order.revision.to_string(),
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
        port: None,
    })
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
    ConnectError::Protocol(error.to_string())
}
