//! Lines of the audit log and of the ledger for calls of tools that belong to no run, as those through
//! the gateway: many a second, so they are written behind the calls, many at once.
//!
//! A call has its place in the queue before it is made, so that each that was made can be written:
//! while the database is away, calls wait once the queue is full. An orderly stop writes what is
//! left; a crash loses the lines of the last moments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::audit::DeedResult;
use domain::usage::CallVia;
use domain::{AuditId, McpServerId, Timestamp, WorkspaceId};
use store::audit::Author;
use store::calls::{BookedCall, CallWithoutRun, Written};
use store::panics::caught;
use store::{Store, within};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Session, mint};

/// Calls that were made and are not written yet.
const QUEUE: usize = 8_192;
/// How long lines are gathered at most.
const GATHER: Duration = Duration::from_millis(250);
/// How often it is looked whether there are enough of them.
const LOOK: Duration = Duration::from_millis(5);
/// Lines that are written at once at most.
const BATCH: usize = 1_000;
/// The same while calls wait for each other's processors: the database is done with them before a
/// call has waited long.
const SMALL_BATCH: usize = 32;
/// From so many calls under way on, it matters more how much work the lines are in all.
const MANY: usize = 16;
/// Longest wait for the database, which may be gone without a word.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pause after a failed write.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest time that the lines of a stop are tried to be written.
const LAST_TRIES_TAKE: Duration = Duration::from_secs(30);
/// Longest name of a tool that is kept.
const MAX_NAME: usize = 200;

/// The queue of one process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CallAudit {
    sender: mpsc::Sender<Line>,
    inner: Arc<Inner>,
}

struct Inner {
    receiver: Mutex<Option<mpsc::Receiver<Line>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
    closing: CancellationToken,
}

struct Line {
    id: AuditId,
    workspace_id: WorkspaceId,
    time: Timestamp,
    author: Author,
    server_id: Option<McpServerId>,
    tool: String,
    result: DeedResult,
    /// Whether the audit log gets it here.
    is_audited: bool,
    /// For the ledger, once the tool is found.
    booked: Option<Booked>,
}

struct Booked {
    via: CallVia,
    server: String,
    started: Instant,
    duration_ms: u64,
    cost_usd_micros: u64,
}

/// A call that is under way. However it ends, its line is written: as failed, unless told otherwise.
pub(crate) struct CallRecord {
    via: CallVia,
    place: Option<(OwnedPermit<Line>, Line)>,
}

impl CallAudit {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self {
            sender,
            inner: Arc::new(Inner {
                receiver: Mutex::new(Some(receiver)),
                writing: Mutex::default(),
                closing: CancellationToken::new(),
            }),
        }
    }

    /// Writes lines until [`CallAudit::finish`].
    pub(crate) fn start(&self, store: Store) {
        let Some(receiver) = lock(&self.inner.receiver).take() else {
            return;
        };
        let closing = self.inner.closing.clone();
        let writing = tokio::spawn(write_all(store, receiver, closing));
        *lock(&self.inner.writing) = Some(writing);
    }

    /// Writes what is left. Whoever calls afterwards is refused.
    pub(crate) async fn finish(&self) {
        self.inner.closing.cancel();
        let writing = lock(&self.inner.writing).take();
        if let Some(writing) = writing {
            let _ = writing.await;
        }
    }

    /// Takes a place for the line of a call; waits for one if there is none. `None` when the process
    /// is ending.
    pub(crate) async fn begin(&self, session: &Session, tool: &str) -> Option<CallRecord> {
        self.begin_by(session, tool, CallVia::Gateway).await
    }

    /// The same for a tool that a person tries, which the audit log has already.
    pub(crate) async fn begin_trial(&self, session: &Session, tool: &str) -> Option<CallRecord> {
        self.begin_by(session, tool, CallVia::Trial).await
    }

    async fn begin_by(&self, session: &Session, tool: &str, via: CallVia) -> Option<CallRecord> {
        let permit = self.sender.clone().reserve_owned().await.ok()?;
        let line = Line {
            id: mint::id(),
            workspace_id: session.actor.workspace_id,
            time: mint::now(),
            author: session.author(),
            server_id: None,
            tool: tool.chars().take(MAX_NAME).collect(),
            result: DeedResult::Failed,
            is_audited: via != CallVia::Trial,
            booked: None,
        };
        Some(CallRecord {
            via,
            place: Some((permit, line)),
        })
    }
}

impl CallRecord {
    /// Which tool it turned out to be.
    pub(crate) fn found(&mut self, server_id: McpServerId, server: &str, tool: &str) {
        if let Some((_, line)) = &mut self.place {
            line.server_id = Some(server_id);
            line.tool = format!("{server}{}{tool}", domain::tools::NAME_SEPARATOR);
            line.booked = Some(Booked {
                via: self.via,
                server: server.to_owned(),
                started: Instant::now(),
                duration_ms: 0,
                cost_usd_micros: 0,
            });
        }
    }

    /// Id of its lines.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.place.as_ref().map(|(_, line)| line.id.uuid())
    }

    /// What it costs, however it ends; nothing again if the tool was not asked after all.
    pub(crate) fn costs(&mut self, usd_micros: u64) {
        if let Some((
            _,
            Line {
                booked: Some(booked),
                ..
            },
        )) = &mut self.place
        {
            booked.cost_usd_micros = usd_micros;
        }
    }

    /// It was not made: there is no money for it.
    pub(crate) fn refused(mut self) {
        if let Some((_, line)) = &mut self.place {
            line.booked = None;
            line.result = DeedResult::Refused;
        }
    }

    /// What came of it.
    pub(crate) fn ended(mut self, result: DeedResult) {
        if let Some((_, line)) = &mut self.place {
            line.result = result;
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if let Some((permit, mut line)) = self.place.take() {
            if let Some(booked) = &mut line.booked {
                booked.duration_ms = booked.started.elapsed().as_millis() as u64;
            }
            permit.send(line);
        }
    }
}

async fn write_all(store: Store, mut lines: mpsc::Receiver<Line>, closing: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            line = lines.recv() => match line {
                Some(line) => batch.push(line),
                None => return,
            },
        }
        let gathering = Instant::now();
        let mut most = most_at_once(&lines);
        while batch.len() + lines.len() < most && gathering.elapsed() < GATHER {
            tokio::select! {
                () = closing.cancelled() => break,
                () = tokio::time::sleep(LOOK) => most = most_at_once(&lines),
            }
        }
        while batch.len() < most
            && let Ok(line) = lines.try_recv()
        {
            batch.push(line);
        }
        let mut written = Written::Never;
        while let Err(error) = caught(within(PATIENCE, write(&store, &batch, written))).await {
            tracing::warn!(%error, "calls cannot be audited; trying again");
            written = Written::Perhaps;
            tokio::select! {
                () = closing.cancelled() => break,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        if !closing.is_cancelled() {
            batch.clear();
        }
    }
    lines.close();
    while let Some(line) = lines.recv().await {
        batch.push(line);
    }
    let end = Instant::now() + LAST_TRIES_TAKE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let writing = write(&store, &batch, Written::Perhaps);
        match caught(within(left.min(PATIENCE), writing)).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, count = batch.len(), "calls cannot be audited"),
        }
        if end.saturating_duration_since(Instant::now()) < PAUSE {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many lines are to be written at once now. One call at a time leaves the database a processor
/// of its own, but meets it there if it often has something to do.
fn most_at_once(lines: &mpsc::Receiver<Line>) -> usize {
    let places = lines.max_capacity() - lines.capacity();
    match places.saturating_sub(lines.len()) {
        2..MANY => SMALL_BATCH,
        _ => BATCH,
    }
}

/// Writing again what was written already changes nothing: lines have their ids from the beginning.
async fn write(store: &Store, lines: &[Line], written: Written) -> store::Result<()> {
    let mut by_workspace: HashMap<WorkspaceId, Vec<CallWithoutRun<'_>>> = HashMap::new();
    for line in lines {
        let of_workspace = by_workspace.entry(line.workspace_id).or_default();
        of_workspace.push(line.call());
    }
    for (workspace_id, lines) in by_workspace {
        for part in lines.chunks(BATCH) {
            store.append_calls(workspace_id, part, written).await?;
        }
    }
    Ok(())
}

impl Line {
    fn call(&self) -> CallWithoutRun<'_> {
        CallWithoutRun {
            id: self.id,
            time: self.time,
            author: &self.author,
            is_audited: self.is_audited,
            server_id: self.server_id,
            tool: &self.tool,
            result: self.result,
            booked: self.booked.as_ref().map(|booked| BookedCall {
                via: booked.via,
                server: &booked.server,
                cost_usd_micros: booked.cost_usd_micros,
                duration_ms: booked.duration_ms,
            }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
