//! Packages and images from registries of the test's own.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::package_registry::{ENDLESS, READY, UNBUILT, VERSION, WITH_SCRIPT};
use testkit::{ImageRegistry, PackageRegistry};

use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(60);
const LANGUAGES: &str = "agentarea-test/languages:1";

#[tokio::test]
async fn packages_come_from_the_mirrors_and_nothing_of_them_runs_when_installed() {
    let mirror = PackageRegistry::start().await;
    let Some(site) = beside(&mirror).await else {
        return;
    };
    let add = async |name: &str, registry: &str, package: &str| {
        let input = server(name, registry, package);
        site.app.post("/mcp-servers", input).await.created()
    };

    let scripted = add("scripted", "npm", WITH_SCRIPT).await;
    let ready = add("ready", "pypi", READY).await;
    let unbuilt = add("unbuilt", "pypi", UNBUILT).await;

    site.wait_for_long(&scripted, "ready").await;
    site.wait_for_long(&ready, "ready").await;
    let told = site.call("scripted__told", "").await;
    assert_eq!(told.as_deref(), Ok("no script ran"));
    let told = site.call("ready__told", "").await;
    assert_eq!(told.as_deref(), Ok("from the mirror"));
    let failed = site.wait_for_long(&unbuilt, "failed").await;
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(reason.contains(UNBUILT), "{reason}");
    let asked = mirror.asked();
    let is_asked = |part: &str| asked.iter().any(|path| path.contains(part));
    assert!(is_asked("/simple/unbuilt-server/"), "{asked:?}");
    assert!(!is_asked("unbuilt_server-1.0.0.tar.gz"), "{asked:?}");
}

#[tokio::test]
async fn packages_of_one_workspace_do_not_hold_up_those_of_another() {
    let mirror = PackageRegistry::start().await;
    let Some(site) = beside(&mirror).await else {
        return;
    };
    site.app.create_user("grace@globex.example", "globex");
    let key = site.app.create_key("grace@globex.example", "globex");
    let add = async |key: &str, input: Value| {
        let request = site.app.client.post(site.app.url("/api/v1/mcp-servers"));
        let sent = request.bearer_auth(key).json(&input).send().await;
        assert_eq!(sent.expect("an answer").status(), StatusCode::CREATED);
    };
    let endless = |n: usize| {
        let name = format!("{ENDLESS}-{n}");
        server(&name, "npm", &name)
    };
    let begun = Instant::now();
    // More than are installed at once.
    let adding = (0..4).map(|n| add(&key, endless(n)));
    futures::future::join_all(adding).await;
    let asked = || {
        mirror
            .asked()
            .iter()
            .filter(|path| path.contains(ENDLESS))
            .count()
    };
    while asked() == 0 {
        assert!(begun.elapsed() < PATIENCE, "none is being installed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let input = server("ready", "pypi", READY);
    let id = site.app.post("/mcp-servers", input).await.created();

    site.wait_for(&id, "ready").await;
    let told = site.call("ready__told", "").await;
    assert_eq!(told.as_deref(), Ok("from the mirror"));
}

/// A site whose packages come from a mirror.
async fn beside(mirror: &PackageRegistry) -> Option<Site> {
    let (npm, pypi) = (mirror.npm_url(), mirror.pypi_url());
    let settings = [
        ("AGENTAREA_ALLOW_PRIVATE_HOSTS", mirror.authority()),
        ("AGENTAREA_CONTAINERS__NPM_REGISTRY", &npm),
        ("AGENTAREA_CONTAINERS__PYPI_INDEX", &pypi),
        ("AGENTAREA_CONTAINERS__NODE_IMAGE", LANGUAGES),
        ("AGENTAREA_CONTAINERS__PYTHON_IMAGE", LANGUAGES),
    ];
    let site = Site::start(&settings).await?;
    site.engine.import_languages(LANGUAGES).await;
    Some(site)
}

fn server(name: &str, registry: &str, package: &str) -> Value {
    let source = json!({
        "type": "package", "registry": registry, "name": package, "version": VERSION,
        "resources": {"memory_mb": 256, "pids": 64},
    });
    json!({"name": name, "source": source})
}

#[tokio::test]
async fn image_is_fetched_again_by_its_digest_although_its_tag_has_moved() {
    let registry = ImageRegistry::start().await;
    let name = format!("{}/acme/tools", registry.authority());
    let digest = registry.push_tool_server("acme/tools", "1", "COLOUR=first");
    let settings = [
        ("AGENTAREA_ALLOW_PRIVATE_HOSTS", registry.authority()),
        ("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "1"),
    ];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let image = json!({"image": format!("{name}:1")});

    let id = site.add("tools", image).await.created();
    let before = site.call("tools__environment", "COLOUR").await;
    let asleep = site.wait_for(&id, "asleep").await;
    site.wait_for_no_container().await;
    let moved = registry.push_tool_server("acme/tools", "1", "COLOUR=second");
    let pinned = asleep["source"]["pinned_image"].as_str().expect("an id");
    let removed = format!("/images/{pinned}?force=1");
    assert_eq!(site.engine.call("DELETE", &removed).await.0, 200);
    let after = site.call("tools__environment", "COLOUR").await;

    assert_ne!(digest, moved);
    assert_eq!(before.as_deref(), Ok("first"));
    let expected = format!("{name}@{digest}");
    assert_eq!(asleep["source"]["pinned_digest"], expected, "{asleep}");
    assert_eq!(after.as_deref(), Ok("first"));
}
