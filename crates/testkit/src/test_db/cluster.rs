//! The private server: copied from a template, watched by a shell, gone with the test process.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};

use super::binaries::{self, Account};

/// Longest wait for the server to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Copies the template, starts the server and waits for the test process to go: its end of the
/// pipe closes however it dies. The shell stands in a process group of its own, so that a Ctrl-C
/// or a killed group leaves it alive to clean up.
const WATCHDOG: &str = r#"
dir=$1; template=$2; shift 2
cp -R "$template" "$dir/data"
"$@" >"$dir/log" 2>&1 &
server=$!
read -r _
while kill -QUIT "$server" 2>/dev/null; do sleep 0.05; done
rm -rf "$dir"
"#;

/// A running server. Kept for the life of the process.
#[derive(Debug)]
pub(super) struct Cluster {
    dir: PathBuf,
    /// Its standard input is the pipe that keeps the server alive.
    _watchdog: Child,
}

impl Cluster {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let binaries = binaries::find()?;
        let account = binaries::account()?;
        let template = tokio::task::spawn_blocking({
            let binaries = binaries.clone();
            move || template(&binaries, account)
        })
        .await??;
        let dir = make_dir(account)?;
        let watchdog = spawn_server(&binaries, account, &dir, &template)?;
        let cluster = Self {
            dir,
            _watchdog: watchdog,
        };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn url(&self) -> String {
        let dir = self.dir.display();
        format!("postgres://postgres@localhost/postgres?host={dir}")
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match PgConnection::connect(&self.url()).await {
                Ok(db) => return Ok(db.close().await?),
                Err(error) if begun.elapsed() > PATIENCE => {
                    let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                    return Err(error).context(format!("PostgreSQL does not answer:\n{log}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

/// The data folder every server is copied from; made once for each user and version.
pub(super) fn template(binaries: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    let version = Command::new(binaries.join("postgres"))
        .arg("--version")
        .output()
        .context("asking postgres for its version")?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().nth(2).context("no version")?;
    let cache = std::env::temp_dir().join(format!("agentarea-testkit-{}", binaries::own_uid()?));
    fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let template = cache.join(format!("pg-{version}"));
    // Test processes start together; the first makes the template, the others wait for it.
    let lock = File::create(cache.join("lock")).context("opening the lock")?;
    lock.lock().context("taking the lock")?;
    if !template.exists() {
        let work = cache.join(format!("pg-{version}.new"));
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        fs::create_dir(&work)?;
        give(&work, account)?;
        run(binaries::command(binaries.join("initdb"), account)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--wal-segsize=1", "-D"])
            .arg(&work))?;
        fs::rename(&work, &template)?;
    }
    Ok(template)
}

/// A new folder for data and socket. Socket paths end at 107 bytes, so a long `TMPDIR` is passed
/// over.
pub(super) fn make_dir(account: Option<Account>) -> anyhow::Result<PathBuf> {
    let temp = std::env::temp_dir();
    let parent = if temp.as_os_str().len() > 60 {
        Path::new("/tmp")
    } else {
        &temp
    };
    let dir = tempfile::Builder::new()
        .prefix("aa-pg-")
        .tempdir_in(parent)
        .context("making a folder for PostgreSQL")?
        .keep();
    give(&dir, account)?;
    Ok(dir)
}

fn give(dir: &Path, account: Option<Account>) -> anyhow::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    if let Some(Account { uid, gid }) = account {
        chown(dir, Some(uid), Some(gid)).with_context(|| format!("giving {}", dir.display()))?;
    }
    Ok(())
}

fn spawn_server(
    binaries: &Path,
    account: Option<Account>,
    dir: &Path,
    template: &Path,
) -> anyhow::Result<Child> {
    let settings = [
        "listen_addresses=",
        "max_connections=300",
        "shared_buffers=64MB",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_wal_size=1GB",
    ];
    let mut command = binaries::command("/bin/sh", account);
    command
        .args(["-c", WATCHDOG, "watchdog"])
        .args([dir, template])
        .arg(binaries.join("postgres"))
        .args(["-p", "5432"])
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("starting PostgreSQL")
}

pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{errors}");
    Ok(())
}
