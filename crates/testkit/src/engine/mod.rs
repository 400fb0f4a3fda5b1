//! A Docker engine of the test's own, on a private socket, gone with the test process.

mod api;
mod daemon;
mod faults;
mod host;
mod images;
mod tls;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::Value;

pub(crate) use api::archive;
use daemon::Daemon;
pub use faults::{Fault, FaultyEngine};

use crate::free_port;
use crate::gaps::not_tested;

/// A static tool server; see `programs/tool_server.rs`.
pub(crate) const TOOL_SERVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tool_server"));

/// A running engine with no image but those that were imported.
#[derive(Debug)]
pub struct TestEngine {
    daemon: Daemon,
}

/// Sees the containers of an engine.
#[derive(Clone, Debug)]
pub struct EngineObserver {
    socket: PathBuf,
}

impl EngineObserver {
    /// Every container there is, running or not, with its labels.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn containers(&self) -> Vec<Value> {
        let socket = self.socket.clone();
        let path = "/containers/json?all=1";
        let asked = tokio::task::spawn_blocking(move || api::request(&socket, "GET", path, &[]));
        let answer = asked.await.expect("no panic").expect("the engine's answer");
        answer.1.as_array().cloned().unwrap_or_default()
    }
}

impl TestEngine {
    /// Starts an engine. `None` only where `AGENTAREA_TEST_ENGINE=none` says that there is none:
    /// a test that needs one then passes without having looked.
    ///
    /// # Panics
    /// If it does not start: Debian's `docker.io` is missing or this is not root.
    pub async fn start() -> Option<Self> {
        if std::env::var("AGENTAREA_TEST_ENGINE").is_ok_and(|value| value == "none") {
            not_tested("tool servers in containers: AGENTAREA_TEST_ENGINE says there is no engine");
            return None;
        }
        let daemon = Daemon::start("docker").await.expect(
            "a container engine (as root, apt-get install docker.io; or say that there is none \
             with AGENTAREA_TEST_ENGINE=none)",
        );
        Some(Self { daemon })
    }

    /// Starts one that also listens at the address that it answers, by TLS, for clients with the
    /// certificates in a folder.
    ///
    /// # Panics
    /// As [`TestEngine::start`].
    pub async fn start_tls() -> Option<(Self, String, PathBuf)> {
        if std::env::var("AGENTAREA_TEST_ENGINE").is_ok_and(|value| value == "none") {
            return None;
        }
        let port = free_port();
        let daemon = Daemon::start_with("docker", |dir| {
            let folder = dir.join("tls");
            tls::make(&folder)?;
            let folder = folder.display();
            Ok(format!(
                "-H tcp://127.0.0.1:{port} --tlsverify --tlscacert={folder}/ca.pem \
                 --tlscert={folder}/server-cert.pem --tlskey={folder}/server-key.pem"
            ))
        });
        let daemon = daemon.await.expect("an engine with certificates");
        let folder = daemon.folder().join("tls");
        Some((Self { daemon }, format!("tcp://127.0.0.1:{port}"), folder))
    }

    /// Starts Podman's service instead. `None`, and a reason that is told, where there is no Podman
    /// or it cannot run.
    pub async fn start_podman() -> Option<Self> {
        let version = std::process::Command::new("podman")
            .arg("--version")
            .output();
        if !version.is_ok_and(|output| output.status.success()) {
            not_tested("tool servers on Podman: it is not installed (apt-get install podman)");
            return None;
        }
        match Daemon::start("podman").await {
            Ok(daemon) => Some(Self { daemon }),
            Err(error) => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                not_tested(&format!(
                    "tool servers on Podman: it does not start ({last})"
                ));
                None
            }
        }
    }

    /// Value for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.daemon.socket().display())
    }

    /// Puts an image on the engine that holds the tool server alone, as `/tool-server`, which is
    /// also its entry point. Answers its id.
    ///
    /// # Panics
    /// If the engine refuses.
    pub async fn import_tool_server(&self, name: &str) -> String {
        let changes = ["ENTRYPOINT [\"/tool-server\"]"];
        self.import(name, "tool-server", TOOL_SERVER, &changes)
            .await
            .expect("import an image")
    }

    /// Puts an image on the engine that holds this machine's Node.js with npm and Python with pip,
    /// and a folder `/app` that user 65532 may write to.
    ///
    /// # Panics
    /// If the machine lacks one of them or the engine refuses.
    pub async fn import_languages(&self, name: &str) {
        self.import_host(name, "ready", &host::CHANGES).await;
    }

    /// The same without the folder, and run by root: what images of Node.js and Python are.
    ///
    /// # Panics
    /// As there.
    pub async fn import_plain_languages(&self, name: &str) {
        self.import_host(name, "plain", &host::CHANGES[2..]).await;
    }

    async fn import_host(&self, name: &str, kind: &str, changes: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = host::archive(folder.path(), kind).expect("an image with node and python");
        let imported = self.import_archive(name, archive, changes).await;
        imported.expect("import an image");
    }

    /// Puts an image on the engine in which there is nothing to run. Answers its id.
    ///
    /// # Panics
    /// If the engine refuses.
    pub async fn import_empty(&self, name: &str) -> String {
        let imported = self.import(name, "readme", b"nothing", &[]).await;
        imported.expect("import an image")
    }

    /// Makes a container that no installation has labelled.
    ///
    /// # Panics
    /// If the engine refuses.
    pub async fn create_foreign(&self, name: &str, image: &str) {
        let body = format!(r#"{{"Image":"{image}","Cmd":["none"]}}"#);
        let path = format!("/containers/create?name={name}");
        let (status, answer) = self
            .request("POST", &path, body.into_bytes())
            .await
            .expect("the engine's answer");
        assert_eq!(status, 201, "creating {name}: {answer}");
    }

    /// Calls the engine's API without a body; answers the status and the JSON, or null.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn call(&self, method: &str, path: &str) -> (u16, Value) {
        self.request(method, path, Vec::new())
            .await
            .expect("the engine's answer")
    }

    /// Every container there is, running or not, with its labels.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn containers(&self) -> Vec<Value> {
        let (_, containers) = self.call("GET", "/containers/json?all=1").await;
        containers.as_array().cloned().unwrap_or_default()
    }

    /// The same: those alone in which tool servers run.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn servers(&self) -> Vec<Value> {
        let mut containers = self.containers().await;
        containers.retain(|it| it["Labels"]["ai.agentarea.part"] == "server");
        containers
    }

    /// A way to the engine on which requests fail as they are told to.
    pub fn behind_faults(&self) -> FaultyEngine {
        FaultyEngine::start(self.daemon.socket())
    }

    /// Looks at the engine from a task of its own.
    pub fn observer(&self) -> EngineObserver {
        EngineObserver {
            socket: self.daemon.socket(),
        }
    }

    /// Ends the engine as a machine's shutdown would and starts it again.
    ///
    /// # Panics
    /// If it does not come back.
    pub async fn restart(&mut self) {
        self.daemon.restart().await.expect("the engine comes back");
    }

    /// Ends the engine for good.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&mut self) {
        self.daemon.stop().await.expect("the engine ends");
    }

    async fn import(
        &self,
        name: &str,
        file: &str,
        program: &[u8],
        changes: &[&str],
    ) -> anyhow::Result<String> {
        self.import_archive(name, api::archive(file, program)?, changes)
            .await
    }

    async fn import_archive(
        &self,
        name: &str,
        archive: Vec<u8>,
        changes: &[&str],
    ) -> anyhow::Result<String> {
        // The tag goes with the name: Podman takes no notice of it elsewhere.
        let mut path = format!("/images/create?fromSrc=-&repo={name}");
        for change in changes {
            path.push_str("&changes=");
            path.extend(change.bytes().map(|byte| format!("%{byte:02X}")));
        }
        let (status, answer) = self.request("POST", &path, archive).await?;
        ensure!(status == 200, "importing {name}: {status} {answer}");
        let (_, image) = self.call("GET", &format!("/images/{name}/json")).await;
        Ok(image["Id"].as_str().context("no image")?.to_owned())
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<(u16, Value)> {
        let socket: PathBuf = self.daemon.socket();
        let (method, path) = (method.to_owned(), path.to_owned());
        tokio::task::spawn_blocking(move || api::request(&socket, &method, &path, &body)).await?
    }
}
