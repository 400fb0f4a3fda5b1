//! The pool, and the only two ways to a connection.

use std::ops::DerefMut;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use domain::WorkspaceId;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres,
    Transaction,
};

use crate::Result;
use crate::at_hand::AtHand;
use crate::replicas::Replicas;

/// How long a connection is trusted after it was proven to live.
const PROOF_LASTS: Duration = Duration::from_secs(1);

/// Longest time that a connection may take to prove that it lives.
const PROOF_TAKES: Duration = Duration::from_secs(2);

/// Longest time that closing all connections may take.
const CLOSING_TAKES: Duration = Duration::from_secs(5);

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it is.
    pub options: PgConnectOptions,
    /// Most connections at once, to each.
    pub max_connections: u32,
    /// Where copies of it are that can be read.
    pub replicas: Vec<PgConnectOptions>,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    at_hand: Arc<AtHand>,
    replicas: Option<Arc<Replicas>>,
}

/// A connection that sees across workspaces, for sign-in and the run queue only.
pub type SystemConnection = PoolConnection<Postgres>;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// From the pool, as nearly always.
    Pool,
    /// Made for the occasion and closed after it, for when those of the pool may be dead.
    Anew,
}

/// A [`SystemConnection`] by any [`Door`].
pub type AnyConnection = Box<dyn DerefMut<Target = PgConnection> + Send>;

/// A transaction that sees one workspace.
///
/// Dropping it without [`TenantTx::commit`] undoes everything.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    workspace_id: WorkspaceId,
    /// To be told of a commit.
    replicas: Option<Arc<Replicas>>,
}

impl Config {
    /// Reads a `postgres://` URL.
    ///
    /// # Errors
    /// If the URL is malformed.
    pub fn from_url(url: &str) -> anyhow::Result<Self> {
        Ok(Self::new(options_of(url, "DATABASE_URL")?))
    }

    /// Reads the addresses of copies, separated by commas.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn with_replicas(self, urls: &str) -> anyhow::Result<Self> {
        let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
        let replicas = urls.map(|url| options_of(url, "DATABASE_REPLICA_URLS"));
        Ok(Self {
            replicas: replicas.collect::<anyhow::Result<_>>()?,
            ..self
        })
    }

    /// Default pool size for given options.
    pub fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            max_connections: 16,
            replicas: Vec::new(),
        }
    }
}

impl Store {
    /// Makes the pool; connects only when first used.
    pub fn new(config: Config) -> Self {
        Self {
            pool: pool(config.options, config.max_connections),
            at_hand: Arc::new(AtHand::new(config.max_connections)),
            replicas: Replicas::new(config.replicas, config.max_connections),
        }
    }

    /// A connection that sees across workspaces where a policy lets it.
    ///
    /// # Errors
    /// `Unavailable` if there is none within 5 s.
    pub async fn system(&self) -> Result<SystemConnection> {
        Ok(acquire(&self.pool).await?)
    }

    /// As [`Store::system`], by a door of the caller's choice.
    ///
    /// # Errors
    /// `Unavailable` if there is none within 5 s.
    pub async fn system_by(&self, door: Door) -> Result<AnyConnection> {
        Ok(match door {
            Door::Pool => Box::new(self.system().await?),
            Door::Anew => {
                let options = self.pool.connect_options();
                Box::new(Box::new(PgConnection::connect_with(&options).await?))
            }
        })
    }

    /// Begins a transaction in which only `workspace_id` exists.
    ///
    /// # Errors
    /// `Unavailable` if there is no connection within 5 s.
    pub async fn begin(&self, workspace_id: WorkspaceId) -> Result<TenantTx> {
        let statement = enter_statement("begin", workspace_id);
        let tx = begin(&self.pool, statement).await?;
        Ok(TenantTx::inside(tx, workspace_id, self.shared_replicas()))
    }

    /// Begins a transaction that sees one workspace, as it was at one moment, and writes nothing.
    ///
    /// # Errors
    /// `Unavailable` if there is no connection within 5 s.
    pub async fn begin_snapshot(&self, workspace_id: WorkspaceId) -> Result<TenantTx> {
        let snapshot = "begin isolation level repeatable read read only";
        let statement = enter_statement(snapshot, workspace_id);
        let tx = begin(&self.pool, statement).await?;
        Ok(TenantTx::inside(tx, workspace_id, None))
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ping(&self) -> Result<()> {
        self.system().await?.execute("select 1").await?;
        Ok(())
    }

    /// Connections open and idle right now.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes every connection. Those that a silent database was asked something on go with the
    /// process: nobody waits for them for longer than 5 s.
    pub async fn close(&self) {
        self.at_hand.clear();
        let closed = tokio::time::timeout(CLOSING_TAKES, self.pool.close()).await;
        if closed.is_err() {
            tracing::warn!("some connections to the database are still in use; leaving them");
        }
    }

    pub(crate) fn connections_at_hand(&self) -> &AtHand {
        &self.at_hand
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Takes notice of a write in a workspace outside of a [`TenantTx`].
    pub(crate) fn note_write(&self, workspace_id: WorkspaceId) {
        if let Some(replicas) = &self.replicas {
            replicas.note_write(workspace_id);
        }
    }

    pub(crate) fn replicas(&self) -> Option<&Replicas> {
        self.replicas.as_deref()
    }

    pub(crate) fn shared_replicas(&self) -> Option<Arc<Replicas>> {
        self.replicas.clone()
    }
}

impl TenantTx {
    /// Makes everything done in it last.
    ///
    /// # Errors
    /// `Unavailable`; nothing was kept then, unless the answer got lost on the way.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await?;
        if let Some(replicas) = self.replicas {
            replicas.note_write(self.workspace_id);
        }
        Ok(())
    }

    /// Wraps a transaction that has entered the workspace; see [`enter`].
    pub(crate) fn inside(
        tx: Transaction<'static, Postgres>,
        workspace_id: WorkspaceId,
        replicas: Option<Arc<Replicas>>,
    ) -> Self {
        Self {
            tx,
            workspace_id,
            replicas,
        }
    }

    /// The workspace it sees.
    pub fn workspace_id(&self) -> WorkspaceId {
        self.workspace_id
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

type Coming<'a, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + Send + 'a>>;

/// A connection of the pool.
///
/// The pool's future takes 14 KB. In a box it is no part of those that wait for it, which would be
/// as large and be moved as often as they are handed on.
fn acquire(pool: &PgPool) -> Coming<'static, SystemConnection> {
    Box::pin(pool.acquire())
}

/// Begins a transaction by a statement, in a box as [`acquire`].
pub(crate) fn begin(
    pool: &PgPool,
    statement: String,
) -> Coming<'_, Transaction<'static, Postgres>> {
    Box::pin(pool.begin_with(AssertSqlSafe(statement)))
}

/// A pool of connections, each clean when it is used; connects only when first used.
pub(crate) fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    let options = options
        .application_name("agentarea")
        // Every statement is prepared once; planning it again for each use costs more than a
        // plan made for the very values could save.
        .options([("plan_cache_mode", "force_generic_plan")])
        .statement_cache_capacity(256)
        .log_statements(tracing::log::LevelFilter::Off);
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(600))
        // The hooks below prove that a connection lives and is clean.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            // What was sent last may have been large.
            connection.shrink_buffers();
            Box::pin(end_leaked_transaction(connection))
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                // A connection that was just proven clean needs no second proof.
                match meta.idle_for < PROOF_LASTS {
                    true => Ok(true),
                    false => end_leaked_transaction(connection).await,
                }
            })
        })
        .connect_lazy_with(options)
}

fn options_of(url: &str, variable: &str) -> anyhow::Result<PgConnectOptions> {
    url.parse()
        .with_context(|| format!("{variable} holds something that is no postgres:// URL"))
}

/// Begins a transaction that sees one workspace, in one round trip.
pub(crate) fn enter_statement(begin: &str, workspace_id: WorkspaceId) -> String {
    // The id is a UUID, so the text cannot hold anything else.
    format!(
        "{begin}; set local role agentarea_tenant; set local app.workspace_id = '{workspace_id}'"
    )
}

/// Makes the rest of a transaction see one workspace only.
pub(crate) async fn enter(db: &mut PgConnection, workspace_id: WorkspaceId) -> Result<()> {
    let statement =
        format!("set local role agentarea_tenant; set local app.workspace_id = '{workspace_id}'");
    db.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Ends what a cancelled `begin` may have left open (sqlx issues 4385 and 4393): without this the
/// next user of the connection would write into a transaction that nobody commits, in a workspace
/// that is not theirs. A connection that cannot even do this is replaced.
///
/// It runs when a connection comes back, off the path of any request, and again before one is used
/// that was idle for a while. A lone `rollback` would put a warning into the server's log each time
/// there is nothing to end.
///
/// A connection that died without a word, or still does what a caller gave up waiting for, does not
/// do it in time either, and is replaced.
async fn end_leaked_transaction(connection: &mut PgConnection) -> sqlx::Result<bool> {
    match tokio::time::timeout(PROOF_TAKES, connection.execute("begin; rollback")).await {
        Ok(done) => done.map(|_| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
