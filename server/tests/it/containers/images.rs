//! Images that were fetched for servers which are gone.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::ImageRegistry;

use super::site::{IMAGE, Site};
use crate::support::client;

const PATIENCE: Duration = Duration::from_secs(60);

/// A site with two images of a registry: one has a server, which sleeps, the other had one.
struct Tidied {
    site: Site,
    used: String,
    unused: String,
    _registry: ImageRegistry,
}

impl Tidied {
    async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let registry = ImageRegistry::start().await;
        let mut all = vec![
            ("AGENTAREA_ALLOW_PRIVATE_HOSTS", registry.authority()),
            ("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "1"),
        ];
        all.extend(settings);
        let site = Site::start(&all).await?;
        for name in ["used", "unused"] {
            let image = format!("acme/{name}");
            registry.push_tool_server(&image, "1", &format!("COLOUR={name}"));
        }
        let name = |name: &str| format!("{}/acme/{name}:1", registry.authority());
        let (used, unused) = (name("used"), name("unused"));
        let kept = site.add("kept", json!({"image": used})).await.created();
        let gone = site.add("gone", json!({"image": unused})).await.created();
        site.app.delete(&format!("/mcp-servers/{gone}")).await;
        site.wait_for(&kept, "asleep").await;
        site.wait_for_no_container().await;
        Some(Self {
            site,
            used,
            unused,
            _registry: registry,
        })
    }

    /// Lets time pass for every image, and the platform begin anew.
    async fn after(&mut self, time: &str) {
        let mut database = self.site.database().await;
        let aged = format!("update container_images set used_at = used_at - interval '{time}'");
        let aged = sqlx::query(sqlx::AssertSqlSafe(aged));
        let aged = aged.execute(&mut database).await.expect("aged");
        assert_eq!(aged.rows_affected(), 2, "both were noted when found");
        assert!(self.site.app.program().stop(), "it ends well");
        self.site.app.program().start().await;
    }

    /// Waits until the image's name is gone, and the mark that goes after it.
    async fn wait_until_removed(&self) {
        let begun = Instant::now();
        loop {
            let names = self.names().await;
            let marks = names.iter().filter(|name| name.contains("/fetched/"));
            // That of the image in use and the relay's.
            if !names.contains(&self.unused) && marks.count() == 2 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{names:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn names(&self) -> Vec<String> {
        self.site.engine.image_names().await
    }

    async fn metrics(&self) -> String {
        let asked = client().get(self.site.app.url("/metrics")).send().await;
        asked.expect("an answer").text().await.expect("text")
    }
}

#[tokio::test]
async fn image_without_a_server_goes_after_its_days_and_others_stay() {
    let Some(mut tidied) = Tidied::start(&[]).await else {
        return;
    };

    tidied.after("15 days").await;
    tidied.wait_until_removed().await;

    let names = tidied.names().await;
    assert!(names.contains(&tidied.used), "{names:?}");
    assert!(names.iter().any(|name| name == IMAGE), "{names:?}");
    let answer = tidied.site.call("kept__environment", "COLOUR").await;
    assert_eq!(answer.as_deref(), Ok("used"));
    let begun = Instant::now();
    let removed = "agentarea_container_images_removed_total 1";
    while !tidied.metrics().await.contains(removed) {
        assert!(begun.elapsed() < PATIENCE, "{}", tidied.metrics().await);
    }
    let metrics = tidied.metrics().await;
    let used = r#"agentarea_container_images{use="used"} 2"#;
    assert!(metrics.contains(used), "{metrics}");
}

#[tokio::test]
async fn image_without_a_server_goes_sooner_where_there_is_too_much() {
    let settings = [("AGENTAREA_CONTAINERS__IMAGES_MIB", "1")];
    let Some(mut tidied) = Tidied::start(&settings).await else {
        return;
    };

    tidied.after("2 hours").await;
    tidied.wait_until_removed().await;

    let names = tidied.names().await;
    assert!(names.contains(&tidied.used), "{names:?}");
}
