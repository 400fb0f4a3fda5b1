//! One container for each server, and none that is not ours.

use provisioner::{Error, Provisioner, State};

use crate::support::{Bench, docker, spec, sweep};

#[tokio::test]
async fn second_start_replaces_the_first() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let first = bench.start_session(&spec("only")).await;
    let mut newer = spec("only");
    newer.revision = "2".to_owned();

    let mut second = bench.start_session(&newer).await;

    assert_eq!(second.call("echo", "new").await.unwrap(), "new");
    first.running.ended().await;
    let listed = bench.docker.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].id.as_str(), listed[0].revision.as_str()),
        ("only", "2")
    );
    assert_eq!(listed[0].state, State::Running);
    assert_eq!(listed[0].workspace, newer.workspace.to_string());
}

#[tokio::test]
async fn older_start_leaves_the_newer_one_alone() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut newer = spec("only");
    newer.fence = 8;
    let mut session = bench.start_session(&newer).await;

    let outdated = bench.docker.start(&spec("only")).await.err().unwrap();
    bench.docker.remove("only", 7).await.unwrap();

    assert!(matches!(outdated, Error::Outdated { .. }), "{outdated}");
    assert_eq!(session.call("echo", "here").await.unwrap(), "here");
    bench.docker.remove("only", 8).await.unwrap();
    assert_eq!(bench.engine.containers().await.len(), 0);
}

#[tokio::test]
async fn dropped_connection_ends_the_server() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("orphan")).await;
    session.call("echo", "hello").await.unwrap();

    drop(session);

    let begun = std::time::Instant::now();
    while let Some(found) = bench.docker.inspect("orphan").await.unwrap() {
        if matches!(found.state, State::Ended(_)) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 20, "it goes on: {found:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn foreign_containers_are_neither_seen_nor_touched() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let other = docker(&bench.engine, "other", &[]);
    let theirs = other.start(&spec("shared")).await.unwrap();
    bench
        .engine
        .create_foreign("agentarea-test-taken", &bench.image)
        .await;
    let _ours = bench.start_session(&spec("shared")).await;

    assert_eq!(bench.docker.list().await.unwrap().len(), 1);
    let taken = bench.docker.start(&spec("taken")).await.err().unwrap();
    assert!(matches!(taken, Error::NameTaken { .. }), "{taken}");
    let taken = bench.docker.remove("taken", 1).await.err().unwrap();
    assert!(matches!(taken, Error::NameTaken { .. }), "{taken}");
    assert_eq!(bench.docker.inspect("taken").await.unwrap(), None);
    assert_eq!(sweep(&bench.docker, |_| false).await, 1);

    assert_eq!(
        theirs.running.exit(),
        None,
        "the other installation's server runs"
    );
    assert_eq!(bench.engine.containers().await.len(), 2);
}

#[tokio::test]
async fn many_starts_and_kills_leave_no_orphan_and_no_double() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let rounds: usize =
        std::env::var("AGENTAREA_TEST_CYCLES").map_or(24, |count| count.parse().unwrap());

    for round in 0..rounds {
        // Three ways to go: given up in the middle of the start, killed, and removed.
        let id = format!("cycle-{}", round % 4);
        let mut wanted = spec(&id);
        if round % 6 == 0 {
            wanted.egress = vec!["example.com:443".parse().unwrap()];
        }
        let pause = std::time::Duration::from_millis(20 * (round as u64 % 16));
        match round % 3 {
            0 => drop(tokio::time::timeout(pause, bench.docker.start(&wanted)).await),
            1 => {
                let running = bench.docker.start(&wanted).await.unwrap().running;
                let path = format!("/containers/agentarea-test-{id}/kill");
                bench.engine.call("POST", &path).await;
                running.ended().await;
            }
            _ => {
                let _running = bench.docker.start(&wanted).await.unwrap();
                bench.docker.remove(&id, 1).await.unwrap();
            }
        }
        let mut ids: Vec<String> = bench
            .docker
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.id)
            .collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "a server has two containers");
    }

    let kept = "cycle-1".to_owned();
    let _running = bench.docker.start(&spec(&kept)).await.unwrap();
    sweep(&bench.docker, |id| id == kept).await;
    let left = bench.engine.containers().await;
    assert_eq!(left.len(), 1, "{left:?}");
    sweep(&bench.docker, |_| false).await;
    assert_eq!(bench.engine.containers().await.len(), 0);
}
