//! Calls of tools that belong to no run, in the audit log and the ledger.

use domain::audit::{Deed, DeedResult};
use domain::usage::CallVia;
use domain::{AuditId, McpServerId, Timestamp, WorkspaceId};
use uuid::Uuid;

use crate::audit::Author;
use crate::{Result, Store};

/// A call of a tool that belongs to no run.
#[derive(Clone, Debug)]
pub struct CallWithoutRun<'a> {
    /// The id, in the audit log and in the ledger.
    pub id: AuditId,
    /// When it was begun.
    pub time: Timestamp,
    /// Who called.
    pub author: &'a Author,
    /// Whether the audit log gets a line of it.
    pub is_audited: bool,
    /// The server, if the tool was found.
    pub server_id: Option<McpServerId>,
    /// The tool's name, with its server's in front if it was found.
    pub tool: &'a str,
    /// What came of it.
    pub result: DeedResult,
    /// What the ledger gets; `None` for a call that was not made.
    pub booked: Option<BookedCall<'a>>,
}

/// What the ledger gets of a call.
#[derive(Clone, Copy, Debug)]
pub struct BookedCall<'a> {
    /// How it was made.
    pub via: CallVia,
    /// The server's name.
    pub server: &'a str,
    /// What it costs.
    pub cost_usd_micros: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// Whether calls may have been written before, by an attempt whose end is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// This is the first attempt.
    Never,
    /// Those that are there already stay as they are.
    Perhaps,
}

impl Store {
    /// Writes calls of one workspace, and gives back what was set aside for them, in one round trip.
    ///
    /// # Errors
    /// Nothing is written then; also if they are there, which only an attempt after the first expects.
    pub async fn append_calls(
        &self,
        workspace_id: WorkspaceId,
        calls: &[CallWithoutRun<'_>],
        written: Written,
    ) -> Result<()> {
        fn column<'a, T>(
            calls: &'a [CallWithoutRun<'_>],
            of: impl Fn(&'a CallWithoutRun<'_>) -> T,
        ) -> Vec<T> {
            calls.iter().map(of).collect()
        }
        let ids: Vec<Uuid> = column(calls, |it| it.id.uuid());
        let times = column(calls, |it| it.time.date_time());
        let authors: Vec<Uuid> = column(calls, |it| it.author.user_id.uuid());
        let signed_in = column(calls, |it| it.author.via.as_str());
        let requests = column(calls, |it| it.author.request_id.as_str());
        let audited = column(calls, |it| it.is_audited);
        let servers = column(calls, |it| it.server_id.map(McpServerId::uuid));
        let tools = column(calls, |it| it.tool);
        let results = column(calls, |it| it.result.as_str());
        let vias = column(calls, |it| it.booked.map(|booked| booked.via.as_str()));
        let names = column(calls, |it| it.booked.map(|booked| booked.server));
        let errors = column(calls, |it| it.result != DeedResult::Done);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let costs = column(calls, |it| {
            it.booked.map_or(0, |booked| number(booked.cost_usd_micros))
        });
        let durations = column(calls, |it| {
            it.booked.map_or(0, |booked| number(booked.duration_ms))
        });
        let mut db = self.at_hand().await?;
        sqlx::query!(
            "select append_calls($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
               $16, $17)",
            workspace_id.uuid(),
            Deed::McpToolCall.as_str(),
            &ids,
            &times,
            &authors,
            &signed_in as &[&str],
            &requests as &[&str],
            &audited,
            &servers as &[Option<Uuid>],
            &tools as &[&str],
            &results as &[&str],
            &vias as &[Option<&str>],
            &names as &[Option<&str>],
            &errors,
            &costs,
            &durations,
            written == Written::Perhaps
        )
        .fetch_one(&mut *db)
        .await?;
        self.keep_at_hand(db);
        self.note_write(workspace_id);
        Ok(())
    }
}
