//! Where Redis is: one server, a master that sentinels name, or a cluster.

use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::cluster_async::ClusterConnection;
use ::redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use ::redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, RedisResult};
use anyhow::{Context, bail};

use super::PATIENCE;

/// Time to reach a server and greet it. Nobody waits for this.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
const SENTINEL_PORT: u16 = 26_379;
const REDIS_PORT: u16 = 6_379;

/// A parsed `REDIS_URL`.
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub(super) enum Address {
    /// One server.
    Single(Client),
    /// Whatever server the sentinels call the master.
    Sentinel(Sentinel),
    /// A cluster, known by some of its nodes.
    Cluster(ClusterClient, Vec<Client>),
}

/// A master known by name.
pub(super) struct Sentinel {
    sentinels: Vec<ConnectionAddr>,
    service: String,
    database: i64,
    username: Option<String>,
    password: Option<String>,
}

/// An open connection for commands. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// `[user[:password]@]host[:port],…[/rest]`
struct Parts<'a> {
    username: Option<String>,
    password: Option<String>,
    hosts: Vec<(&'a str, Option<u16>)>,
    rest: &'a str,
}

impl Address {
    /// Reads `redis://`, `rediss://`, `redis+sentinel://` and `redis+cluster://` URLs.
    ///
    /// # Errors
    /// If the URL is malformed. Says nothing of the URL itself, which may hold a password.
    pub(super) fn parse(url: &str) -> anyhow::Result<Self> {
        let (scheme, place) = url.split_once("://").context("REDIS_URL is no URL")?;
        match scheme {
            "redis" | "rediss" => {
                let client = Client::open(url).map_err(|_| anyhow::anyhow!(MALFORMED))?;
                Ok(Self::Single(client))
            }
            "redis+sentinel" => Ok(Self::Sentinel(Sentinel::parse(place)?)),
            "redis+cluster" => cluster(place),
            _ => bail!(
                "REDIS_URL must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://"
            ),
        }
    }

    /// Opens a connection for commands.
    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        let client = match self {
            Self::Single(client) => client.clone(),
            Self::Sentinel(sentinel) => sentinel.master().await?,
            Self::Cluster(client, _) => {
                return Ok(Connection::Cluster(client.get_async_connection().await?));
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(Connection::Single(connection))
    }

    /// Opens a connection that hears messages. In a cluster any node hears them all.
    pub(super) async fn listen(&self) -> RedisResult<PubSub> {
        match self {
            Self::Single(client) => client.get_async_pubsub().await,
            Self::Sentinel(sentinel) => sentinel.master().await?.get_async_pubsub().await,
            Self::Cluster(_, nodes) => {
                let mut last = None;
                for node in nodes {
                    let listening = tokio::time::timeout(PATIENCE, node.get_async_pubsub()).await;
                    match listening {
                        Ok(Ok(listening)) => return Ok(listening),
                        Ok(Err(error)) => last = Some(error),
                        Err(_) => {}
                    }
                }
                let nobody = || (::redis::ErrorKind::Io, "no node of the cluster answers").into();
                Err(last.unwrap_or_else(nobody))
            }
        }
    }

    /// Whether the answer to `PUBLISH` counts everybody who heard it.
    pub(super) fn counts_listeners(&self) -> bool {
        !matches!(self, Self::Cluster(..))
    }
}

impl Sentinel {
    fn parse(place: &str) -> anyhow::Result<Self> {
        let parts = Parts::parse(place)?;
        let (service, database) = parts.rest.split_once('/').unwrap_or((parts.rest, "0"));
        if service.is_empty() {
            bail!("REDIS_URL must name the master: redis+sentinel://host:port/NAME");
        }
        Ok(Self {
            sentinels: parts
                .hosts
                .iter()
                .map(|(host, port)| {
                    ConnectionAddr::Tcp((*host).to_owned(), port.unwrap_or(SENTINEL_PORT))
                })
                .collect(),
            service: service.to_owned(),
            database: database.parse().context(MALFORMED)?,
            username: parts.username,
            password: parts.password,
        })
    }

    async fn master(&self) -> RedisResult<Client> {
        let sentinels = self.sentinels.clone();
        let master = SentinelServerType::Master;
        let mut builder = SentinelClientBuilder::new(sentinels, &self.service, master)?
            .set_client_to_redis_db(self.database);
        if let Some(username) = &self.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        builder.build()?.async_get_client().await
    }
}

impl Connection {
    /// Sends one command.
    pub(super) async fn send<T: FromRedisValue>(&mut self, cmd: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => cmd.query_async(connection).await,
            Self::Cluster(connection) => cmd.query_async(connection).await,
        }
    }

    /// Sends commands side by side and gives their answers in order.
    pub(super) async fn send_all<T: FromRedisValue>(&self, cmds: &[Cmd]) -> RedisResult<Vec<T>> {
        match self {
            Self::Single(connection) => {
                let mut pipe = ::redis::pipe();
                for cmd in cmds {
                    pipe.add_command(cmd.clone());
                }
                pipe.query_async(&mut connection.clone()).await
            }
            // Each may be for another node.
            Self::Cluster(connection) => {
                futures::future::try_join_all(cmds.iter().map(|cmd| async move {
                    let mut connection = connection.clone();
                    let value = connection.req_packed_command(cmd).await?;
                    Ok(T::from_redis_value(value.extract_error()?)?)
                }))
                .await
            }
        }
    }
}

impl<'a> Parts<'a> {
    fn parse(place: &'a str) -> anyhow::Result<Self> {
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, place),
        };
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, "")))
        {
            Some((username, password)) => (decode(username)?, decode(password)?),
            None => (None, None),
        };
        let (hosts, rest) = place.split_once('/').unwrap_or((place, ""));
        let hosts = hosts
            .split(',')
            .map(|host| match host.rsplit_once(':') {
                Some((host, port)) => Ok((host, Some(port.parse().context(MALFORMED)?))),
                None => Ok((host, None)),
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        if hosts.iter().any(|(host, _)| host.is_empty()) {
            bail!(MALFORMED);
        }
        Ok(Self {
            username,
            password,
            hosts,
            rest,
        })
    }
}

const MALFORMED: &str = "REDIS_URL is malformed";

fn cluster(place: &str) -> anyhow::Result<Address> {
    let parts = Parts::parse(place)?;
    let addresses = || {
        parts
            .hosts
            .iter()
            .map(|(host, port)| format!("redis://{host}:{}", port.unwrap_or(REDIS_PORT)))
    };
    let mut builder = ClusterClientBuilder::new(addresses())
        .connection_timeout(CONNECT_PATIENCE)
        .response_timeout(PATIENCE)
        .retries(1);
    if let Some(username) = &parts.username {
        builder = builder.username(username);
    }
    if let Some(password) = &parts.password {
        builder = builder.password(password);
    }
    let client = builder.build().map_err(|_| anyhow::anyhow!(MALFORMED))?;
    let nodes = addresses()
        .map(|address| {
            use ::redis::IntoConnectionInfo;
            let info = address.into_connection_info()?;
            let mut server = info.redis_settings().clone();
            if let Some(username) = &parts.username {
                server = server.set_username(username);
            }
            if let Some(password) = &parts.password {
                server = server.set_password(password);
            }
            Client::open(info.set_redis_settings(server))
        })
        .collect::<RedisResult<_>>()
        .map_err(|_| anyhow::anyhow!(MALFORMED))?;
    Ok(Address::Cluster(client, nodes))
}

/// A part of a URL without its percent signs; `None` if it is empty.
fn decode(text: &str) -> anyhow::Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = after.get(..2).and_then(|hex| str::from_utf8(hex).ok());
            let digits = digits.context(MALFORMED)?;
            bytes.push(u8::from_str_radix(digits, 16).context(MALFORMED)?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
        }
    }
    Ok(Some(String::from_utf8(bytes).context(MALFORMED)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_url_is_understood() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for url in [
            "redis://127.0.0.1:6379/1",
            "rediss://user:p%40ss@redis.example.com",
            "redis+sentinel://:secret@a:26379,b/mymaster/2",
            "redis+cluster://user:secret@a:7000,b:7001,c",
        ] {
            assert!(Address::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn wrong_urls_are_refused_without_their_password() {
        for url in [
            "127.0.0.1:6379",
            "http://:hunter2@a",
            "redis+sentinel://:hunter2@a:26379",
            "redis+cluster://:hunter2@a:port",
            "redis+cluster://:hunter2@",
        ] {
            let Err(error) = Address::parse(url) else {
                panic!("{url} was accepted");
            };
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }

    #[test]
    fn parts_of_a_sentinel_url_are_found() {
        let sentinel = Sentinel::parse("us%2Fer:p%40ss@a:1,b/main/3").expect("well formed");

        assert_eq!(sentinel.service, "main");
        assert_eq!(sentinel.database, 3);
        assert_eq!(sentinel.username.as_deref(), Some("us/er"));
        assert_eq!(sentinel.password.as_deref(), Some("p@ss"));
        assert_eq!(
            sentinel.sentinels,
            [
                ConnectionAddr::Tcp("a".to_owned(), 1),
                ConnectionAddr::Tcp("b".to_owned(), SENTINEL_PORT)
            ]
        );
    }
}
