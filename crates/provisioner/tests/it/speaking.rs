//! What goes in and comes out.

use std::time::Duration;

use provisioner::remove_dead_doors;

use crate::support::{Bench, spec};

#[tokio::test]
async fn server_in_a_container_answers_calls() {
    let Some(bench) = Bench::start().await else {
        return;
    };

    let mut session = bench.start_session(&spec("echo")).await;

    assert_eq!(session.call("echo", "grüße").await.unwrap(), "grüße");
    assert_eq!(session.call("echo", "again").await.unwrap(), "again");
    let log = &session.running.log;
    let mut follower = log.follow();
    while log.tail(1).is_empty() {
        let line = tokio::time::timeout(Duration::from_secs(10), follower.recv());
        let _ = line.await.expect("a line of its log");
    }
    assert_eq!(log.tail(10)[0].text, "tool server is listening");
}

#[tokio::test]
async fn megabytes_of_output_arrive_byte_for_byte() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("output")).await;

    let answer = session.call("output", "3000000").await.unwrap();

    assert_eq!(answer.len(), 3_000_000);
    assert!(answer.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn flood_of_errors_keeps_the_newest_lines_and_the_conversation() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("noise")).await;
    let mut follower = session.running.log.follow();

    let answer = session.call("noise", "50000").await.unwrap();

    assert_eq!(answer, "50000");
    let last = format!("{:0>99}", 49_999);
    let newest = || session.running.log.tail(1)[0].text.clone();
    while newest() != last {
        let _ = tokio::time::timeout(Duration::from_secs(10), follower.recv())
            .await
            .expect("the rest of the log");
    }
    assert_eq!(session.running.log.tail(100_000).len(), 1000);
    assert_eq!(
        session.call("echo", "still here").await.unwrap(),
        "still here"
    );
}

#[tokio::test]
async fn doors_of_dead_processes_are_removed_and_those_of_others_stay() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut listening = spec("listening");
    listening.port = Some(8080);
    let session = bench.start_session(&listening).await;
    let door = session.running.open_door(8080).unwrap();
    let alive = door.path().parent().unwrap().to_owned();
    let name = format!("agentarea-{}", uuid::Uuid::now_v7().simple());
    let dead = std::env::temp_dir().join(name);
    std::fs::create_dir(&dead).unwrap();
    drop(std::os::unix::net::UnixListener::bind(dead.join("door")).unwrap());
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for folder in [&alive, &dead] {
        let folder = std::fs::File::open(folder).unwrap();
        folder.set_modified(long_ago).unwrap();
    }

    remove_dead_doors().await;

    assert!(!dead.exists());
    assert!(alive.exists());
}
