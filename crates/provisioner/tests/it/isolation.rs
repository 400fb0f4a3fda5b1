//! What a container may not do.

use domain::Secret;
use provisioner::Provisioner;

use crate::support::{Bench, spec};

#[tokio::test]
async fn container_has_no_rights_no_network_and_nothing_to_write_to() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("confined")).await;

    let status = session.call("account", "").await.unwrap();
    for line in [
        "Uid:\t65532\t65532",
        "Gid:\t65532\t65532",
        "CapInh:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    assert_eq!(session.call("routes", "").await.unwrap().lines().count(), 1);
    let refused = session.call("write", "/here").await.unwrap_err();
    assert!(refused.contains("Read-only file system"), "{refused}");
    session.call("write", "/tmp/here").await.unwrap();

    let (_, found) = bench
        .engine
        .call("GET", "/containers/agentarea-test-confined/json")
        .await;
    let host = &found["HostConfig"];
    assert_eq!(host["NetworkMode"], "none");
    assert_eq!(host["Memory"], 32 << 20);
    assert_eq!(host["MemorySwap"], host["Memory"]);
    assert_eq!(host["NanoCpus"], 1_000_000_000);
    assert_eq!(host["PidsLimit"], 16);
    assert_eq!(host["Init"], true);
    assert_eq!(host["Privileged"], false);
    assert!(host["Binds"].as_array().is_none_or(Vec::is_empty));
    assert_eq!(found["Mounts"].as_array().map(Vec::len), Some(0));
    assert_eq!(found["Image"], bench.image.as_str());
}

#[tokio::test]
async fn secret_is_in_its_own_container_alone() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut with = spec("with");
    with.secrets
        .insert("TOKEN".to_owned(), Secret::new("canary-58213"));
    let mut session = bench.start_session(&with).await;
    let mut other = bench.start_session(&spec("without")).await;

    assert_eq!(
        session.call("environment", "TOKEN").await.unwrap(),
        "canary-58213"
    );

    assert_eq!(other.call("environment", "TOKEN").await.unwrap(), "");
    let (_, found) = bench
        .engine
        .call("GET", "/containers/agentarea-test-without/json")
        .await;
    assert!(!found.to_string().contains("canary-58213"));
    let list = serde_json::to_string(&bench.engine.containers().await).unwrap();
    assert!(!list.contains("canary-58213"), "labels hold no secrets");
    assert!(!format!("{with:?}").contains("canary-58213"));
}

#[tokio::test]
async fn processes_stop_at_their_limit() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("forks")).await;

    let started: u64 = session
        .call("processes", "500")
        .await
        .unwrap()
        .parse()
        .unwrap();

    assert!(
        (5..16).contains(&started),
        "{started} processes beside the server"
    );
    let stats = bench.docker.stats("forks").await.unwrap().unwrap();
    assert!((1..16).contains(&stats.pids));
    assert_eq!(stats.memory_limit_bytes, 32 << 20);
    assert!(stats.memory_bytes > 0 && stats.cpu_nanos > 0);
}
