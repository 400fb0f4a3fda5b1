//! Files and backups in an S3 bucket.

use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use testkit::bucket::{BUCKET, Bucket};
use testkit::{Proxy, ScriptedModel, TestDb};

use super::{download, upload};
use crate::support::{Program, TestApp, eventually};

/// How long a stopped run may take to end: far less than a bucket is waited for.
const PATIENCE: Duration = Duration::from_secs(6);

/// A database and a program with its files in a bucket.
async fn program(bucket: &Bucket) -> (Program, TestDb) {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    for (name, value) in bucket.variables() {
        program.set(name, &value);
    }
    program.set(
        "AGENTAREA_OBJECT_STORE",
        &format!("s3://{BUCKET}/production"),
    );
    (program, db)
}

async fn start() -> (TestApp, Bucket, TestDb) {
    let bucket = Bucket::start().await;
    let (program, db) = program(&bucket).await;
    (TestApp::on(program).await, bucket, db)
}

// The bucket answers while the program's commands are waited for.
#[tokio::test(flavor = "multi_thread")]
async fn files_and_backups_live_in_a_bucket() {
    let (app, bucket, _db) = start().await;
    let content: Vec<u8> = (0..12_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();

    let small = upload(&app, "small.txt", b"small", &[]).await.created();
    let large = upload(&app, "large.bin", &content, &[]).await.created();
    let found = download(&app, &large)
        .await
        .bytes()
        .await
        .expect("the content");
    for command in [["backup", "create"], ["backup", "verify"]] {
        let output = app.command(&command).stdin(Stdio::null()).output();
        let output = output.expect("run the program");
        assert!(output.status.success(), "{output:?}");
    }
    let deleted = app.delete(&format!("/files/{small}")).await;

    assert_eq!(found, content);
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let keys = bucket.keys();
    assert!(
        keys.iter().all(|key| key.starts_with("production/")),
        "{keys:?}"
    );
    let files = keys
        .iter()
        .filter(|key| key.starts_with("production/files/"));
    assert_eq!(files.count(), 1, "{keys:?}");
    assert!(
        keys.iter().any(|key| key.ends_with("/manifest")),
        "{keys:?}"
    );
    assert_eq!(bucket.open_uploads(), 0);
}

#[tokio::test]
async fn everything_else_works_while_the_bucket_is_down() {
    let (app, bucket, _db) = start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let file = upload(&app, "notes.txt", b"some notes", &[])
        .await
        .created();

    bucket.set_down(true);
    let refused = upload(&app, "more.txt", b"more", &[]).await;
    let missing = download(&app, &file).await;
    app.ask(&conversation, "still there?").await;
    let log = app.log(&conversation).await;
    bucket.set_down(false);
    let back = download(&app, &file).await;

    assert_eq!(
        refused.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        refused.body
    );
    assert!(refused.headers.contains_key("retry-after"));
    let detail = refused.body["detail"].as_str().expect("words");
    assert!(detail.contains("object store"), "{detail}");
    assert_eq!(missing.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(log.last().expect("an end").event, "run_completed");
    assert_eq!(back.bytes().await.expect("the content"), &b"some notes"[..]);
}

// The proxy must go on while the test waits for a command.
#[tokio::test(flavor = "multi_thread")]
async fn run_that_waits_for_a_picture_is_stopped_at_once() {
    let bucket = Bucket::start().await;
    let proxy = Proxy::to_tcp(bucket.address()).await;
    let (mut program, _db) = program(&bucket).await;
    program.set("AWS_ENDPOINT_URL", &format!("http://{}", proxy.address()));
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let picture = upload(&app, "bird.png", png, &[]).await.created();

    proxy.delay(2 * PATIENCE);
    let path = format!("/conversations/{conversation}/messages");
    let input = json!({"text": "Which bird?", "attachments": [picture]});
    let posted = app.post(&path, input).await;
    let run = posted.body["run_id"].as_str().expect("a run").to_owned();
    let is_running = async || app.get(&format!("/runs/{run}")).await.body["status"] == "running";
    assert!(eventually(is_running).await);
    let stopped = app
        .post(&format!("/runs/{run}/cancellation"), json!({}))
        .await;
    let log = tokio::time::timeout(PATIENCE, app.log(&conversation)).await;

    assert_eq!(stopped.status, StatusCode::ACCEPTED, "{}", stopped.body);
    let log = log.expect("an end while the bucket is silent");
    assert_eq!(log.last().expect("an end").event, "run_cancelled");
    assert_eq!(model.request_count(), 0);
    assert!(
        eventually(async || proxy.delayed_pieces() > 0).await,
        "the bucket was not asked"
    );
}
