//! An engine that fails: a proxy in front of a real one's socket.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out after this time.
    Slow(Duration),
    /// The connection breaks, and nothing is done.
    Gone,
    /// Nobody ever answers, and nothing is done.
    Hang,
    /// It is refused with a status and these words.
    Status(u16, &'static str),
    /// It is carried out, and the connection breaks in front of the answer.
    Lost,
}

/// Leads to an engine, and fails as it is told. It ends when dropped.
#[derive(Debug)]
pub struct FaultyEngine {
    folder: TempDir,
    rules: Rules,
    accepting: JoinHandle<()>,
}

/// Part of the request's first line, the fault, and how often.
type Rules = Arc<Mutex<Vec<(String, Fault, usize)>>>;

impl FaultyEngine {
    pub(super) fn start(engine: PathBuf) -> Self {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(socket).expect("a socket");
        let rules = Rules::default();
        let accepting = tokio::spawn(accept(listener, engine, rules.clone()));
        Self {
            folder,
            rules,
            accepting,
        }
    }

    /// Value for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// The next requests whose first line contains this, such as `/containers/create`, fail.
    pub fn fail(&self, part: &str, fault: Fault, times: usize) {
        lock(&self.rules).push((part.to_owned(), fault, times));
    }

    /// Whether every fault has happened as often as it was to.
    pub fn has_failed(&self) -> bool {
        lock(&self.rules).iter().all(|(_, _, left)| *left == 0)
    }

    /// Nothing fails from now on.
    pub fn heal(&self) {
        lock(&self.rules).clear();
    }
}

impl Drop for FaultyEngine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: UnixListener, engine: PathBuf, rules: Rules) {
    // Dropped with this task, and its connections with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (engine, rules) = (engine.clone(), rules.clone());
        connections.spawn(async move {
            // Either end may break off.
            let _ = serve(client, engine, rules).await;
        });
    }
}

/// One request, so that the next one comes by a connection of its own.
async fn serve(mut client: UnixStream, engine: PathBuf, rules: Rules) -> io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let rest = bytes.split_off(end + 2);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let fault = fault(&rules, head.lines().next().unwrap_or_default());
    match fault {
        Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Fault::Gone) => return Ok(()),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Status(status, words)) => {
            let body = format!(r#"{{"message":"{words}"}}"#);
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            return client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::Lost) | None => {}
    }
    let mut server = UnixStream::connect(engine).await?;
    let is_upgrade = head
        .to_ascii_lowercase()
        .contains("\r\nconnection: upgrade");
    server.write_all(head.as_bytes()).await?;
    if !is_upgrade {
        server.write_all(b"Connection: close\r\n").await?;
    }
    server.write_all(&rest).await?;
    if fault == Some(Fault::Lost) {
        let mut answer = [0; 1];
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::select! {
            _ = from_server.read(&mut answer) => {}
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        }
        return to_client.shutdown().await;
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn fault(rules: &Rules, line: &str) -> Option<Fault> {
    let mut rules = lock(rules);
    let is_it = |(part, _, left): &&mut (String, Fault, usize)| *left > 0 && line.contains(&**part);
    let (_, fault, left) = rules.iter_mut().find(is_it)?;
    *left -= 1;
    Some(fault.clone())
}

fn lock(rules: &Rules) -> MutexGuard<'_, Vec<(String, Fault, usize)>> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}
