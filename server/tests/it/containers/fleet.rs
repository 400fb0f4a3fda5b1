//! Several processes, one container for each server.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::engine::Fault;
use testkit::{go_on, stand_still};

use super::site::{Site, call};
use crate::support::TestApp;

/// Until a dead process's lease has run out and another has taken over.
const TAKEN_OVER: Duration = Duration::from_secs(30);

/// The fence on the label of the only container.
async fn only_fence(site: &Site) -> i64 {
    let containers = site.engine.servers().await;
    assert_eq!(containers.len(), 1, "{containers:?}");
    let fence = &containers[0]["Labels"]["ai.agentarea.fence"];
    fence
        .as_str()
        .and_then(|it| it.parse().ok())
        .expect("a fence")
}

async fn state(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/mcp-servers/{id}")).await.body["state"].clone()
}

#[tokio::test]
async fn server_runs_once_and_is_reached_through_every_process() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let other = site.beside(&[]).await;
    let id = site
        .add("tools", json!({"env": {"COLOUR": "green"}}))
        .await
        .created();

    for _ in 0..3 {
        let (here, there) = tokio::join!(
            site.call("tools__echo", "hello"),
            call(&other, "tools__environment", "COLOUR")
        );
        assert_eq!(here.as_deref(), Ok("hello"));
        assert_eq!(there.as_deref(), Ok("green"));
    }

    let first = only_fence(&site).await;
    let log = other.get(&format!("/mcp-servers/{id}/logs")).await.body;
    assert_eq!(log["items"][0]["text"], "tool server is listening");
    let report = other
        .get(&format!("/mcp-servers/{id}/container"))
        .await
        .body;
    assert_eq!(report["is_running"], true, "{report}");

    // What a person wants is done wherever they say it.
    let stopped = other
        .post(&format!("/mcp-servers/{id}/stop"), json!({}))
        .await;
    assert_eq!(stopped.body["state"], "stopped", "{}", stopped.body);
    assert_eq!(stopped.body["desired_state"], "stopped");
    assert_eq!(site.engine.servers().await.len(), 0);
    for app in [&site.app, &other] {
        let refused = call(app, "tools__echo", "hello")
            .await
            .expect_err("refused");
        assert!(refused.contains("restart"), "{refused}");
    }
    let restarted = other
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;
    assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    assert_eq!(restarted.body["desired_state"], "running");
    assert_eq!(
        site.call("tools__echo", "again").await.as_deref(),
        Ok("again")
    );
    let second = only_fence(&site).await;
    assert!(second > first);
    // A restart of a running server that another process has.
    let restarted = site
        .app
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;
    assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    assert_eq!(
        call(&other, "tools__echo", "again").await.as_deref(),
        Ok("again")
    );
    assert!(only_fence(&site).await > second);
}

#[tokio::test]
async fn another_process_takes_over_from_a_killed_one() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let other = site.beside(&[]).await;
    assert_eq!(
        call(&other, "tools__echo", "one").await.as_deref(),
        Ok("one")
    );
    let before = only_fence(&site).await;

    site.app.program().kill();
    let begun = Instant::now();
    let answer = call(&other, "tools__echo", "two").await;

    assert_eq!(answer.as_deref(), Ok("two"), "after {:?}", begun.elapsed());
    assert!(begun.elapsed() < TAKEN_OVER, "{:?}", begun.elapsed());
    assert!(only_fence(&site).await > before);
    assert_eq!(state(&other, &id).await, "ready");
}

#[tokio::test]
async fn frozen_process_that_goes_on_leaves_the_new_owner_alone() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let other = site.beside(&[]).await;

    stand_still(site.app.program().id());
    assert_eq!(
        call(&other, "tools__echo", "two").await.as_deref(),
        Ok("two")
    );
    let fence = only_fence(&site).await;
    go_on(site.app.program().id());
    // What waited while it was frozen may be broken off.
    let begun = Instant::now();
    while let Err(error) = site.call("tools__echo", "back").await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
    }

    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        assert_eq!(
            site.call("tools__echo", "both").await.as_deref(),
            Ok("both")
        );
        assert_eq!(
            call(&other, "tools__echo", "both").await.as_deref(),
            Ok("both")
        );
        assert_eq!(only_fence(&site).await, fence);
    }
    assert_eq!(state(&other, &id).await, "ready");
}

#[tokio::test]
async fn process_that_runs_no_containers_has_a_manager_run_them() {
    let Some(site) = Site::start(&[("AGENTAREA_ROLES", "api,worker")]).await else {
        return;
    };
    let lonely = site.add("lonely", json!({})).await;
    assert_eq!(lonely.body["state"], "requested", "{}", lonely.body);
    let reason = lonely.body["reason"].as_str().expect("a reason");
    assert!(reason.contains("mcp-manager"), "{reason}");
    let _manager = site.beside(&[("AGENTAREA_ROLES", "mcp-manager")]).await;
    site.wait_for(&lonely.created(), "ready").await;

    let made = site.add("tools", json!({})).await;

    assert_eq!(made.body["state"], "ready", "{}", made.body);
    assert_eq!(
        site.call("tools__echo", "hello").await.as_deref(),
        Ok("hello")
    );
    let crashing = site.add("crashing", json!({"command": ["crash"]})).await;
    let reason = crashing.body["reason"].as_str().expect("a reason");
    assert!(reason.contains("configuration file not found"), "{reason}");
}

#[tokio::test]
async fn restart_by_a_process_without_containers_is_told_that_the_engine_is_away() {
    let settings = [("AGENTAREA_ROLES", "api,worker")];
    let Some((site, faults)) = Site::start_behind_faults(&settings).await else {
        return;
    };
    let settings = [
        ("AGENTAREA_ROLES", "mcp-manager"),
        ("DOCKER_HOST", &faults.address()),
    ];
    let _manager = site.beside(&settings).await;
    let id = site.add("tools", json!({})).await.created();
    faults.fail(" /", Fault::Gone, usize::MAX);

    let restart = format!("/mcp-servers/{id}/restart");
    let restarted = site.app.post(&restart, json!({})).await;
    let added = site.add("others", json!({})).await;

    assert_eq!(restarted.status, StatusCode::SERVICE_UNAVAILABLE);
    let detail = restarted.body["detail"].as_str().expect("words");
    assert!(detail.contains("container engine"), "{detail}");
    assert!(restarted.headers.contains_key("retry-after"));
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let id_added = added.body["id"].as_str().expect("an id").to_owned();
    for id in [&id, &id_added] {
        let waiting = site.app.get(&format!("/mcp-servers/{id}")).await.body;
        assert_eq!(waiting["state"], "requested", "{waiting}");
        let reason = waiting["reason"].as_str().expect("a reason");
        assert!(reason.contains("container engine"), "{reason}");
    }
    faults.heal();
    for id in [&id, &id_added] {
        site.wait_for(id, "ready").await;
    }
}

#[tokio::test]
async fn process_whose_engine_is_away_has_another_one_run_the_servers() {
    let settings = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    // The one without an engine leads the fleet.
    let waiting = site.add("tools", json!({})).await;
    assert_eq!(waiting.body["state"], "requested", "{}", waiting.body);
    let other = site.beside(&[]).await;

    site.wait_for(&waiting.created(), "ready").await;

    for app in [&site.app, &other] {
        let answer = call(app, "tools__echo", "hello").await;
        assert_eq!(answer.as_deref(), Ok("hello"));
    }
    assert_eq!(site.engine.servers().await.len(), 1);
}

#[tokio::test]
async fn what_a_server_has_said_is_shown_everywhere_although_nobody_runs_it_any_more() {
    let Some(site) = Site::start(&[("AGENTAREA_ROLES", "api,worker")]).await else {
        return;
    };
    let settings = [
        ("AGENTAREA_ROLES", "mcp-manager"),
        ("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "2"),
    ];
    let _manager = site.beside(&settings).await;
    let seen = async |id: &str| {
        let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
        let path = format!("/mcp-servers/{id}/container");
        (log, site.app.get(&path).await.body)
    };

    let crashing = site.add("crashing", json!({"command": ["crash"]})).await;
    let crashed = seen(&crashing.created()).await;
    let id = site.add("tools", json!({})).await.created();
    let target = "elsewhere.example:443";
    site.call("tools__fetch", target).await.expect("an answer");
    site.wait_for(&id, "asleep").await;
    site.wait_for_no_container().await;
    let asleep = seen(&id).await;

    let said = &crashed.0["items"][0]["text"];
    assert_eq!(said, "configuration file not found", "{}", crashed.0);
    let said = &asleep.0["items"][0]["text"];
    assert_eq!(said, "tool server is listening", "{}", asleep.0);
    let refused = &asleep.1["refusals"][0]["target"];
    assert_eq!(refused, target, "{}", asleep.1);
    assert_eq!(asleep.1["is_running"], false);
}

#[tokio::test]
async fn nobody_without_the_master_key_reaches_a_server_of_another_process() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let me = site.app.get("/me").await.body;
    let workspace = me["workspace_id"].as_str().expect("a workspace").to_owned();
    let id = site.add("tools", json!({})).await.created();

    for what in ["connection", "tools", "container"] {
        for ticket in ["", "Bearer x.y.z", &format!("Bearer {}", site.app.key)] {
            let path = format!("/internal/tool-servers/{workspace}/{id}/{what}");
            let request = match what {
                "container" => site.app.client.get(site.app.url(&path)),
                _ => site.app.client.post(site.app.url(&path)).json(&json!({})),
            };
            let answer = request.header("authorization", ticket).send().await;
            assert_eq!(answer.expect("an answer").status(), 404, "{what} {ticket}");
        }
    }
}

#[tokio::test]
async fn lease_that_the_database_does_not_renew_ends_the_container() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    site.add("tools", json!({})).await.created();
    let mut database = site.database().await;
    sqlx::query("begin")
        .execute(&mut database)
        .await
        .expect("a transaction");

    // Every word about leases hangs, without an error.
    sqlx::query("lock table mcp_instances in access exclusive mode")
        .execute(&mut database)
        .await
        .expect("a lock");
    site.wait_for_no_container().await;
    sqlx::query("rollback")
        .execute(&mut database)
        .await
        .expect("no lock");

    let begun = Instant::now();
    loop {
        let answer = site.call("tools__echo", "again").await;
        if answer.as_deref() == Ok("again") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(site.engine.servers().await.len(), 1);
}
