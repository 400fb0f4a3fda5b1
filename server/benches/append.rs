//! How many events of runs become durable in a second, 100 in each transaction, by one writer and
//! by four. Prints one line each. `APPEND_URL` names an empty or an earlier database of its own.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::events::{EventBody, TextDelta};
use domain::{ConversationId, EventId, MessageId, RunId, Timestamp, WorkspaceId};
use sqlx::Connection;
use store::events::NewEvent;
use store::runs::Lease;
use store::{Config, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Events of a transaction.
const BATCH: usize = 100;
/// Bytes of text in each.
const TEXT_BYTES: usize = 300;
const DURATION: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Ok(url) = std::env::var("APPEND_URL") else {
        println!("append: APPEND_URL is not set, nothing is measured");
        return Ok(());
    };
    let store = Store::new(Config::from_url(&url)?);
    store.migrate().await?;
    for writers in [1, 4] {
        let mut tasks = JoinSet::new();
        for _ in 0..writers {
            let lease = running_run(&url).await?;
            tasks.spawn(append(store.clone(), lease));
        }
        let mut rows = 0.0;
        while let Some(rate) = tasks.join_next().await {
            rows += rate??;
        }
        println!("    the log, {writers} writers: {rows:.0} rows/s");
    }
    Ok(())
}

/// Appends to one conversation until the time is over; rows per second.
async fn append(store: Store, lease: Lease) -> anyhow::Result<f64> {
    let message_id = MessageId::from(Uuid::now_v7());
    let begun = Instant::now();
    let mut rows = 0;
    while begun.elapsed() < DURATION {
        let events: Vec<NewEvent> = (0..BATCH)
            .map(|number| NewEvent {
                id: EventId::from(Uuid::now_v7()),
                body: EventBody::TextDelta(TextDelta {
                    message_id,
                    offset: ((rows + number) * TEXT_BYTES) as u64,
                    text: "y".repeat(TEXT_BYTES),
                }),
            })
            .collect();
        let mut tx = store.begin(lease.workspace_id).await?;
        let now = Timestamp::from(time::OffsetDateTime::now_utc());
        tx.append_events(&lease, &events, now).await?;
        tx.commit().await?;
        rows += BATCH;
    }
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}

/// A run under way in a workspace of its own.
async fn running_run(url: &str) -> anyhow::Result<Lease> {
    let lease = Lease {
        run_id: RunId::from(Uuid::now_v7()),
        workspace_id: WorkspaceId::from(Uuid::now_v7()),
        conversation_id: ConversationId::from(Uuid::now_v7()),
        fence: 1,
    };
    let (workspace, conversation) = (lease.workspace_id.uuid(), lease.conversation_id.uuid());
    let other = Uuid::now_v7();
    let mut db = sqlx::PgConnection::connect(url).await.context("connect")?;
    for (statement, first, second) in [
        ("insert into workspaces values ($1, 'Append', now()) returning $2::uuid", workspace, other),
        ("insert into agents (workspace_id, id, version, created_at, updated_at) values ($1, $2, 1, now(), now())", workspace, other),
        ("insert into conversations (workspace_id, id, agent_id, title, created_at, updated_at)
          select $1, $2, id, 'Append', now(), now() from agents where workspace_id = $1", workspace, conversation),
        ("insert into runs (workspace_id, id, conversation_id, agent_id, agent_version, author_id, message_id, answer_id, status, attempt, fence, created_at)
          select $1, $2, id, agent_id, 1, id, id, id, 'running', 1, 1, now() from conversations where workspace_id = $1", workspace, lease.run_id.uuid()),
    ] {
        let bound = sqlx::query(statement).bind(first).bind(second);
        bound.execute(&mut db).await.with_context(|| statement.to_owned())?;
    }
    Ok(lease)
}
