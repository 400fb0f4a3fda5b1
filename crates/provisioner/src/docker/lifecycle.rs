//! Making and unmaking containers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerSummary};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
    StartContainerOptions, StopContainerOptions,
};
use domain::expose;
use futures::FutureExt;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use super::Docker;
use super::attachment::Attachment;
use super::body::{self, FENCE, INSTALLATION, PART, PART_SERVER, SERVER};
use super::fault::{answer, fault, not_started};
use crate::egress::Gate;
use crate::relay::{Accept, Relay};
use crate::{Error, Held, LogBook, Refusals, Running, Spec, Started, Veil};

/// A container that is being removed keeps its name for a moment.
const GONE_POLL: Duration = Duration::from_millis(50);
const GONE_POLLS: usize = 60;

impl Docker {
    pub(super) async fn start_container(&self, spec: &Spec) -> Result<Started, Error> {
        self.start_with(spec, body::server).await
    }

    /// Starts a container that `make` describes, with its relay.
    pub(super) async fn start_with(&self, spec: &Spec, make: body::Make) -> Result<Started, Error> {
        let image = self.find_or_pull(&spec.image).await?;
        self.make_room(spec).await?;
        let token = CancellationToken::new();
        let tasks = token.clone().drop_guard();
        let veil = Veil::over(spec.secrets.values().map(expose));
        let (log, refusals) = (LogBook::behind(veil), Refusals::default());
        let started = async {
            let (relay, network) = if spec.has_network() {
                let (relay, container) = self.start_relay(spec, &refusals, &log, &token).await?;
                (Some(relay), format!("container:{container}"))
            } else {
                (None, "none".to_owned())
            };
            let name = self.name(&spec.id);
            let body = make(spec, &self.config.installation, &image, network);
            let attached = self.create_and_start(&name, body, &log, &token).await?;
            Ok((relay, attached))
        };
        match started.await {
            Ok((relay, attached)) => {
                let (input, output) = attached.stdio;
                let lookout = relay.is_none().then(|| {
                    let (docker, spec) = (self.clone(), spec.clone());
                    let (refusals, token) = (refusals.clone(), token.clone());
                    // To its end in any case: half of it would leave a container behind.
                    let looking = async move {
                        let looking = docker.look_out(spec, refusals, token);
                        let _ = tokio::spawn(looking).await;
                    };
                    looking.boxed().shared()
                });
                let running = Running {
                    log,
                    refusals,
                    lookout,
                    exit: attached.exit,
                    relay,
                    _tasks: tasks,
                };
                Ok(Started {
                    running,
                    input,
                    output,
                })
            }
            Err(error) => {
                if let Err(error) = self.erase(&spec.id, spec.fence).await {
                    tracing::warn!(%error, server.id = spec.id, "a failed start was left behind");
                }
                Err(error)
            }
        }
    }

    async fn start_relay(
        &self,
        spec: &Spec,
        refusals: &Refusals,
        log: &LogBook,
        token: &CancellationToken,
    ) -> Result<(Arc<Relay>, String), Error> {
        let image = self.relay_image().await?;
        let body = body::relay(spec, &self.config.installation, image);
        self.open_relay(spec, body, (refusals, log, token)).await
    }

    /// Puts a relay into the network of a server that may reach nobody, so that it is noted whom it
    /// tries to: by a proxy that refuses everything.
    async fn look_out(self, spec: Spec, refusals: Refusals, token: CancellationToken) {
        let log = LogBook::behind(Veil::default());
        let looking = async {
            let image = self.relay_image().await?;
            let body = body::lookout(&spec, &self.config.installation, image, self.name(&spec.id));
            self.open_relay(&spec, body, (&refusals, &log, &token))
                .await
        };
        let looked = looking.await;
        if let Err(error) = &looked {
            tracing::debug!(%error, server.id = spec.id, "nobody notes what a server tries to reach");
        }
        // The server may have been removed meanwhile, and this must not stay behind.
        if looked.is_err() || token.is_cancelled() {
            let name = self.relay_name(&spec.id);
            let left = self.find_own(&name).await;
            if let Ok(Some(left)) = left
                && left.fence <= spec.fence
                && let Err(error) = self.erase_container(&left.container).await
            {
                tracing::warn!(%error, server.id = spec.id, "a relay was left to the sweep");
            }
        }
    }

    async fn open_relay(
        &self,
        spec: &Spec,
        body: ContainerCreateBody,
        (refusals, log, token): (&Refusals, &LogBook, &CancellationToken),
    ) -> Result<(Arc<Relay>, String), Error> {
        let name = self.relay_name(&spec.id);
        let attached = self.create_and_start(&name, body, log, token).await?;
        let gate = Arc::new(Gate {
            rules: spec.egress.clone(),
            dialler: self.config.dialler.clone(),
            refusals: refusals.clone(),
        });
        let accept = accept(gate, spec, token.clone());
        let relay = Relay::open(attached.stdio, accept, token.child_token()).await;
        let relay = relay.map_err(|error| match (error, log.tail(1).pop()) {
            (Error::NoNetwork { reason }, Some(line)) => Error::NoNetwork {
                reason: format!("{reason}: {}", line.text),
            },
            (error, _) => error,
        })?;
        Ok((relay, name))
    }

    async fn create_and_start(
        &self,
        name: &str,
        mut body: ContainerCreateBody,
        log: &LogBook,
        token: &CancellationToken,
    ) -> Result<Attachment, Error> {
        let client = self.client().await?;
        if self.is_podman() {
            body::limit_as_the_host(&mut body);
        }
        self.create_alone(name, body).await?;
        let attached = self.attach(name, log.clone(), token.clone()).await?;
        client
            .start_container(name, None::<StartContainerOptions>)
            .await
            .map_err(not_started)?;
        Ok(attached)
    }

    /// Creates a container; waits while an old one of the name is being removed.
    async fn create_alone(&self, name: &str, body: ContainerCreateBody) -> Result<(), Error> {
        let client = self.client().await?;
        let options = CreateContainerOptions {
            name: Some(name.to_owned()),
            ..CreateContainerOptions::default()
        };
        let mut polls = 0;
        loop {
            let created = client.create_container(Some(options.clone()), body.clone());
            match created.await {
                Ok(_) => return Ok(()),
                Err(error) if matches!(answer(&error), Some((409, _))) => {}
                Err(error) => return Err(not_started(error)),
            }
            polls += 1;
            if polls > GONE_POLLS {
                let name = name.to_owned();
                return Err(Error::Outdated { name });
            }
            // Fails at once if it is not ours.
            self.find_own(name).await?;
            tokio::time::sleep(GONE_POLL).await;
        }
    }

    /// Asks a server to end, waits for its grace period, and removes it with its relay; not if it
    /// was started later than `fence`.
    pub(super) async fn remove_containers(&self, id: &str, fence: i64) -> Result<(), Error> {
        if let Some(found) = self.find_own(&self.name(id)).await?
            && found.fence <= fence
        {
            let client = self.client().await?;
            let stopped = client
                .stop_container(&found.container, None::<StopContainerOptions>)
                .await;
            match stopped {
                Ok(()) => {}
                // Not running, or gone by now.
                Err(error) if matches!(answer(&error), Some((304 | 404 | 409, _))) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        self.erase(id, fence).await
    }

    /// Removes what was started before under this id.
    ///
    /// # Errors
    /// `Outdated` if something was started after.
    async fn make_room(&self, spec: &Spec) -> Result<(), Error> {
        for name in [self.name(&spec.id), self.relay_name(&spec.id)] {
            if let Some(found) = self.find_own(&name).await?
                && found.fence > spec.fence
            {
                return Err(Error::Outdated { name });
            }
        }
        self.erase(&spec.id, spec.fence).await
    }

    /// Removes a server and its relay at once, unless they were started later than `fence`.
    async fn erase(&self, id: &str, fence: i64) -> Result<(), Error> {
        let first = self.erase_named(&self.name(id), fence).await;
        self.erase_named(&self.relay_name(id), fence).await?;
        match first {
            Ok(()) => Ok(()),
            // Podman removes no container whose network another one is in, as a relay's may be.
            Err(_) => self.erase_named(&self.name(id), fence).await,
        }
    }

    async fn erase_named(&self, name: &str, fence: i64) -> Result<(), Error> {
        match self.find_own(name).await? {
            Some(found) if found.fence <= fence => self.erase_container(&found.container).await,
            _ => Ok(()),
        }
    }

    /// Removes a container that was listed, and before a server the relay that may be in its network.
    pub(super) async fn erase_held(&self, held: &Held) -> Result<(), Error> {
        let erased = self.erase_container(&held.container).await;
        if erased.is_ok() || !held.is_server {
            return erased;
        }
        self.erase_named(&self.relay_name(&held.id), held.fence)
            .await?;
        self.erase_container(&held.container).await
    }

    /// By the engine's own id, so that nothing else of that name is met.
    pub(super) async fn erase_container(&self, container: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..RemoveContainerOptions::default()
        };
        let client = self.client().await?;
        match client.remove_container(container, Some(options)).await {
            Ok(()) => Ok(()),
            // Gone, or somebody is removing it right now.
            Err(error) if matches!(answer(&error), Some((404 | 409, _))) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    pub(super) async fn list_own(&self) -> Result<Vec<Held>, Error> {
        let found = self.list_containers(None).await?.into_iter();
        let held = found.filter_map(|found| Some(held(found.labels?, found.id?)));
        Ok(held.collect())
    }

    /// This installation's containers, all or those of one part.
    pub(super) async fn list_containers(
        &self,
        part: Option<&str>,
    ) -> Result<Vec<ContainerSummary>, Error> {
        let mut labels = vec![format!("{INSTALLATION}={}", self.config.installation)];
        labels.extend(part.map(|part| format!("{PART}={part}")));
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..ListContainersOptions::default()
        };
        let client = self.client().await?;
        client.list_containers(Some(options)).await.map_err(fault)
    }

    /// The container of this name.
    ///
    /// # Errors
    /// `NameTaken` if it does not carry our label.
    async fn find_own(&self, name: &str) -> Result<Option<Held>, Error> {
        let client = self.client().await?;
        let found = client.inspect_container(name, None::<InspectContainerOptions>);
        match found.await {
            Ok(found) => {
                let labels = found.config.and_then(|config| config.labels);
                let labels = labels.unwrap_or_default();
                if labels.get(INSTALLATION) == Some(&self.config.installation) {
                    let container = found.id.unwrap_or_else(|| name.to_owned());
                    return Ok(Some(held(labels, container)));
                }
                let name = name.to_owned();
                Err(Error::NameTaken { name })
            }
            Err(error) if matches!(answer(&error), Some((404, _))) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    pub(super) fn name(&self, id: &str) -> String {
        format!("agentarea-{}-{id}", self.config.installation)
    }

    fn relay_name(&self, id: &str) -> String {
        format!("agentarea-{}-{id}-net", self.config.installation)
    }
}

fn held(mut labels: HashMap<String, String>, container: String) -> Held {
    Held {
        id: labels.remove(SERVER).unwrap_or_default(),
        fence: labels
            .get(FENCE)
            .and_then(|it| it.parse().ok())
            .unwrap_or(0),
        is_server: labels.get(PART).is_some_and(|part| part == PART_SERVER),
        container,
    }
}

/// Leads each connection from inside to the gate: as a proxy request, or straight to the host that
/// its address stands for.
fn accept(gate: Arc<Gate>, spec: &Spec, token: CancellationToken) -> Accept {
    let direct: HashMap<String, (String, u16)> = body::direct_hosts(&spec.egress)
        .into_iter()
        .map(|(address, host, port)| (address, (host.to_owned(), port)))
        .collect();
    Arc::new(move |stream: DuplexStream, address: String| {
        let served = Arc::clone(&gate).serve(stream, direct.get(&address).cloned());
        tokio::spawn(token.clone().run_until_cancelled_owned(served));
    })
}
