//! F7: an engine that is slow, refuses, loses its answers or is away.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::engine::Fault;

use super::site::Site;
use crate::support::eventually;

/// Longest time until a server is as it should be once its engine is.
const RECONCILED: Duration = Duration::from_secs(30);

#[tokio::test]
async fn failed_start_says_why_leaves_nothing_over_and_the_next_one_works() {
    let Some((site, faults)) = Site::start_behind_faults(&[]).await else {
        return;
    };
    let refused = |words| Fault::Status(500, words);
    for (part, fault, words) in [
        (
            "/containers/create",
            refused("no space left"),
            "no space left",
        ),
        ("/attach", refused("cannot attach"), "cannot attach"),
        ("/start", refused("no cgroup"), "could not start: no cgroup"),
        ("/images/", refused("layer is broken"), "layer is broken"),
        (
            "/containers/create",
            Fault::Lost,
            "engine stopped answering",
        ),
        ("/start", Fault::Lost, "engine stopped answering"),
    ] {
        let fault_is_lasting = fault != Fault::Lost;
        faults.fail(part, fault, 1);

        let made = site.add("tools", json!({})).await;

        assert!(faults.has_failed(), "{part}");
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let reason = made.body["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{part}: {reason}");
        match fault_is_lasting {
            true => {
                assert_eq!(made.body["state"], "failed", "{part}: {}", made.body);
                site.wait_for_no_container().await;
            }
            // Nobody has to do anything about it.
            false => assert_eq!(made.body["state"], "requested", "{part}: {}", made.body),
        }
        let path = format!("/mcp-servers/{}", made.created());
        let restarted = site.app.post(&format!("{path}/restart"), json!({})).await;
        assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
        let answer = site.call("tools__echo", "hello").await;
        assert_eq!(answer.as_deref(), Ok("hello"), "{part}");
        assert_eq!(site.engine.servers().await.len(), 1, "{part}");
        site.app.delete(&path).await;
        site.wait_for_no_container().await;
        faults.heal();
    }
}

#[tokio::test]
async fn busy_or_slow_engine_is_waited_for() {
    let Some((site, faults)) = Site::start_behind_faults(&[]).await else {
        return;
    };
    faults.fail("/start", Fault::Slow(Duration::from_secs(2)), 1);
    faults.fail("/containers/create", Fault::Status(409, "name in use"), 3);

    let made = site.add("tools", json!({})).await;

    assert!(faults.has_failed());
    assert_eq!(made.body["state"], "ready", "{}", made.body);
    assert_eq!(site.engine.servers().await.len(), 1);
}

#[tokio::test]
async fn servers_page_does_not_wait_for_an_engine_that_hangs() {
    let Some((site, faults)) = Site::start_behind_faults(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    faults.fail("/stats", Fault::Hang, usize::MAX);
    let begun = Instant::now();

    let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
    let path = format!("/mcp-servers/{id}/container");
    let report = site.app.get(&path).await.body;

    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(log["items"][0]["text"], "tool server is listening");
    assert_eq!(report["is_running"], true, "{report}");
    assert_eq!(report["memory_bytes"], Value::Null);
}

#[tokio::test]
async fn platform_that_dies_between_create_and_start_leaves_nothing_over() {
    let Some((mut site, faults)) = Site::start_behind_faults(&[]).await else {
        return;
    };
    faults.fail("/start", Fault::Hang, 1);
    let is_between =
        eventually(async || faults.has_failed() && site.engine.servers().await.len() == 1);
    tokio::select! {
        added = site.add("tools", json!({})) => panic!("it was started: {}", added.body),
        is_between = is_between => assert!(is_between, "it was never made"),
    }

    site.app.program().kill();
    faults.heal();
    site.app.program().start().await;

    let listed = site.app.get("/mcp-servers").await.body;
    let id = listed["items"][0]["id"].as_str().expect("an id");
    site.wait_for(id, "ready").await;
    let answer = site.call("tools__echo", "hello").await;
    assert_eq!(answer.as_deref(), Ok("hello"));
    assert_eq!(site.engine.servers().await.len(), 1);
}

#[tokio::test]
async fn engine_that_is_away_is_told_and_its_servers_start_once_it_is_back() {
    let Some((site, faults)) = Site::start_behind_faults(&[]).await else {
        return;
    };
    faults.fail(" /", Fault::Gone, usize::MAX);

    let id = site.add("tools", json!({})).await.created();
    let restart = format!("/mcp-servers/{id}/restart");
    let restarted = site.app.post(&restart, json!({})).await;

    let waiting = site.app.get(&format!("/mcp-servers/{id}")).await.body;
    assert_eq!(waiting["state"], "requested", "{waiting}");
    let reason = waiting["reason"].as_str().expect("a reason");
    assert!(reason.contains("container engine"), "{reason}");
    assert_eq!(restarted.status, StatusCode::SERVICE_UNAVAILABLE);
    let detail = restarted.body["detail"].as_str().expect("words");
    assert!(detail.contains("container engine"), "{detail}");
    let later = restarted.headers["retry-after"].to_str().expect("a number");
    assert!(later.parse::<u64>().is_ok_and(|it| it <= 5), "{later}");

    faults.heal();
    let begun = Instant::now();
    site.wait_for(&id, "ready").await;
    assert!(begun.elapsed() < RECONCILED, "{:?}", begun.elapsed());
    assert_eq!(site.engine.servers().await.len(), 1);
}

#[tokio::test]
async fn servers_come_back_by_themselves_after_the_engine() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let before = site.engine.servers().await;

    site.engine.restart().await;

    let begun = Instant::now();
    loop {
        let servers = site.engine.servers().await;
        assert!(servers.len() < 2, "{servers:?}");
        let is_new = |server: &Value| server["Id"] != before[0]["Id"];
        let runs = |server: &Value| is_new(server) && server["State"] == "running";
        if servers.first().is_some_and(runs) {
            break;
        }
        assert!(begun.elapsed() < RECONCILED, "{servers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    site.wait_for(&id, "ready").await;
    let answer = site.call("tools__echo", "hello").await;
    assert_eq!(answer.as_deref(), Ok("hello"));
}
