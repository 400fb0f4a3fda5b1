//! What goes in and comes out.

use std::time::Duration;

use crate::support::{Bench, spec};

#[tokio::test]
async fn server_in_a_container_answers_calls() {
    let Some(bench) = Bench::start().await else {
        return;
    };

    let mut session = bench.start_session(&spec("echo")).await;

    assert_eq!(session.call("echo", "grüße").await.unwrap(), "grüße");
    assert_eq!(session.call("echo", "again").await.unwrap(), "again");
    let log = session.running.log.tail(10);
    assert_eq!(log[0].text, "tool server is listening");
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
