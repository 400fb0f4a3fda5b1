//! A cluster of three masters, each with a third of the keys.

use super::TestRedis;
use super::server::{Kind, eventually};
use super::wire::Reply;
use crate::free_port;

/// Keys are spread over so many slots.
const SLOTS: usize = 16_384;
const NODES: usize = 3;

/// Redis spread over several servers.
#[derive(Debug)]
pub struct TestCluster {
    nodes: Vec<TestRedis>,
}

impl TestCluster {
    /// Starts the nodes and waits until they are a cluster.
    ///
    /// # Panics
    /// If Redis is not installed, or they do not come together within 30 s.
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        let mut bus_ports = Vec::new();
        for _ in 0..NODES {
            let bus_port = free_port();
            let settings = vec![
                "cluster-enabled yes".to_owned(),
                "cluster-node-timeout 1000".to_owned(),
                format!("cluster-port {bus_port}"),
            ];
            nodes.push(TestRedis::start_as(Kind::Data, settings).await);
            bus_ports.push(bus_port.to_string());
        }
        for (number, (node, bus_port)) in nodes.iter().zip(&bus_ports).enumerate() {
            let first = (number * SLOTS / NODES).to_string();
            let last = ((number + 1) * SLOTS / NODES - 1).to_string();
            let port = node.port().to_string();
            let taken = node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, bus_port];
            let met = nodes[0].ask(&meet).await;
            assert_eq!([taken.text(), met.text()], ["OK", "OK"]);
        }
        let cluster = Self { nodes };
        cluster.wait_until_whole().await;
        cluster
    }

    /// Address for `REDIS_URL`.
    pub fn url(&self) -> String {
        let nodes = self.nodes.iter();
        let hosts: Vec<_> = nodes
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The nodes, to be broken.
    pub fn nodes(&mut self) -> &mut [TestRedis] {
        &mut self.nodes
    }

    /// Keys of all nodes that match a pattern.
    pub async fn keys(&self, pattern: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for node in &self.nodes {
            keys.extend(node.keys(pattern).await);
        }
        keys
    }

    /// Waits until all keys can be read and written.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn wait_until_whole(&self) {
        for node in &self.nodes {
            eventually("all nodes know each other", async || {
                let Reply::Text(state) = node.ask(&["CLUSTER", "INFO"]).await else {
                    return false;
                };
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            })
            .await;
        }
    }
}
