//! `agentarea serve`

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, test_kill_process};
use store::embedded::Joining;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::crowds::Crowds;
use crate::rest::metrics;
use crate::roles::Role;
use crate::wiring::Backend;
use crate::{listener, router, telemetry};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(config.environment, config.otlp_endpoint.as_ref())?;
    let data_dir = config.data_dir()?;
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("make the data folder {}", data_dir.display()))?;
    let is_embedded = config.database_url.is_none();
    let _lock = match is_embedded {
        true => Some(hold(&data_dir, &config)?),
        false => None,
    };
    // Before the slow part, so that a taken address is told at once.
    let listen = config.listen();
    let socket = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let stopping = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;

    // Before anything that is measured begins.
    let metrics = metrics::install()?;
    let backend = Backend::open(&config, Joining::Succeed).await?;
    backend.services.start(&stopping);
    if config.roles.has(Role::Worker) {
        backend.services.start_jobs(&stopping);
    } else if is_embedded {
        tracing::warn!("no other server can use an embedded database: nothing runs agents here");
    }
    let front = router::front(&config, backend.services.clone(), metrics, stopping.clone());
    println!(
        "AgentArea is ready: {}",
        config.public_url().as_str().trim_end_matches('/')
    );
    tracing::info!(address = %listen, roles = %config.roles, "listening");

    let proxies = config.trusted_proxies()?;
    let crowds = Crowds::new(config.limits.connections_per_address, proxies.clone());
    let serving = listener::serve(socket, front, proxies, crowds, stopping.clone());
    let mut server = tokio::spawn(serving);
    let is_asked = tokio::select! {
        _ = interrupt.recv() => true,
        _ = terminate.recv() => true,
        // It never ends by itself but by a panic. Nobody would hear a process without it.
        _ = &mut server => false,
    };
    tracing::info!("stopping");
    stopping.cancel();
    backend.services.finish_jobs().await;
    if is_asked {
        let _ = server.await;
    }
    backend.services.finish().await;
    backend.close().await?;
    ensure!(is_asked, "nothing listened any more; the log says why");
    Ok(())
}

/// Keeps servers away from the data folder for as long as the file is held.
///
/// # Errors
/// If one is running.
pub(super) fn hold_data_folder(config: &Config) -> anyhow::Result<File> {
    let data_dir = config.data_dir()?;
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("make the data folder {}", data_dir.display()))?;
    hold(&data_dir, config)
}

/// How long the lock of a server that is gone may be held by what it left behind, such as a child that
/// it was just starting and that has not become another program yet.
const REMAINS_GO: Duration = Duration::from_secs(5);

/// Whether the process that a lock file names is there; `true` if it names none.
fn lives(holder: &str) -> bool {
    let named = holder.strip_prefix("process ");
    let named = named.and_then(|rest| rest.split(' ').next()?.parse().ok());
    named
        .and_then(Pid::from_raw)
        .is_none_or(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Makes sure that only one server uses a data folder; the lock goes with the process.
fn hold(data_dir: &Path, config: &Config) -> anyhow::Result<File> {
    let path = data_dir.join("serve.lock");
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.rewind();
                let _ = file.read_to_string(&mut holder);
                if lives(&holder) || begun.elapsed() > REMAINS_GO {
                    bail!(
                        "another agentarea serves from {}: {}",
                        data_dir.display(),
                        holder.trim()
                    );
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
    }
    file.set_len(0).context("write serve.lock")?;
    file.rewind().context("write serve.lock")?;
    write!(
        file,
        "process {} on {}",
        std::process::id(),
        config.listen()
    )
    .context("write serve.lock")?;
    Ok(file)
}
