//! A server of its own that a test may restart, kill and stop.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};

use super::binaries::{self, Account};
use super::cluster::{make_dir, run, template};
use crate::processes::{go_on, signal, stand_still};

/// Longest wait for the server to come or go.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the test process to go, however it dies, and ends what is left of the server.
const WATCHDOG: &str = r#"
dir=$1
read -r _
while pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) && kill -CONT "$pid" 2>/dev/null; do
  pkill -CONT -P "$pid"
  kill -QUIT "$pid" 2>/dev/null
  sleep 0.05
done
rm -rf "$dir"
"#;

/// A PostgreSQL server with one database, for tests that break it. It keeps what it has committed
/// through a crash of its processes, though not through one of the machine.
#[derive(Debug)]
pub struct CrashableDb {
    dir: PathBuf,
    binaries: PathBuf,
    account: Option<Account>,
    server: Child,
    /// Its standard input is the pipe that keeps the server alive.
    _watchdog: Child,
}

impl CrashableDb {
    /// Starts a server with an empty database.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; says how to install it.
    pub async fn start() -> Self {
        Self::try_start().await.expect("a server to break")
    }

    /// Starts a copy that follows this server and can be read.
    ///
    /// # Panics
    /// If it cannot be copied or does not start.
    pub async fn copy(&self) -> Self {
        self.try_copy().await.expect("a copy")
    }

    /// Address of the database, for its superuser.
    pub fn url(&self) -> String {
        let dir = self.dir.display();
        format!("postgres://postgres@localhost/postgres?host={dir}")
    }

    /// Stops the server as an administrator would, breaking connections off, and starts it again.
    ///
    /// # Panics
    /// If it does not go or come within 30 s.
    pub async fn restart(&mut self) {
        signal("INT", self.server.id());
        self.come_back().await.expect("the server restarts");
    }

    /// Kills the server's first process; the others go when they notice. Starts it again.
    ///
    /// # Panics
    /// If it does not come back within 30 s.
    pub async fn crash(&mut self) {
        signal("KILL", self.server.id());
        self.come_back().await.expect("the server comes back");
    }

    /// Stops every process of the server where it stands: connections stay open and say nothing.
    ///
    /// # Panics
    /// If the processes cannot be told.
    pub fn pause(&self) {
        let server = self.server.id();
        // The first one first, so that no new ones come.
        stand_still(server);
        children(server).into_iter().for_each(stand_still);
    }

    /// Lets the processes go on.
    ///
    /// # Panics
    /// If the processes cannot be told.
    pub fn resume(&self) {
        let server = self.server.id();
        children(server).into_iter().for_each(go_on);
        go_on(server);
    }

    async fn try_start() -> anyhow::Result<Self> {
        let binaries = binaries::find()?;
        let account = binaries::account()?;
        let template = template(&binaries, account)?;
        let dir = make_dir(account)?;
        run(binaries::command("cp", account)
            .arg("-R")
            .arg(&template)
            .arg(dir.join("data")))?;
        Self::on_data(dir, binaries, account).await
    }

    async fn try_copy(&self) -> anyhow::Result<Self> {
        let dir = make_dir(self.account)?;
        let data = dir.join("data");
        let mut db = PgConnection::connect(&self.url()).await?;
        let begin = "select pg_backup_start('copy', true)::text";
        let _: String = sqlx::query_scalar(begin).fetch_one(&mut db).await?;
        let copied = run(binaries::command("cp", self.account)
            .arg("-R")
            .arg(self.dir.join("data"))
            .arg(&data));
        let end = "select labelfile from pg_backup_stop()";
        let label: String = sqlx::query_scalar(end).fetch_one(&mut db).await?;
        copied?;
        fs::remove_file(data.join("postmaster.pid"))?;
        let primary = self.dir.display();
        let follow = format!(
            "primary_conninfo = 'host={primary} user=postgres'\nhot_standby_feedback = on\n"
        );
        for (name, content) in [
            ("backup_label", label.as_str()),
            ("standby.signal", ""),
            ("postgresql.auto.conf", &follow),
        ] {
            let path = data.join(name);
            fs::write(&path, content)?;
            if let Some(Account { uid, gid }) = self.account {
                chown(&path, Some(uid), Some(gid))?;
            }
        }
        Self::on_data(dir, self.binaries.clone(), self.account).await
    }

    async fn on_data(
        dir: PathBuf,
        binaries: PathBuf,
        account: Option<Account>,
    ) -> anyhow::Result<Self> {
        let server = spawn(&binaries, account, &dir)?;
        let watchdog = binaries::command("/bin/sh", account)
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the watchdog")?;
        let db = Self {
            dir,
            binaries,
            account,
            server,
            _watchdog: watchdog,
        };
        db.wait_until_ready(Instant::now()).await?;
        Ok(db)
    }

    /// Starts the server again once the one before is gone.
    async fn come_back(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.server.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "the server does not go");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        loop {
            // It refuses to start while processes of the one before are left.
            self.server = spawn(&self.binaries, self.account, &self.dir)?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.server.try_wait()?.is_none() {
                return self.wait_until_ready(begun).await;
            }
            ensure!(begun.elapsed() < PATIENCE, "{}", self.log());
        }
    }

    async fn wait_until_ready(&self, begun: Instant) -> anyhow::Result<()> {
        loop {
            match PgConnection::connect(&self.url()).await {
                Ok(db) => return Ok(db.close().await?),
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error).context(self.log());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

fn spawn(binaries: &Path, account: Option<Account>, dir: &Path) -> anyhow::Result<Child> {
    // What is committed must outlive the processes, so commits are not asynchronous.
    let settings = [
        "listen_addresses=",
        "max_connections=100",
        "shared_buffers=64MB",
        "fsync=off",
        "full_page_writes=off",
    ];
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .context("opening the server's log")?;
    let mut command = binaries::command(binaries.join("postgres"), account);
    command
        .args(["-p", "5432"])
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().context("starting PostgreSQL")
}

fn children(server: u32) -> Vec<u32> {
    let output = Command::new("pgrep")
        .args(["-P", &server.to_string()])
        .output()
        .expect("run pgrep");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
