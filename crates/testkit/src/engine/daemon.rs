//! The engine's process, watched by a shell that outlives the test.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::api;

/// Longest wait for the engine to answer or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts and ends the engine as it is told, and ends it for good when the test process goes: its
/// end of the pipe closes however it dies. Containers end with a graceful end of the engine.
const WATCHDOG: &str = r#"
dir=$1
# Debian's crun refuses machines that mount the old control groups; runc comes with the other engine.
runtime=$(command -v runc || command -v crun)
options="--root $dir/data --runroot $dir/exec --tmpdir $dir/tmp --storage-driver vfs
  --cgroup-manager cgroupfs --events-backend none --runtime $runtime"
begin() {
  if [ "$2" = podman ]; then
    podman $options system service --time=0 "unix://$dir/docker.sock" >>"$dir/log" 2>&1 &
    engine=$!
    return
  fi
  dockerd -H "unix://$dir/docker.sock" --data-root "$dir/data" --exec-root "$dir/exec" \
    --pidfile "$dir/pid" --bridge none --iptables=false --ip6tables=false \
    --shutdown-timeout 2 --log-level warn $3 >>"$dir/log" 2>&1 &
  engine=$!
}
finish() {
  [ "$2" != podman ] || podman $options rm --all --force --time 0 >/dev/null 2>&1
  kill -TERM "$engine" 2>/dev/null
  wait "$engine"
  rm -f "$dir/docker.sock"
}
begin "$@"
while read -r word; do
  case $word in
    stop) finish "$@"; touch "$dir/stopped" ;;
    restart) finish "$@"; begin "$@"; touch "$dir/restarted" ;;
  esac
done
finish "$@"
# A killed test leaves mounts of containers behind.
awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r |
  while read -r mount; do umount -l "$mount"; done
rm -rf "$dir"
"#;

/// A running engine.
#[derive(Debug)]
pub(super) struct Daemon {
    dir: PathBuf,
    words: ChildStdin,
    _watchdog: Child,
}

impl Daemon {
    /// `kind` is `docker` or `podman`.
    pub(super) async fn start(kind: &str) -> anyhow::Result<Self> {
        Self::start_with(kind, |_| Ok(String::new())).await
    }

    /// With more options for Docker's engine, which may name what `prepare` puts into its folder.
    pub(super) async fn start_with(
        kind: &str,
        prepare: impl FnOnce(&Path) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("aa-engine-")
            .tempdir_in("/tmp")
            .context("making a folder for the engine")?
            .keep();
        let options = prepare(&dir)?;
        let mut watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&dir)
            .arg(kind)
            .arg(options)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting a shell")?;
        let words = watchdog.stdin.take().context("no pipe")?;
        let daemon = Self {
            dir,
            words,
            _watchdog: watchdog,
        };
        daemon.wait_until_ready().await?;
        Ok(daemon)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.dir
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.tell("restart", "restarted").await?;
        self.wait_until_ready().await
    }

    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.tell("stop", "stopped").await
    }

    async fn tell(&mut self, word: &str, done: &str) -> anyhow::Result<()> {
        let done = self.dir.join(done);
        let _ = fs::remove_file(&done);
        writeln!(self.words, "{word}")?;
        let begun = Instant::now();
        while !done.exists() {
            if begun.elapsed() > PATIENCE {
                bail!("the engine did not {word}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let socket = self.socket();
            let asked =
                tokio::task::spawn_blocking(move || api::request(&socket, "GET", "/_ping", &[]));
            match asked.await? {
                Ok((200, _)) => return Ok(()),
                _ if begun.elapsed() > PATIENCE => {
                    bail!("the engine does not answer:\n{}", self.log());
                }
                // It ends at once when it is not installed or may not run.
                _ if self.has_given_up() => bail!("the engine ended:\n{}", self.log()),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn has_given_up(&self) -> bool {
        let log = self.log();
        log.contains("not found") || log.contains("needs to be started with root")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}
