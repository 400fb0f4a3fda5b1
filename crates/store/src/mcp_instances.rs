//! Which process of the fleet runs a server's one container: a lease with a fence.
//!
//! Times are the database's, so that the clocks of processes need not agree.

use std::time::Duration;

use domain::mcp_servers::{DesiredState, McpServerState};
use domain::{McpServerId, Timestamp, WorkspaceId};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::Result;

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The claimant may start the container with this fence.
    Ours {
        /// Higher than that of any start before.
        fence: i64,
    },
    /// Another process has it.
    Theirs(Owner),
    /// The server is gone, is not to run, or has other settings than those it was claimed with.
    Unwanted,
}

/// A process that runs a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub process: Uuid,
    /// Where the others reach it; empty if it has not said so.
    pub address: String,
}

/// A process that may run a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// The process.
    pub owner: Owner,
    /// Whether its engine answered lately.
    pub has_engine: bool,
}

/// A container that its owner goes on holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The server.
    pub server_id: McpServerId,
    /// Of its start.
    pub fence: i64,
    /// What is wanted of it now.
    pub desired: DesiredState,
    /// Its settings' revision now.
    pub revision: i32,
}

/// A server whose container is not as it should be, and whom no process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Astray {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The server.
    pub server_id: McpServerId,
    /// What is wanted.
    pub desired: DesiredState,
    /// Its settings' revision.
    pub revision: i32,
    /// Whether it could not be started before, for what it runs on was away.
    pub is_waiting: bool,
}

/// Takes a server for a process that means to start it with the settings of `revision`, for `life`.
/// A process that has it already gets a higher fence.
pub async fn claim(
    db: &mut PgConnection,
    (workspace_id, server_id): (WorkspaceId, McpServerId),
    revision: i32,
    process: Uuid,
    life: Duration,
) -> Result<Claim> {
    let fence = sqlx::query_scalar!(
        "insert into mcp_instances
           (workspace_id, server_id, owner, last_owner, held_until, fence)
         select workspace_id, id, $4, $4, now() + $5, 1 from mcp_servers
         where workspace_id = $1 and id = $2 and revision = $3 and desired_state = 'running'
         on conflict (workspace_id, server_id) do update
           set owner = excluded.owner, last_owner = excluded.last_owner,
             held_until = excluded.held_until, fence = mcp_instances.fence + 1
           where mcp_instances.owner is null or mcp_instances.owner = excluded.owner
             or mcp_instances.held_until < now()
         returning fence",
        workspace_id.uuid(),
        server_id.uuid(),
        revision,
        process,
        interval(life)
    )
    .fetch_optional(&mut *db)
    .await?;
    if let Some(fence) = fence {
        return Ok(Claim::Ours { fence });
    }
    let owner = find_owner(db, (workspace_id, server_id)).await?;
    Ok(owner.map_or(Claim::Unwanted, Claim::Theirs))
}

/// The process that has a server now.
pub async fn find_owner(
    db: &mut PgConnection,
    (workspace_id, server_id): (WorkspaceId, McpServerId),
) -> Result<Option<Owner>> {
    let row = sqlx::query!(
        r#"select i.owner as "owner!", coalesce(p.address, '') as "address!"
           from mcp_instances i left join container_processes p on p.id = i.owner
           where i.workspace_id = $1 and i.server_id = $2 and i.owner is not null
             and i.held_until >= now()"#,
        workspace_id.uuid(),
        server_id.uuid()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Owner {
        process: row.owner,
        address: row.address,
    }))
}

/// The process that had a server last, if it is alive: it has the log of that.
pub async fn find_last_owner(
    db: &mut PgConnection,
    (workspace_id, server_id): (WorkspaceId, McpServerId),
    now: Timestamp,
) -> Result<Option<Owner>> {
    let row = sqlx::query!(
        "select p.id, p.address from mcp_instances i
         join container_processes p on p.id = i.last_owner
         where i.workspace_id = $1 and i.server_id = $2 and p.alive_until >= $3",
        workspace_id.uuid(),
        server_id.uuid(),
        now.date_time()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Owner {
        process: row.id,
        address: row.address,
    }))
}

/// Prolongs starts of a process, and gives them. What has run out, or was taken, is not among them.
pub async fn prolong(
    db: &mut PgConnection,
    process: Uuid,
    starts: &[(McpServerId, i64)],
    life: Duration,
) -> Result<Vec<Held>> {
    let ids: Vec<Uuid> = starts.iter().map(|(id, _)| id.uuid()).collect();
    let fences: Vec<i64> = starts.iter().map(|(_, fence)| *fence).collect();
    let rows = sqlx::query!(
        "update mcp_instances i set held_until = now() + $2
         from mcp_servers s, unnest($3::uuid[], $4::bigint[]) as start (server_id, fence)
         where s.workspace_id = i.workspace_id and s.id = i.server_id
           and i.server_id = start.server_id and i.fence = start.fence
           and i.owner = $1 and i.held_until >= now()
         returning i.workspace_id, i.server_id, i.fence, s.desired_state, s.revision",
        process,
        interval(life),
        &ids,
        &fences
    )
    .fetch_all(db)
    .await?;
    let held = rows.into_iter().map(|row| {
        Ok(Held {
            workspace_id: row.workspace_id.into(),
            server_id: row.server_id.into(),
            fence: row.fence,
            desired: desired(&row.desired_state)?,
            revision: row.revision,
        })
    });
    held.collect()
}

/// Gives a server up, unless it was started anew since.
pub async fn release(
    db: &mut PgConnection,
    (workspace_id, server_id): (WorkspaceId, McpServerId),
    process: Uuid,
    fence: i64,
) -> Result<()> {
    sqlx::query!(
        "update mcp_instances set owner = null
         where workspace_id = $1 and server_id = $2 and owner = $3 and fence = $4",
        workspace_id.uuid(),
        server_id.uuid(),
        process,
        fence
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Every start that counts now: containers of others are left over.
pub async fn list_live(db: &mut PgConnection) -> Result<Vec<(McpServerId, i64)>> {
    let rows = sqlx::query!(
        "select server_id, fence from mcp_instances
         where owner is not null and held_until >= now()"
    )
    .fetch_all(db)
    .await?;
    let live = rows
        .into_iter()
        .map(|row| (row.server_id.into(), row.fence));
    Ok(live.collect())
}

/// Those of some servers that are still there.
pub async fn list_there(db: &mut PgConnection, servers: &[Uuid]) -> Result<Vec<McpServerId>> {
    let ids = sqlx::query_scalar!(
        "select server_id from mcp_instances where server_id = any($1)",
        servers
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Servers that nobody holds and whose observed state says otherwise or is not the desired one, for
/// longer than `patience`; the longest first, and after them those that wait for what they run on.
pub async fn list_astray(
    db: &mut PgConnection,
    patience: Duration,
    limit: i64,
) -> Result<Vec<Astray>> {
    let has_container = [
        McpServerState::Requested,
        McpServerState::Building,
        McpServerState::Starting,
        McpServerState::Ready,
        McpServerState::Unhealthy,
    ];
    let has_container = has_container.map(|state| state.as_str().to_owned());
    let rows = sqlx::query!(
        r#"select s.workspace_id, s.id, s.desired_state, s.revision,
           s.state = 'requested' and s.reason is not null as "is_waiting!"
         from mcp_servers s
         left join mcp_instances i on i.workspace_id = s.workspace_id and i.server_id = s.id
         where s.source->>'type' in ('container', 'package')
           and (i.owner is null or i.held_until < now())
           and ((s.desired_state = 'stopped' and s.state <> 'stopped')
             or (s.desired_state = 'running' and s.state = any($1)
               and (s.state_since < now() - $2::interval
                 or s.state = 'requested' and s.reason is not null)))
         order by 5, s.state_since limit $3"#,
        &has_container,
        interval(patience),
        limit
    )
    .fetch_all(db)
    .await?;
    let astray = rows.into_iter().map(|row| {
        Ok(Astray {
            workspace_id: row.workspace_id.into(),
            server_id: row.id.into(),
            desired: desired(&row.desired_state)?,
            revision: row.revision,
            is_waiting: row.is_waiting,
        })
    });
    astray.collect()
}

/// Makes a process the one that reconciles, or lets it go on; tells whether it is.
pub async fn lead(db: &mut PgConnection, process: Uuid, life: Duration) -> Result<bool> {
    let done = sqlx::query!(
        "update installation set leader = $1, leader_until = now() + $2
         where leader is null or leader = $1 or leader_until < now()",
        process,
        interval(life)
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives up everything that a process holds, and the lead.
pub async fn release_all(db: &mut PgConnection, process: Uuid) -> Result<()> {
    sqlx::query!(
        "with led as (update installation set leader = null where leader = $1)
         update mcp_instances set owner = null where owner = $1",
        process
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A process that runs containers, is alive and says where it is: of those with an engine that
/// answers, or else of all, the one that said so last.
pub async fn find_manager(db: &mut PgConnection, now: Timestamp) -> Result<Option<Manager>> {
    let row = sqlx::query!(
        r#"select id, address, engine <> '' as "has_engine!" from container_processes
         where alive_until >= $1 and address <> ''
         order by engine = '', alive_until desc limit 1"#,
        now.date_time()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Manager {
        owner: Owner {
            process: row.id,
            address: row.address,
        },
        has_engine: row.has_engine,
    }))
}

fn desired(text: &str) -> Result<DesiredState> {
    let state = text.parse::<DesiredState>();
    Ok(state.map_err(|error| anyhow::anyhow!(error))?)
}

pub(crate) fn interval(time: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(time.as_micros()).unwrap_or(i64::MAX),
    }
}
