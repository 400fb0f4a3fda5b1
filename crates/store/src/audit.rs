//! The audit log: append-only.

use domain::audit::{AuditEvent, AuditFilter, Deed, DeedResult, Via};
use domain::{AuditId, Cursor, Page, Paged, Timestamp, UserId};
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;
use crate::runs::unreadable;

/// Who does something, how signed in, in which request.
#[derive(Clone, Debug)]
pub struct Author {
    /// The person.
    pub user_id: UserId,
    /// How the person is signed in.
    pub via: Via,
    /// Finds the request in the server's log.
    pub request_id: String,
}

/// A line to write.
#[derive(Clone, Copy, Debug)]
pub struct NewAuditEvent<'a> {
    /// The id.
    pub id: AuditId,
    /// When.
    pub time: Timestamp,
    /// Who, and how.
    pub author: &'a Author,
    /// What.
    pub action: Deed,
    /// Id of the object, if it has one.
    pub object_id: Option<Uuid>,
    /// Its name; empty if it has none.
    pub object_name: &'a str,
    /// What came of it.
    pub result: DeedResult,
}

impl TenantTx {
    /// Writes a line.
    pub async fn create_audit_event(&mut self, event: NewAuditEvent<'_>) -> Result<()> {
        sqlx::query!(
            "insert into audit_events
               (id, workspace_id, time, actor_id, via, action, object_id, object_name, result,
                request_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            event.id.uuid(),
            self.workspace_id().uuid(),
            event.time.date_time(),
            event.author.user_id.uuid(),
            event.author.via.as_str(),
            event.action.as_str(),
            event.object_id,
            event.object_name,
            event.result.as_str(),
            event.author.request_id
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The lines that match, newest first.
    pub async fn list_audit_events(
        &mut self,
        filter: AuditFilter,
        page: &Page,
    ) -> Result<Paged<AuditEvent>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query!(
            r#"select e.id, e.time, e.actor_id, coalesce(u.email, '') as "actor!", e.via, e.action,
                 e.object_id, e.object_name, e.result, e.request_id
               from audit_events e left join users u on u.id = e.actor_id
               where e.workspace_id = $1 and ($2::uuid is null or e.id < $2)
                 and ($3::text is null or e.action = $3)
                 and ($4::uuid is null or e.actor_id = $4)
                 and ($5::text is null or e.result = $5)
               order by e.id desc limit $6"#,
            self.workspace_id().uuid(),
            after,
            filter.action.map(Deed::as_str),
            filter.actor_id.map(UserId::uuid),
            filter.result.map(DeedResult::as_str),
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let events = rows
            .into_iter()
            .map(|row| {
                Ok(AuditEvent {
                    id: row.id.into(),
                    time: row.time.into(),
                    actor_id: row.actor_id.into(),
                    actor: row.actor,
                    via: row.via.parse().map_err(unreadable)?,
                    action: row.action.parse().map_err(unreadable)?,
                    object_id: row.object_id.map(|id| id.to_string()),
                    object_name: row.object_name,
                    result: row.result.parse().map_err(unreadable)?,
                    request_id: row.request_id,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(events, page.limit, |event: &AuditEvent| {
            Cursor(event.id.to_string())
        }))
    }
}
