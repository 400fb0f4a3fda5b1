//! Tool servers in containers, from the request to the answer of a tool.

mod calls;
mod catalog;
mod faults;
mod fleet;
mod http;
mod images;
mod mirrors;
mod packages;
mod recovering;
pub mod site;

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use testkit::TestDb;

use crate::support::{Program, TestApp};
use site::{IMAGE, Site};

#[tokio::test]
async fn image_becomes_a_server_whose_tools_answer() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };

    let made = site
        .add(
            "tools",
            json!({"env": {"COLOUR": "green"}, "secrets": {"TOKEN": "canary-77"}}),
        )
        .await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["state"], "ready", "{}", made.body);
    assert_eq!(made.body["title"], "testkit");
    assert_eq!(made.body["source"]["secret_names"], json!(["TOKEN"]));
    assert!(!made.body.to_string().contains("canary-77"));
    let id = made.created();
    assert_eq!(
        site.call("tools__echo", "hello").await.as_deref(),
        Ok("hello")
    );
    assert_eq!(
        site.call("tools__environment", "COLOUR").await.as_deref(),
        Ok("green")
    );
    assert_eq!(
        site.call("tools__environment", "TOKEN").await.as_deref(),
        Ok("canary-77")
    );
    let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
    assert_eq!(log["items"][0]["text"], "tool server is listening");
    let report = site
        .app
        .get(&format!("/mcp-servers/{id}/container"))
        .await
        .body;
    assert_eq!(report["is_running"], true);
    assert!(
        report["memory_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0),
        "{report}"
    );
    let shown = site.app.get(&format!("/mcp-servers/{id}")).await.body;
    assert!(
        shown["source"]["pinned_image"]
            .as_str()
            .is_some_and(|id| id.starts_with("sha256:"))
    );

    let path = format!("/mcp-servers/{id}");
    assert_eq!(site.app.delete(&path).await.status, StatusCode::NO_CONTENT);
    site.wait_for_no_container().await;
}

#[tokio::test]
async fn stopped_server_stays_so_until_it_is_restarted() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();

    let stopped = site
        .app
        .post(&format!("/mcp-servers/{id}/stop"), json!({}))
        .await;

    assert_eq!(stopped.body["state"], "stopped", "{}", stopped.body);
    site.wait_for_no_container().await;
    let refused = site
        .call("tools__echo", "hello")
        .await
        .expect_err("refused");
    assert!(refused.contains("restart"), "{refused}");
    assert_eq!(site.engine.containers().await.len(), 0);
    let restarted = site
        .app
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;
    assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    assert_eq!(
        site.call("tools__echo", "hello").await.as_deref(),
        Ok("hello")
    );
}

#[tokio::test]
async fn crash_is_shown_with_its_log_and_a_loop_of_them_ends() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();

    site.end("tools", 3).await;

    let failed = site.wait_for(&id, "failed").await;
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("exit code 9") && reason.contains("listening"),
        "{reason}"
    );
    // Whoever calls in the pause waits for its end.
    let back = site.call("tools__echo", "back").await;
    assert_eq!(back.as_deref(), Ok("back"));

    // It comes back although nobody calls.
    site.call("tools__end", "9").await.expect_err("it ends");
    site.wait_for(&id, "failed").await;
    site.wait_for(&id, "ready").await;
    let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
    assert!(log.to_string().contains("exit code 9"), "{log}");

    // Each time it is started again, after a pause that grows, until that is a loop.
    let begun = Instant::now();
    let refused = loop {
        let error = site.call("tools__end", "9").await.expect_err("it ends");
        if error.contains("is not started again by itself") {
            break error;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    };
    assert!(refused.contains("5 times"), "{refused}");
    site.wait_for(&id, "failed").await;
    site.wait_for_no_container().await;
    let restart = format!("/mcp-servers/{id}/restart");
    let restarted = site.app.post(&restart, json!({})).await.body;
    assert_eq!(restarted["state"], "ready", "{restarted}");

    let crashing = site.add("crashing", json!({"command": ["crash"]})).await;
    assert_eq!(crashing.status, StatusCode::CREATED);
    assert_eq!(crashing.body["state"], "failed");
    let reason = crashing.body["reason"]
        .as_str()
        .expect("a reason")
        .to_owned();
    assert!(reason.contains("configuration file not found"), "{reason}");
}

#[tokio::test]
async fn killed_platform_leaves_no_container_behind_and_goes_on() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let before = site.engine.servers().await;
    assert_eq!(before.len(), 1);

    site.app.program().kill();
    site.app.program().start().await;

    assert_eq!(
        site.call("tools__echo", "hello").await.as_deref(),
        Ok("hello")
    );
    // The dead process is believed to live for a while.
    let begun = Instant::now();
    let after = loop {
        let containers = site.engine.servers().await;
        if containers.len() == 1 {
            break containers;
        }
        assert!(begun.elapsed() < Duration::from_secs(100), "{containers:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_ne!(after[0]["Id"], before[0]["Id"]);
    site.wait_for(&id, "ready").await;
}

#[tokio::test]
async fn quota_is_kept_before_anything_is_made() {
    let settings = [("AGENTAREA_CONTAINERS__SERVERS_PER_WORKSPACE", "1")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let id = site.add("first", json!({})).await.created();

    let second = site.add("second", json!({})).await;
    let same = site
        .app
        .patch(
            &format!("/mcp-servers/{id}"),
            json!({"source": {"type": "container", "image": IMAGE}}),
        )
        .await;

    assert_eq!(
        second.wrong_fields(),
        ["source.resources"],
        "{}",
        second.body
    );
    assert_eq!(same.status, StatusCode::OK, "{}", same.body);
    assert_eq!(same.body["state"], "ready", "{}", same.body);
}

#[tokio::test]
async fn nothing_is_run_on_the_platforms_machine() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let trace = site.app.program().data_dir.path().join("trace");
    let mut strace = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=execve", "-o"])
        .arg(&trace)
        .args(["-p", &site.app.program().id().to_string()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("start strace");
    let begun = Instant::now();
    while !trace.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "strace does not attach"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let bad = "$(touch /tmp/pwned); `touch /tmp/pwned`";
    site.add(
        "tools",
        json!({"command": [bad], "env": {"A": bad}, "secrets": {"B": bad}}),
    )
    .await
    .created();
    for source in [
        json!({"type": "package", "registry": "npm", "name": "left-pad", "version": "1.3.0"}),
        json!({"type": "catalog", "key": "time", "values": {}}),
    ] {
        let name = source["type"].as_str().expect("a type").to_owned();
        let input = json!({"name": name, "source": source});
        site.app.post("/mcp-servers", input).await.created();
    }
    for (name, version) in [("--global", "1.0.0"), ("x", "latest"), ("x", "1;id")] {
        let source =
            json!({"type": "package", "registry": "npm", "name": name, "version": version});
        let refused = site
            .app
            .post("/mcp-servers", json!({"name": "bad", "source": source}))
            .await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.body
        );
    }

    assert_eq!(
        site.call("tools__echo", "hello").await.as_deref(),
        Ok("hello")
    );
    let _ = strace.kill();
    strace.wait().expect("strace ends");
    let traced = std::fs::read_to_string(&trace).expect("a trace");
    assert!(!traced.contains("execve("), "{traced}");
    assert!(!std::path::Path::new("/tmp/pwned").exists());
}

#[tokio::test]
async fn without_an_engine_the_rest_works_and_says_so() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let app = TestApp::on(program).await;

    let source = json!({"type": "container", "image": IMAGE});
    let made = app
        .post("/mcp-servers", json!({"name": "tools", "source": source}))
        .await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["state"], "requested", "{}", made.body);
    let reason = made.body["reason"].as_str().expect("a reason");
    assert!(reason.contains("no container engine answers"), "{reason}");
    assert_eq!(app.get("/agents").await.status, StatusCode::OK);
    let id = made.created();
    let answer = app.delete(&format!("/mcp-servers/{id}")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}
