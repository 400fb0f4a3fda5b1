//! A fresh PostgreSQL database for each test, on a private server of the test process.

mod binaries;
mod cluster;
mod crashable;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use cluster::Cluster;
pub use crashable::CrashableDb;

/// The server of this process, started by the first test that needs it.
static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

/// An empty database that no other test sees. It goes with the process, not before.
#[derive(Clone, Debug)]
pub struct TestDb {
    name: String,
    owner: String,
    socket_dir: PathBuf,
}

impl TestDb {
    /// Makes a database that belongs to the superuser.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; says how to install it.
    pub async fn create() -> Self {
        Self::try_create(None).await.expect("a test database")
    }

    /// Makes a database that belongs to an ordinary role, which may make roles and databases but
    /// is bound by row-level security. [`TestDb::url`] signs in as that role.
    ///
    /// # Panics
    /// As [`TestDb::create`].
    pub async fn create_unprivileged() -> Self {
        Self::try_create(Some("login createrole createdb nosuperuser nobypassrls"))
            .await
            .expect("a test database")
    }

    /// Address of the database, through the server's Unix socket, as its owner.
    pub fn url(&self) -> String {
        self.url_as(&self.owner)
    }

    /// Address of the same database for the superuser, to look behind row-level security.
    pub fn superuser_url(&self) -> String {
        self.url_as("postgres")
    }

    /// Address of the same database through a proxy started by [`crate::Proxy::to_database`].
    pub fn url_through(&self, proxy: &crate::Proxy) -> String {
        let Self { name, owner, .. } = self;
        format!(
            "postgres://{owner}@{}/{name}?sslmode=disable",
            proxy.address()
        )
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the role that owns it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The server's Unix socket.
    pub fn socket_path(&self) -> PathBuf {
        self.socket_dir.join(".s.PGSQL.5432")
    }

    fn url_as(&self, role: &str) -> String {
        let dir = self.socket_dir.display();
        format!("postgres://{role}@localhost/{}?host={dir}", self.name)
    }

    async fn try_create(role: Option<&str>) -> anyhow::Result<Self> {
        let cluster = CLUSTER.get_or_try_init(Cluster::start).await?;
        let number = LAST_NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("test_{number}");
        let owner = role.map_or("postgres".to_owned(), |_| format!("owner_{number}"));
        let mut db = PgConnection::connect(&cluster.url()).await?;
        if let Some(role) = role {
            let sql = format!("create role {owner} {role}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await?;
        }
        let sql = format!("create database {name} owner {owner}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut db)
            .await
            .with_context(|| format!("creating {name}"))?;
        db.close().await?;
        Ok(Self {
            name,
            owner,
            socket_dir: cluster.dir().to_owned(),
        })
    }
}
