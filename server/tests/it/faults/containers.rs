//! F7: containers are made and killed by two processes, which are killed themselves. None is left
//! over, no server has two, and what is not ours is not touched.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::rounds;
use crate::containers::site::{IMAGE, Site, call};
use crate::support::{TestApp, eventually};

/// Servers that stay; more come and go.
const KEPT: usize = 2;
/// Until the leases of the dead have run out and everything is as desired.
const SETTLED: Duration = Duration::from_secs(60);
const FOREIGN: &str = "somebody-elses";

/// Two processes and who watches them.
struct Bench {
    site: Site,
    other: TestApp,
}

impl Bench {
    /// Asks one of the processes, which may be killed meanwhile.
    fn ask(
        &self,
        of_other: bool,
        method: Method,
        path: &str,
        body: Value,
    ) -> tokio::task::JoinHandle<()> {
        let app = if of_other {
            &self.other
        } else {
            &self.site.app
        };
        let url = app.url(&format!("/api/v1{path}"));
        let request = app.client.request(method, url).bearer_auth(&app.key);
        let request = request.json(&body).timeout(Duration::from_secs(3));
        tokio::spawn(async move {
            // Whatever comes of it: what counts is where everything ends.
            let _ = request.send().await;
        })
    }

    async fn kill(&mut self, other: bool) {
        let app = if other {
            &mut self.other
        } else {
            &mut self.site.app
        };
        app.program().kill();
        app.program().start().await;
    }

    /// The servers there are, by id.
    async fn servers(&self) -> HashMap<String, Value> {
        let body = self.other.get("/mcp-servers?limit=100").await.body;
        let items = body["items"].as_array().expect("servers").iter();
        items
            .map(|it| (it["id"].as_str().expect("an id").to_owned(), it.clone()))
            .collect()
    }
}

fn source() -> Value {
    json!({"type": "container", "image": IMAGE, "resources": {"memory_mb": 32, "pids": 32}})
}

/// Servers with their containers, those that run or are about to.
fn by_server(containers: &[Value]) -> HashMap<String, usize> {
    let mut count = HashMap::new();
    for container in containers {
        let labels = &container["Labels"];
        if labels["ai.agentarea.part"] == "server" {
            let id = labels["ai.agentarea.server"].as_str().unwrap_or_default();
            *count.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_leave_no_container_over_and_none_twice() {
    let quota = [
        ("AGENTAREA_CONTAINERS__SERVERS_PER_WORKSPACE", "1000"),
        ("AGENTAREA_CONTAINERS__MEMORY_MB_PER_WORKSPACE", "1000000"),
        ("AGENTAREA_CONTAINERS__CPU_MILLIS_PER_WORKSPACE", "1000000"),
    ];
    let Some(site) = Site::start(&quota).await else {
        return;
    };
    site.engine.create_foreign(FOREIGN, IMAGE).await;
    let other = site.beside(&quota).await;
    let mut bench = Bench { site, other };
    let mut kept = Vec::new();
    for number in 0..KEPT {
        kept.push(
            bench
                .site
                .add(&format!("kept{number}"), json!({}))
                .await
                .created(),
        );
    }
    let stop = Arc::new(AtomicBool::new(false));
    let looks = Arc::new(AtomicUsize::new(0));
    let engine = bench.site.engine.observer();
    let watching = {
        let (stop, looks) = (stop.clone(), looks.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let count = by_server(&engine.containers().await);
                assert!(count.values().all(|count| *count < 2), "doubles: {count:?}");
                looks.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        })
    };

    // Nobody waits for these before the end.
    let mut dropped = Vec::new();
    for round in 0..rounds(20, 200) {
        let is_other = round % 2 == 1;
        let name = format!("round{round}");
        let made = bench.ask(
            is_other,
            Method::POST,
            "/mcp-servers",
            json!({"name": name, "source": source()}),
        );
        // Another moment each time: before the request is read, while the image is looked up, while
        // the container starts, after it has.
        tokio::time::sleep(Duration::from_millis(23 * (round as u64 * 7 % 40))).await;
        let id = &kept[round % KEPT];
        match round % 4 {
            0 => bench.kill(is_other).await,
            1 => {
                let path = format!("/mcp-servers/{id}/restart");
                let restarting = bench.ask(!is_other, Method::POST, &path, json!({}));
                tokio::time::sleep(Duration::from_millis(round as u64 * 11 % 300)).await;
                bench.kill(!is_other).await;
                let _ = restarting.await;
            }
            2 => {
                for (id, _) in by_server(&bench.site.engine.containers().await)
                    .iter()
                    .take(1)
                {
                    let path = format!(
                        "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22ai.agentarea.server%3D{id}%22%5D%7D"
                    );
                    let (_, found) = bench.site.engine.call("GET", &path).await;
                    if let Some(container) = found[0]["Id"].as_str() {
                        let path = format!("/containers/{container}/kill");
                        bench.site.engine.call("POST", &path).await;
                    }
                }
            }
            _ => {
                let path = format!("/mcp-servers/{id}/stop");
                let _ = bench.ask(is_other, Method::POST, &path, json!({})).await;
                let path = format!("/mcp-servers/{id}/restart");
                dropped.push(bench.ask(!is_other, Method::POST, &path, json!({})));
            }
        }
        let _ = made.await;
        // Those that came go again, through the other process.
        for (id, server) in bench.servers().await {
            if !kept.contains(&id) && server["name"] != name.as_str() {
                let path = format!("/mcp-servers/{id}");
                dropped.push(bench.ask(!is_other, Method::DELETE, &path, json!({})));
            }
        }
    }

    for asked in dropped {
        let _ = asked.await;
    }
    // Whatever was going on, what is desired comes to be, within a time, by itself.
    for id in &kept {
        let path = format!("/mcp-servers/{id}/restart");
        bench.site.app.post(&path, json!({})).await;
    }
    for id in bench.servers().await.into_keys() {
        if !kept.contains(&id) {
            bench.other.delete(&format!("/mcp-servers/{id}")).await;
        }
    }
    let begun = Instant::now();
    loop {
        let ours = by_server(&bench.site.engine.containers().await);
        let mut ids: Vec<&String> = ours.keys().collect();
        ids.sort();
        let mut wanted: Vec<&String> = kept.iter().collect();
        wanted.sort();
        if ids == wanted {
            break;
        }
        assert!(begun.elapsed() < SETTLED, "{ours:?} instead of {kept:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for number in 0..KEPT {
        for app in [&bench.site.app, &bench.other] {
            let tool = format!("kept{number}__echo");
            let answers =
                eventually(async || call(app, &tool, "here").await.as_deref() == Ok("here"));
            assert!(answers.await, "kept{number}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    watching.await.expect("no server had two containers");
    assert!(
        looks.load(Ordering::Relaxed) > 20,
        "it was hardly looked at"
    );
    for id in &kept {
        bench.site.app.delete(&format!("/mcp-servers/{id}")).await;
    }
    let begun = Instant::now();
    loop {
        let left = bench.site.engine.containers().await;
        if left.len() == 1 {
            assert_eq!(left[0]["Names"][0], format!("/{FOREIGN}"));
            break;
        }
        assert!(begun.elapsed() < SETTLED, "left over: {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
