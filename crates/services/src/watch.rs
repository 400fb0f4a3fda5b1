//! Watching a conversation: replay and live are one path.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use domain::events::{Event, EventBody};
use domain::{Action, ConversationId, Error, MessageId, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::Store;
use store::bus::{Frame, Publisher, Subscription};
use store::events::LoggedEvent;

use crate::Session;
use crate::fault::OrFault;
use crate::markdown::{LiveHtmlWatch, Markdown, data_of};

/// How often the log is looked at when the bus is silent.
const LOOK_DURING_RUN: Duration = Duration::from_secs(1);
const LOOK_WHILE_IDLE: Duration = Duration::from_secs(15);
/// Events read from the log at once.
const PAGE: u32 = 200;
/// Data of an event that is shown at once; a larger one is read from the log by each watcher when
/// its turn comes, rather than kept for all.
const MAX_FRAME_BYTES: usize = 512 * 1024;
/// Whole messages that are remembered: as many as may end while a watcher reads the log.
const MAX_WHOLE: usize = 16;

/// A client that follows a conversation's log.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    workspace_id: WorkspaceId,
    conversation_id: ConversationId,
    subscription: Subscription,
    /// Last event that was given out.
    seq: u64,
    /// Whether the log may hold more than was given out.
    is_behind: bool,
    ends_when_idle: bool,
    /// Whether the last event given out is no end of a run.
    is_run_under_way: bool,
    /// The last messages that were given out whole: the log overtook text of them that is still on
    /// its way.
    whole: VecDeque<MessageId>,
    /// Whether the end of a run was seen since idleness was last checked.
    may_be_idle: bool,
    /// Where HTML of what is written comes from, for those who asked for it.
    html: Option<(LiveHtmlWatch, Markdown)>,
    /// What is said before anything else.
    greeting: Option<Bytes>,
}

/// A page of the log as JSON texts, ascending.
#[derive(Clone, Debug)]
pub struct EventLogPage {
    /// The events.
    pub items: Vec<String>,
    /// Value for `?after=` of the next page, if there is more.
    pub next: Option<u64>,
}

impl Session {
    /// Follows a conversation's log after event `after`; beyond the end it waits.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn watch(
        &self,
        id: ConversationId,
        after: u64,
        ends_when_idle: bool,
    ) -> Result<Watch, Error> {
        // Before the first look at the log, so that nothing falls between.
        let subscription = self.services.bus.subscribe(id);
        let mut tx = self.begin(Action::Read).await?;
        tx.find_log_state(id)
            .await
            .or_fault()?
            .ok_or(Error::NotFound)?;
        Ok(Watch {
            store: self.services.store.clone(),
            workspace_id: self.actor.workspace_id,
            conversation_id: id,
            subscription,
            seq: after,
            is_behind: true,
            ends_when_idle,
            is_run_under_way: false,
            whole: VecDeque::new(),
            may_be_idle: true,
            html: None,
            greeting: None,
        })
    }

    /// As [`Session::watch`], with `html_live` frames: what is written, as HTML. Begins with the
    /// title if one was given: the page may have been loaded before.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn watch_html(&self, id: ConversationId, after: u64) -> Result<Watch, Error> {
        let mut watch = self.watch(id, after, false).await?;
        let services = &self.services;
        let live =
            services
                .live_html
                .watch(&services.store, &services.bus, self.actor.workspace_id, id);
        watch.html = Some((live, services.markdown.clone()));
        let mut tx = self.begin(Action::Read).await?;
        let title = tx.find_given_title(id).await.or_fault()?;
        watch.greeting = title.as_deref().map(title_frame);
        Ok(watch)
    }

    /// A page of the log after event `after`.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn list_events(
        &self,
        id: ConversationId,
        after: u64,
        limit: u8,
    ) -> Result<EventLogPage, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let state = tx
            .find_log_state(id)
            .await
            .or_fault()?
            .ok_or(Error::NotFound)?;
        let events = tx
            .list_events(id, after, u32::from(limit))
            .await
            .or_fault()?;
        let next = events
            .last()
            .map(|event| event.seq)
            .filter(|seq| *seq < state.last_seq);
        Ok(EventLogPage {
            items: events.iter().map(LoggedEvent::to_json).collect(),
            next,
        })
    }
}

impl Watch {
    /// How long to wait for [`Watch::next`] before [`Watch::look_again`] is due: what another
    /// process writes does not come over this process's bus.
    pub fn patience(&self) -> Duration {
        match self.is_run_under_way {
            true => LOOK_DURING_RUN,
            false => LOOK_WHILE_IDLE,
        }
    }

    /// Has the next call read the log, whatever the bus says.
    pub fn look_again(&mut self) {
        self.is_behind = true;
        self.may_be_idle = true;
    }

    /// The next piece of the event stream; `None` when it has ended.
    ///
    /// Waits for ever while nothing happens. Safe to cancel.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be read; the client comes back and resumes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if let Some(greeting) = self.greeting.take() {
            return Ok(Some(greeting));
        }
        loop {
            if self.is_behind {
                // Boxed, so that a stream which waits keeps no room for it.
                match Box::pin(self.read_log()).await? {
                    Some(bytes) => return Ok(Some(bytes)),
                    None => self.is_behind = false,
                }
            }
            if self.ends_when_idle && self.may_be_idle {
                self.may_be_idle = false;
                if Box::pin(self.is_idle()).await? {
                    return Ok(None);
                }
                if self.is_behind {
                    continue;
                }
            }
            let frame = tokio::select! {
                biased;
                frame = self.subscription.next() => frame,
                html = next_html(&mut self.html) => return Ok(Some(html)),
            };
            match frame {
                Some(Frame::Live(bytes)) if self.is_late(&bytes) => {}
                Some(Frame::Live(bytes)) => return Ok(Some(bytes)),
                Some(Frame::Logged { seq, .. }) if seq <= self.seq => {}
                Some(Frame::Logged {
                    seq,
                    is_run_end,
                    bytes,
                }) if seq == self.seq + 1 => {
                    // Before it counts as given out: this call may be cancelled here.
                    let bytes = self.take_in(bytes).await;
                    self.seq = seq;
                    self.is_run_under_way = !is_run_end;
                    self.may_be_idle |= is_run_end;
                    return Ok(Some(bytes));
                }
                Some(Frame::Logged { .. } | Frame::Grown) | None => {
                    self.is_behind = true;
                    self.may_be_idle = true;
                }
            }
        }
    }

    async fn read_log(&mut self) -> Result<Option<Bytes>, Error> {
        let mut tx = self.store.begin(self.workspace_id).await.or_fault()?;
        let events = tx
            .list_events(self.conversation_id, self.seq, PAGE)
            .await
            .or_fault()?;
        drop(tx);
        let Some(last) = events.last() else {
            return Ok(None);
        };
        let (last_seq, is_run_under_way) = (last.seq, !is_run_end(last));
        let mut frames = Vec::with_capacity(events.len());
        for event in events {
            let frame = Bytes::from(logged_frame(&event));
            drop(event);
            frames.push(self.take_in(frame).await);
        }
        self.seq = last_seq;
        self.is_run_under_way = is_run_under_way;
        // A reader who is slow holds this for long: no more of it than need be.
        Ok(Some(match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }))
    }

    /// Notes which message is whole, and puts its HTML behind the event that says so.
    async fn take_in(&mut self, frame: Bytes) -> Bytes {
        let Some((id, text)) = completed(&frame) else {
            return frame;
        };
        self.whole.truncate(MAX_WHOLE - 1);
        self.whole.push_front(id);
        match &self.html {
            Some((_, markdown)) => [frame, markdown.frame(id, &text).await].concat().into(),
            None => frame,
        }
    }

    /// Whether a frame is early text of a message that was given out whole.
    fn is_late(&self, frame: &[u8]) -> bool {
        !self.whole.is_empty() && early_text(frame).is_some_and(|id| self.whole.contains(&id))
    }

    /// Whether no run is active and everything was given out; notices if there is more to read.
    async fn is_idle(&mut self) -> Result<bool, Error> {
        let mut tx = self.store.begin(self.workspace_id).await.or_fault()?;
        let state = tx.find_log_state(self.conversation_id).await.or_fault()?;
        // A deleted conversation says nothing more.
        let Some(state) = state else { return Ok(true) };
        if state.last_seq > self.seq {
            self.is_behind = true;
            self.may_be_idle = true;
        }
        Ok(!state.has_active_run && state.last_seq <= self.seq)
    }
}

/// Shows logged events to everybody who watches; each is rendered once.
pub(crate) fn publish(publisher: &Publisher, events: &[LoggedEvent]) {
    if !publisher.has_watchers() {
        return publisher.grown();
    }
    for event in events {
        publisher.publish(match event.data.len() > MAX_FRAME_BYTES {
            true => Frame::Grown,
            false => Frame::Logged {
                seq: event.seq,
                is_run_end: is_run_end(event),
                bytes: logged_frame(event).into(),
            },
        });
    }
    publisher.grown();
}

/// Has everybody who watches read the log.
pub(crate) fn publish_grown(publisher: &Publisher) {
    if publisher.has_watchers() {
        publisher.publish(Frame::Grown);
    }
    publisher.grown();
}

/// Tells what a conversation is called now; no part of the log.
pub(crate) fn title_frame(title: &str) -> Bytes {
    #[derive(Serialize)]
    struct Live<'a> {
        title: &'a str,
    }
    let json = serde_json::to_string(&Live { title }).expect("plain data");
    format!("event: title_live\ndata: {json}\n\n").into()
}

/// Shows text that is not logged yet.
pub(crate) fn publish_live(
    publisher: &Publisher,
    message_id: MessageId,
    offset: usize,
    text: &str,
) {
    #[derive(Serialize)]
    struct Live<'a> {
        message_id: MessageId,
        offset: usize,
        text: &'a str,
    }
    if !publisher.has_watchers() {
        return;
    }
    let live = Live {
        message_id,
        offset,
        text,
    };
    let json = serde_json::to_string(&live).expect("plain data");
    let frame = format!("event: text_live\ndata: {json}\n\n");
    publisher.publish(Frame::Live(frame.into()));
}

async fn next_html(html: &mut Option<(LiveHtmlWatch, Markdown)>) -> Bytes {
    match html {
        Some((live, _)) => live.next().await,
        None => std::future::pending().await,
    }
}

/// The message that a frame says is whole.
fn completed(frame: &[u8]) -> Option<(MessageId, String)> {
    const KIND: &[u8] = b"event: message_completed\n";
    let head = &frame[..frame.len().min(64)];
    head.windows(KIND.len()).find(|part| *part == KIND)?;
    match serde_json::from_slice::<Event>(data_of(frame)?).ok()?.body {
        EventBody::MessageCompleted {
            message_id, text, ..
        } => Some((message_id, text)),
        _ => None,
    }
}

/// The message whose early text a frame is.
fn early_text(frame: &[u8]) -> Option<MessageId> {
    #[derive(Deserialize)]
    struct Live {
        message_id: MessageId,
    }
    let data = data_of(frame).filter(|_| frame.starts_with(b"event: text_live\n"))?;
    let live: Live = serde_json::from_slice(data).ok()?;
    Some(live.message_id)
}

fn is_run_end(event: &LoggedEvent) -> bool {
    matches!(
        event.kind.as_str(),
        "run_completed" | "run_failed" | "run_cancelled"
    )
}

fn logged_frame(event: &LoggedEvent) -> String {
    let mut frame = format!("id: {}\nevent: {}\ndata: ", event.seq, event.kind);
    event.write_json(&mut frame);
    frame.push_str("\n\n");
    frame
}
