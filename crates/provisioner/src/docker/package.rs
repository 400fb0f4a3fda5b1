//! Building a package's image: installed in a container without secrets, then committed.

use std::time::Duration;

use bollard::models::ContainerConfig;
use bollard::query_parameters::CommitContainerOptions;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use domain::WorkspaceId;

use super::Docker;
use super::body;
use super::fault::fault;
use crate::package::{Package, PackageConfig, Registry};
use crate::{Error, Image, Limits, LogBook, Spec, Started};

const REPOSITORY: &str = "localhost/agentarea/package";
const BUILD_TIMEOUT: Duration = Duration::from_secs(300);
/// Lines of the installer that a failure tells.
const TOLD_LINES: usize = 8;

/// `$1` name, `$2` version, `$3` registry. Nothing of the package runs: install scripts are off.
const NPM: &str = r#"set -eu
cd /app
npm install --prefix /app --ignore-scripts --no-audit --no-fund --omit=dev --no-update-notifier \
  --cache /tmp/npm --registry "$3" "$1@$2" >&2
node -e '
  const fs = require("fs"), dir = "/app/node_modules/" + process.argv[1];
  const bin = JSON.parse(fs.readFileSync(dir + "/package.json")).bin;
  const names = typeof bin === "string" ? [bin] : Object.values(bin || {});
  if (!names.length) { console.error("the package has no program to run"); process.exit(3); }
  const own = typeof bin === "object" && bin[process.argv[1].split("/").pop()];
  fs.writeFileSync("/app/program", require("path").join(dir, own || names[0]));
' "$1""#;

/// Wheels only: building from source would run what the package brings. What is installed is looked
/// at by an interpreter that does not see it, for a package may bring modules that run by themselves.
const PYPI: &str = r#"set -eu
cd /app
python3 -m pip install --target /app/site --only-binary=:all: --no-compile --no-cache-dir \
  --disable-pip-version-check --index-url "$3" "$1==$2" >&2
python3 -I -S - "$1" <<'END'
import importlib.metadata, sys
found = importlib.metadata.distributions(name=sys.argv[1], path=["/app/site"])
points = next(iter(found)).entry_points
scripts = [p for p in points if p.group == "console_scripts"]
if not scripts:
    sys.exit("the package has no program to run")
own = [p for p in scripts if p.name == sys.argv[1]] or scripts
module, _, function = own[0].value.partition(":")
open("/app/program", "w").write(
    f"import sys\nfrom {module} import {function.split('.')[0]}\nsys.argv[0] = {own[0].name!r}\n"
    f"sys.exit({function}())\n")
END"#;

impl Docker {
    /// The image of a package; built once for each version and base image.
    pub(super) async fn package_image(
        &self,
        id: &str,
        package: &Package,
        config: &PackageConfig,
        log: &LogBook,
    ) -> Result<Image, Error> {
        let failed = |reason: String| Error::NotBuilt {
            package: package.described(),
            reason,
        };
        if !package.is_well_formed() {
            return Err(failed("its name or version is not exact".to_owned()));
        }
        let registry = package.registry;
        let base = config.base(registry);
        let base = self.base_image(registry, base, log).await?;
        let base_id = base.id.unwrap_or_default();
        let tag = tag(package, &base_id);
        let name = format!("{REPOSITORY}:{tag}");
        let _turn = self.turn(&name).await;
        if let Some(found) = self.find_image(&name).await? {
            self.mark_made(&found).await;
            return Ok(super::image::pinned(&name, &found));
        }
        let spec = builder(id, package, config, base_id);
        let built =
            tokio::time::timeout(BUILD_TIMEOUT, self.build(package, &spec, &tag, log)).await;
        if let Err(error) = self.remove_containers(&spec.id, spec.fence).await {
            tracing::warn!(%error, "a builder was left to the sweep");
        }
        match built {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(failed("it took longer than 5 minutes".to_owned())),
        }
        let found = self.find_image(&name).await?;
        let found = found.ok_or_else(|| failed("its image is missing".to_owned()))?;
        self.mark_made(&found).await;
        Ok(super::image::pinned(&name, &found))
    }

    pub(super) async fn package_at_hand(
        &self,
        package: &Package,
        config: &PackageConfig,
    ) -> Result<Option<Image>, Error> {
        let registry = package.registry;
        let base = config.base(registry);
        let Some(base) = self.base_at_hand(registry, base).await? else {
            return Ok(None);
        };
        let name = format!(
            "{REPOSITORY}:{}",
            tag(package, &base.id.unwrap_or_default())
        );
        let Some(found) = self.find_image(&name).await? else {
            return Ok(None);
        };
        self.mark_made(&found).await;
        Ok(Some(super::image::pinned(&name, &found)))
    }

    async fn build(
        &self,
        package: &Package,
        spec: &Spec,
        tag: &str,
        log: &LogBook,
    ) -> Result<(), Error> {
        let Started {
            running,
            input: _input,
            mut output,
        } = self.start_with(spec, body::builder).await?;
        let mut lines = running.log.follow();
        for line in running.log.tail(usize::MAX) {
            log.note(&line.text);
        }
        // The installer writes to its error output alone.
        let mut waste = [0; 1024];
        loop {
            tokio::select! {
                Ok(line) = lines.recv() => log.note(&line.text),
                read = output.read(&mut waste) => match read {
                    Ok(length) if length > 0 => {}
                    _ => break,
                },
            }
        }
        let exit = running.ended().await;
        while let Ok(line) = lines.try_recv() {
            log.note(&line.text);
        }
        if exit.code != Some(0) {
            return Err(Error::NotBuilt {
                package: package.described(),
                reason: match exit.is_out_of_memory {
                    true => "it needs more memory than a builder has".to_owned(),
                    false => told(&running.log),
                },
            });
        }
        let options = CommitContainerOptions {
            container: Some(self.name(&spec.id)),
            repo: Some(REPOSITORY.to_owned()),
            tag: Some(tag.to_owned()),
            comment: Some(package.described()),
            pause: false,
            ..CommitContainerOptions::default()
        };
        let client = self.client().await?;
        let committed = client.commit_container(options, image_config(package));
        committed.await.map_err(fault)?;
        Ok(())
    }
}

/// What starts the package's program; the server's arguments follow.
fn image_config(package: &Package) -> ContainerConfig {
    let start = match package.registry {
        Registry::Npm => r#"exec node "$(cat /app/program)" "$@""#,
        Registry::PyPi => r#"exec python3 /app/program "$@""#,
    };
    let words = ["/bin/sh", "-c", start, "server"];
    ContainerConfig {
        entrypoint: Some(words.map(str::to_owned).to_vec()),
        cmd: Some(Vec::new()),
        working_dir: Some("/app".to_owned()),
        env: Some(vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "PYTHONPATH=/app/site".to_owned(),
            "PYTHONDONTWRITEBYTECODE=1".to_owned(),
            "PYTHONUNBUFFERED=1".to_owned(),
            // The builder's own, which would be kept otherwise.
            "HTTP_PROXY=".to_owned(),
            "HTTPS_PROXY=".to_owned(),
            "http_proxy=".to_owned(),
            "https_proxy=".to_owned(),
        ]),
        ..ContainerConfig::default()
    }
}

fn builder(id: &str, package: &Package, config: &PackageConfig, base: String) -> Spec {
    let (script, registry) = match package.registry {
        Registry::Npm => (NPM, &config.npm_registry),
        Registry::PyPi => (PYPI, &config.pypi_index),
    };
    let words = [script, "build", &package.name, &package.version, registry];
    let command = ["/bin/sh", "-c"].into_iter().chain(words);
    Spec {
        id: id.to_owned(),
        // An image is shared by every workspace: it holds nothing of any.
        workspace: WorkspaceId::from(uuid::Uuid::nil()),
        revision: "1".to_owned(),
        fence: 0,
        image: base,
        command: command.map(str::to_owned).collect(),
        env: Default::default(),
        secrets: Default::default(),
        limits: Limits {
            memory_bytes: 2 << 30,
            cpu_millis: 2000,
            pids: 256,
            scratch_bytes: 1 << 30,
            grace: Duration::from_secs(1),
        },
        egress: config.egress.clone(),
        port: None,
    }
}

/// The same package on the same base is the same image.
fn tag(package: &Package, base_id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [NPM, PYPI, &package.described(), base_id] {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize()[..10]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn told(log: &LogBook) -> String {
    let lines: Vec<String> = log
        .tail(TOLD_LINES)
        .into_iter()
        .map(|line| line.text)
        .collect();
    lines.join(" ⏎ ").chars().take(1000).collect()
}
