//! One PostgreSQL cluster: made once, started, found again, stopped.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use tokio::process::Child;
use tokio::time::timeout;

use super::account::Account;
use super::binaries::{Binaries, Search};
use super::folder::Folders;

const SUPERUSER: &str = "agentarea";
const DATABASE: &str = "agentarea";
/// How often a starting or stopping server is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a server may take to stop.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster that exists on disk.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    binaries: Binaries,
    folders: Folders,
    account: Option<Account>,
}

impl Cluster {
    /// Finds the folders and the programs, which are fetched if need be. Makes no cluster yet.
    pub(super) async fn locate(data_dir: &Path, name: &str) -> anyhow::Result<Self> {
        let account = Account::to_drop_to()?;
        let folders = Folders::prepare(data_dir, name, account.as_ref())?;
        let major = match std::fs::read_to_string(folders.data().join("PG_VERSION")) {
            Ok(text) => Some(text.trim().parse().context("read PG_VERSION")?),
            Err(_) => None,
        };
        let search = Search {
            major,
            shelf: folders.shelf(),
            account: account.as_ref(),
        };
        Ok(Self {
            binaries: search.run().await?,
            folders,
            account,
        })
    }

    /// PostgreSQL's major version.
    pub(super) fn major(&self) -> u32 {
        self.binaries.major
    }

    /// Folder for the lock that tells who looks after the server.
    pub(super) fn folder(&self) -> &Path {
        &self.folders.cluster
    }

    /// How to connect.
    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new()
            .socket(&self.folders.socket)
            .username(SUPERUSER)
            .database(DATABASE)
    }

    /// Whether the server answers; also makes the product's database if it is missing.
    pub(super) async fn answers(&self) -> bool {
        if let Ok(connection) = PgConnection::connect_with(&self.options()).await {
            let _ = connection.close().await;
            return true;
        }
        let maintenance = self.options().database("postgres");
        let Ok(mut connection) = PgConnection::connect_with(&maintenance).await else {
            return false;
        };
        let made = connection
            .execute(sqlx::AssertSqlSafe(format!("create database {DATABASE}")))
            .await;
        let _ = connection.close().await;
        made.is_ok()
    }

    /// Removes everything but the lock of a cluster that is stopped.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let data = self.folders.data();
        match data.exists() {
            true => {
                std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))
            }
            false => Ok(()),
        }
    }

    /// Makes the cluster unless it exists. A half-made one of before is thrown away.
    pub(super) async fn create(&self) -> anyhow::Result<()> {
        let data = self.folders.data();
        if data.join("PG_VERSION").exists() {
            return Ok(());
        }
        tracing::info!(folder = %data.display(), "making the embedded database");
        let unfinished = self.folders.cluster.join("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).context("remove a half-made database")?;
        }
        let mut command = self.command("initdb");
        command
            .arg("--pgdata")
            .arg(&unfinished)
            .args(["--username", SUPERUSER, "--auth", "trust"])
            .args([
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-instructions",
            ]);
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .context("run initdb")?;
        if !output.status.success() {
            bail!(
                "initdb failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        std::fs::rename(&unfinished, &data).context("put the new database in place")
    }

    /// Starts the server and waits until it answers, at most 60 s.
    pub(super) async fn start(&self) -> anyhow::Result<Child> {
        self.clear_stale_lock()?;
        let log_path = self.folders.cluster.join("postgres.log");
        let log =
            File::create(&log_path).with_context(|| format!("write {}", log_path.display()))?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.folders.data())
            .arg("-k")
            .arg(&self.folders.socket)
            .args(["-c", "listen_addresses="])
            .args(["-c", "unix_socket_permissions=0700"])
            .args(["-c", "max_connections=100"])
            .args(["-c", "jit=off"])
            .args(["-c", "wal_compression=on"])
            // Statements may hold personal text; errors must not copy it into a log.
            .args(["-c", "log_parameter_max_length=0"])
            .args(["-c", "log_parameter_max_length_on_error=0"])
            .args(["-c", "log_min_error_statement=panic"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log)
            // Ctrl-C is for this program, which then stops the server in order.
            .process_group(0);
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .context("start postgres")?;
        for _ in 0..6_000 {
            if self.answers().await {
                return Ok(child);
            }
            if let Some(status) = child.try_wait().context("watch postgres")? {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("postgres ended with {status}: {}", log.trim());
            }
            tokio::time::sleep(GLANCE).await;
        }
        bail!(
            "postgres does not answer after 60 s; its log is {}",
            log_path.display()
        )
    }

    /// The running server's process, if there is one.
    pub(super) fn server_pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folders.data().join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
        let is_alive = test_kill_process(pid).is_ok() && is_postgres(pid);
        is_alive.then_some(pid)
    }

    /// Ends sessions and stops the server, waiting at most 30 s.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let Some(pid) = self.server_pid() else {
            return Ok(());
        };
        // SIGINT is PostgreSQL's fast shutdown.
        kill_process(pid, Signal::INT).context("stop postgres")?;
        let stopped = async {
            while self.server_pid().is_some() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        timeout(STOP_TIMEOUT, stopped).await.with_context(|| {
            format!(
                "postgres (process {}) did not stop within {STOP_TIMEOUT:?}",
                pid.as_raw_nonzero()
            )
        })
    }

    /// Removes a lock file whose process is gone or is something else by now.
    fn clear_stale_lock(&self) -> anyhow::Result<()> {
        let lock = self.folders.data().join("postmaster.pid");
        if lock.exists() && self.server_pid().is_none() {
            tracing::info!(file = %lock.display(), "removing the lock file of a dead database server");
            std::fs::remove_file(&lock).context("remove the database server's stale lock file")?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        command.current_dir("/").env_remove("PGDATA");
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        command
    }
}

/// Whether a process is a PostgreSQL server and not a stranger that got the same number.
fn is_postgres(pid: Pid) -> bool {
    let output = Command::new("ps")
        .args(["-o", "comm=", "-p", &pid.as_raw_nonzero().to_string()])
        .output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).contains("postgres"),
        // Without ps(1), believe the lock file.
        Err(_) => true,
    }
}
