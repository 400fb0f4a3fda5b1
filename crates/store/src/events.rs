//! The append-only log of a conversation.

use std::fmt::Write;

use domain::events::{Event, EventBody};
use domain::runs::RunStatus;
use domain::{ConversationId, EventId, RunId, Timestamp};
use futures::TryStreamExt;
use uuid::Uuid;

use crate::Error;
use crate::Result;
use crate::database::TenantTx;
use crate::runs::Lease;

/// Data of events that one page of the log may hold, but for the last of them.
pub const PAGE_BYTES: usize = 256 * 1024;

/// An event on its way into the log.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The id.
    pub id: EventId,
    /// What happened.
    pub body: EventBody,
}

/// An event of the log, its data still the bytes that were written.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// Position in the log.
    pub seq: u64,
    /// The id.
    pub id: EventId,
    /// The event's name.
    pub kind: String,
    /// When it was written.
    pub time: Timestamp,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The run.
    pub run_id: RunId,
    /// JSON of the data.
    pub data: String,
}

/// Where a conversation's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Number of the last event, 0 for none.
    pub last_seq: u64,
    /// Whether a run is queued, running or waiting.
    pub has_active_run: bool,
}

/// New events as the three columns of the log, side by side for `unnest`: made once, however often
/// they must be written.
#[derive(Clone, Debug)]
pub struct EventColumns {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) kinds: Vec<String>,
    pub(crate) data: Vec<String>,
}

impl EventColumns {
    /// The columns of these events.
    pub fn new(events: &[NewEvent]) -> Self {
        Self {
            ids: events.iter().map(|event| event.id.uuid()).collect(),
            kinds: events
                .iter()
                .map(|event| event.body.kind().to_owned())
                .collect(),
            data: events.iter().map(|event| data_json(&event.body)).collect(),
        }
    }

    /// The events as the log holds them, the last with number `last_seq`.
    pub fn into_logged(
        self,
        last_seq: i64,
        conversation_id: ConversationId,
        run_id: RunId,
        time: Timestamp,
    ) -> Vec<LoggedEvent> {
        let first_seq = last_seq as u64 + 1 - self.ids.len() as u64;
        self.ids
            .into_iter()
            .zip(self.kinds)
            .zip(self.data)
            .zip(first_seq..)
            .map(|(((id, kind), data), seq)| LoggedEvent {
                seq,
                id: id.into(),
                kind,
                time,
                conversation_id,
                run_id,
                data,
            })
            .collect()
    }
}

impl TenantTx {
    /// Number of the last of these events, if the log has it.
    pub async fn find_last(&mut self, events: &EventColumns) -> Result<Option<i64>> {
        let seq = sqlx::query_scalar!(
            "select seq from events where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            events.ids.last()
        );
        Ok(seq.fetch_optional(self.connection()).await?)
    }

    /// Appends events of a run, if `lease` still holds it.
    ///
    /// # Errors
    /// `LeaseLost` if another worker has the run or it has ended.
    pub async fn append_events(
        &mut self,
        lease: &Lease,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let columns = EventColumns::new(events);
        // Gives the new end of the log, or no row if the fence does not hold.
        let last_seq = sqlx::query_scalar!(
            "with held as (
               select id from runs
               where workspace_id = $1 and id = $2 and fence = $3 and status = 'running' for share
             ), log as (
               update conversations set last_seq = last_seq + $4
               where workspace_id = $1 and id = $5 and exists (select from held)
               returning last_seq
             ), written as (
               insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
               select $1, $5, log.last_seq - $4 + new.number, new.id, $2, new.type, $6, new.data::json
               from log, unnest($7::uuid[], $8::text[], $9::text[])
                 with ordinality as new (id, type, data, number)
             )
             select last_seq from log",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            lease.fence,
            events.len() as i64,
            lease.conversation_id.uuid(),
            now.date_time(),
            &columns.ids,
            &columns.kinds,
            &columns.data
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or(Error::LeaseLost)?;
        Ok(columns.into_logged(last_seq, lease.conversation_id, lease.run_id, now))
    }

    /// Appends what somebody did about a run that has not ended, whoever holds it.
    ///
    /// # Errors
    /// `LeaseLost` if the run has ended.
    pub async fn append_events_about(
        &mut self,
        conversation_id: ConversationId,
        run_id: RunId,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let open = [RunStatus::Running, RunStatus::Waiting];
        self.append_while(&open, conversation_id, run_id, events, now)
            .await
    }

    /// Appends events of a run that is, and stays, in one of some states: of a run that this
    /// transaction ended, or of one that goes on whoever holds it.
    ///
    /// # Errors
    /// `LeaseLost` if the run is in none of them.
    pub(crate) async fn append_while(
        &mut self,
        statuses: &[RunStatus],
        conversation_id: ConversationId,
        run_id: RunId,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let columns = EventColumns::new(events);
        let statuses: Vec<String> = statuses.iter().map(|it| it.as_str().to_owned()).collect();
        // Gives the new end of the log, or no row if the run is in another state.
        let last_seq = sqlx::query_scalar!(
            "with log as (
               update conversations set last_seq = last_seq + $3
               where workspace_id = $1 and id = $4 and exists (
                 select from runs where workspace_id = $1 and id = $2 and status = any($9))
               returning last_seq
             ), written as (
               insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
               select $1, $4, log.last_seq - $3 + new.number, new.id, $2, new.type, $5, new.data::json
               from log, unnest($6::uuid[], $7::text[], $8::text[])
                 with ordinality as new (id, type, data, number)
             )
             select last_seq from log",
            self.workspace_id().uuid(),
            run_id.uuid(),
            events.len() as i64,
            conversation_id.uuid(),
            now.date_time(),
            &columns.ids,
            &columns.kinds,
            &columns.data,
            &statuses
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or(Error::LeaseLost)?;
        Ok(columns.into_logged(last_seq, conversation_id, run_id, now))
    }

    /// Events after `after`, in order: at most `limit`, and no more once they hold
    /// [`PAGE_BYTES`] together.
    pub async fn list_events(
        &mut self,
        conversation_id: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>> {
        let mut rows = sqlx::query!(
            r#"select seq, id, run_id, type as kind, time, data::text as "data!" from events
               where workspace_id = $1 and conversation_id = $2 and seq > $3 order by seq limit $4"#,
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            i64::try_from(after).unwrap_or(i64::MAX),
            i64::from(limit)
        )
        .fetch(self.connection());
        let mut events = Vec::new();
        let mut bytes = 0;
        while bytes < PAGE_BYTES
            && let Some(row) = rows.try_next().await?
        {
            bytes += row.data.len();
            events.push(LoggedEvent {
                seq: row.seq as u64,
                id: row.id.into(),
                kind: row.kind,
                time: row.time.into(),
                conversation_id,
                run_id: row.run_id.into(),
                data: row.data,
            });
        }
        Ok(events)
    }

    /// Where a conversation's log stands; `None` if there is no such conversation.
    pub async fn find_log_state(
        &mut self,
        conversation_id: ConversationId,
    ) -> Result<Option<LogState>> {
        let row = sqlx::query!(
            r#"select last_seq, exists (
                 select from runs r
                 where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                   and r.status in ('queued', 'running', 'waiting')
               ) as "has_active_run!"
               from conversations c where c.workspace_id = $1 and c.id = $2"#,
            self.workspace_id().uuid(),
            conversation_id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| LogState {
            last_seq: row.last_seq as u64,
            has_active_run: row.has_active_run,
        }))
    }
}

impl LoggedEvent {
    /// The envelope of the public contract, as JSON.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    /// Appends [`LoggedEvent::to_json`] to a text.
    pub fn write_json(&self, json: &mut String) {
        json.reserve(self.data.len() + 320);
        let Self {
            seq,
            id,
            kind,
            time,
            conversation_id,
            run_id,
            data,
        } = self;
        // Nothing here needs escaping: ids, numbers, times and our own event names.
        let _ = write!(
            json,
            r#"{{"id":"{id}","seq":{seq},"type":"{kind}","time":"{time}","conversation_id":"{conversation_id}","run_id":"{run_id}","data":{data}}}"#
        );
    }

    /// The event with its data understood.
    ///
    /// # Errors
    /// If the log holds something this program does not know.
    pub fn parse(&self) -> Result<Event> {
        let event = serde_json::from_str(&self.to_json())
            .map_err(|error| anyhow::anyhow!("event {} cannot be read: {error}", self.seq))?;
        Ok(event)
    }
}

/// JSON of what an event says, without its kind.
fn data_json(body: &EventBody) -> String {
    // In place and with room from the start: what a message says may be large.
    let room = match body {
        EventBody::MessageCompleted { text, .. } => text.len() + text.len() / 16 + 512,
        _ => 256,
    };
    let mut json = Vec::with_capacity(room);
    serde_json::to_writer(&mut json, body).expect("event bodies are plain data");
    let mut json = String::from_utf8(json).expect("JSON is UTF-8");
    let head = format!(r#"{{"type":"{}","data":"#, body.kind());
    assert!(json.starts_with(&head), "an event begins with its kind");
    json.truncate(json.len() - 1);
    json.drain(..head.len());
    json
}
