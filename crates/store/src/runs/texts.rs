//! What many runs said, written together.

use domain::Timestamp;
use uuid::Uuid;

use super::Lease;
use crate::events::EventColumns;
use crate::{Result, Store};

/// What one run said.
#[derive(Debug)]
pub struct SaidText {
    /// Whose it is.
    pub lease: Lease,
    /// The events.
    pub events: EventColumns,
}

impl Store {
    /// Appends what runs said to their logs, in one transaction and one round trip; gives the new
    /// end of each log, in order: `None` for a run that another worker has or that has ended, of
    /// which nothing is written then.
    ///
    /// # Errors
    /// Also if a row is locked for longer than a moment: nothing is written at all then.
    pub async fn append_texts(
        &self,
        said: &[SaidText],
        now: Timestamp,
    ) -> Result<Vec<Option<i64>>> {
        let leases = || said.iter().map(|said| &said.lease);
        let workspaces: Vec<Uuid> = leases().map(|lease| lease.workspace_id.uuid()).collect();
        let runs: Vec<Uuid> = leases().map(|lease| lease.run_id.uuid()).collect();
        let fences: Vec<i64> = leases().map(|lease| lease.fence).collect();
        let mut owners = Vec::new();
        let (mut ids, mut kinds, mut data) = (Vec::new(), Vec::new(), Vec::new());
        for (number, SaidText { events, .. }) in (1i64..).zip(said) {
            owners.extend(std::iter::repeat_n(number, events.ids.len()));
            ids.extend_from_slice(&events.ids);
            kinds.extend(events.kinds.iter().map(String::as_str));
            data.extend(events.data.iter().map(String::as_str));
        }
        let mut db = self.at_hand().await?;
        let rows = sqlx::query!(
            r#"select run_number as "run_number!", last_seq as "last_seq!"
               from append_texts($1, $2, $3, $4, $5, $6, $7, $8)"#,
            &workspaces,
            &runs,
            &fences,
            &owners,
            &ids,
            &kinds as &[&str],
            &data as &[&str],
            now.date_time()
        )
        .fetch_all(&mut *db)
        .await?;
        self.keep_at_hand(db);
        let mut ends = vec![None; said.len()];
        for row in rows {
            ends[row.run_number as usize - 1] = Some(row.last_seq);
        }
        for lease in leases() {
            self.note_write(lease.workspace_id);
        }
        Ok(ends)
    }
}
