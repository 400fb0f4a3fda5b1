//! A master with a replica, and three sentinels that watch over them.

use super::TestRedis;
use super::server::{Kind, eventually};
use super::wire::Reply;

const SENTINELS: usize = 3;
/// What the sentinels call the master.
const NAME: &str = "main";

/// Redis that gets itself another master when the first is gone.
#[derive(Debug)]
pub struct TestSentinels {
    /// The master, and what is ready to become it.
    servers: [TestRedis; 2],
    sentinels: Vec<TestRedis>,
}

impl TestSentinels {
    /// Starts all of them and waits until they know each other.
    ///
    /// # Panics
    /// If Redis is not installed, or they do not come together within 30 s.
    pub async fn start() -> Self {
        let master = TestRedis::start().await;
        let port = master.port();
        let follows = vec![format!("replicaof 127.0.0.1 {port}")];
        let replica = TestRedis::start_as(Kind::Data, follows).await;
        // Sentinels ask a master for its replicas at once, and then only every ten seconds.
        eventually("the replica follows its master", async || {
            let state = replica.ask(&["INFO", "replication"]).await;
            state.text().contains("master_link_status:up")
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let settings = vec![
                format!("sentinel monitor {NAME} 127.0.0.1 {port} 2"),
                format!("sentinel down-after-milliseconds {NAME} 500"),
                format!("sentinel failover-timeout {NAME} 3000"),
            ];
            sentinels.push(TestRedis::start_as(Kind::Sentinel, settings).await);
        }
        let all = Self {
            servers: [master, replica],
            sentinels,
        };
        for sentinel in &all.sentinels {
            eventually("the sentinels know all servers", async || {
                let others = sentinel.ask(&["SENTINEL", "SENTINELS", NAME]).await;
                let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", NAME]).await;
                others.count() == SENTINELS - 1 && replicas.count() == 1
            })
            .await;
        }
        all
    }

    /// Address for `REDIS_URL`.
    pub fn url(&self) -> String {
        let hosts = self.sentinels.iter();
        let hosts: Vec<_> = hosts
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port()))
            .collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// The server that the sentinels call the master.
    pub async fn master(&self) -> &TestRedis {
        let port = self.master_port().await;
        let mut servers = self.servers.iter();
        servers
            .find(|server| server.port() == port)
            .expect("one of the servers")
    }

    /// The server that was the master at first, to be broken.
    pub fn first(&mut self) -> &mut TestRedis {
        &mut self.servers[0]
    }

    /// The sentinel that is asked first, to be broken.
    pub fn first_sentinel(&mut self) -> &mut TestRedis {
        &mut self.sentinels[0]
    }

    /// Waits until the other server is the master.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn wait_for_fail_over(&self) {
        let next = &self.servers[1];
        eventually("another server is the master", async || {
            let role = next.ask(&["ROLE"]).await;
            role.first().text() == "master" && self.master_port().await == next.port()
        })
        .await;
    }

    async fn master_port(&self) -> u16 {
        let last = self.sentinels.last().expect("a sentinel");
        let address = last.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let Reply::List(mut address) = address.await else {
            panic!("the sentinels know no {NAME}");
        };
        let port = address.pop().expect("a port").text();
        port.parse().expect("a number")
    }
}
