//! What processes tell each other through PostgreSQL: changes of access always, the rest when
//! there is no Redis.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::ConversationId;
use sqlx::postgres::PgNotification;
use uuid::Uuid;

use super::memory::Topics;
use super::{Frame, Signal, wire};
use crate::notices::Notices;
use crate::panics::caught;
use crate::{Result, Store, access};

/// How soon to listen again after the database was away.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// Longest wait for the database to take notices.
const PATIENCE: Duration = Duration::from_secs(2);
/// Ids in one notice, which may have 8,000 bytes.
const IDS: usize = 200;

type Heed = Arc<dyn Fn(Signal) + Send + Sync>;

/// Listens for ever. Holds a connection of the pool.
pub(super) async fn listen(store: Store, origin: Option<Uuid>, topics: Topics, heed: Heed) {
    loop {
        let lost = caught(follow(&store, origin, &topics, &heed)).await;
        heed(Signal::Deaf);
        if let Err(error) = lost {
            tracing::warn!(error = %error, "cannot hear of changes elsewhere; listening again");
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }
}

/// Sends wake-ups, and which logs have grown. Best effort: what is lost is found by looking.
pub(super) async fn send(
    store: &Store,
    origin: Uuid,
    signals: &[Signal],
    grown: &HashSet<ConversationId>,
) {
    let runs = signals
        .iter()
        .filter_map(|signal| wire::write_signal(origin, signal))
        .map(|text| (wire::RUNS, text));
    let ids: Vec<String> = grown.iter().map(ToString::to_string).collect();
    let logs = ids
        .chunks(IDS)
        .map(|ids| (wire::LOGS, format!("{origin} {}", ids.join(" "))));
    let (channels, texts): (Vec<String>, Vec<String>) = runs
        .chain(logs)
        .map(|(channel, text)| (channel.to_owned(), text))
        .unzip();
    if texts.is_empty() {
        return;
    }
    let sent = tokio::time::timeout(PATIENCE, notify(store, &channels, &texts)).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!("notices for other processes were not sent");
    }
}

async fn notify(store: &Store, channels: &[String], texts: &[String]) -> Result<()> {
    let mut db = store.system().await?;
    sqlx::query!(
        r#"select pg_notify(channel, notice) as "sent!: ()"
           from unnest($1::text[], $2::text[]) as new (channel, notice)"#,
        channels,
        texts
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(())
}

/// Listens until the connection is lost.
async fn follow(store: &Store, origin: Option<Uuid>, topics: &Topics, heed: &Heed) -> Result<()> {
    let channels = [access::CHANNEL, wire::RUNS, wire::LOGS];
    let mut notices = Notices::listen(store, &channels).await?;
    // Something may have changed before.
    heed(Signal::AccessChanged(None));
    while let Some(notice) = notices.next().await? {
        hear(&notice, origin, topics, heed);
    }
    Ok(())
}

fn hear(notice: &PgNotification, origin: Option<Uuid>, topics: &Topics, heed: &Heed) {
    match notice.channel() {
        access::CHANNEL => heed(Signal::AccessChanged(notice.payload().parse().ok())),
        wire::RUNS => {
            if let Some((sender, signal)) = wire::read_signal(notice.payload())
                && Some(sender) != origin
            {
                heed(signal);
            }
        }
        wire::LOGS => {
            let mut words = notice.payload().split(' ');
            let sender = words.next().and_then(|word| word.parse().ok());
            if sender == origin {
                return;
            }
            for id in words.filter_map(|word| word.parse().ok()) {
                if let Some(topic) = topics.find(id) {
                    topic.push(Frame::Grown);
                }
            }
        }
        _ => {}
    }
}
