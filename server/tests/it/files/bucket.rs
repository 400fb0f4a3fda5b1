//! Files and backups in an S3 bucket.

use std::process::Stdio;

use reqwest::StatusCode;
use testkit::bucket::{BUCKET, Bucket};
use testkit::{ScriptedModel, TestDb};

use super::{download, upload};
use crate::support::{Program, TestApp};

async fn start() -> (TestApp, Bucket, TestDb) {
    let (bucket, db) = (Bucket::start().await, TestDb::create().await);
    let mut program = Program::new(Some(db.url()));
    for (name, value) in bucket.variables() {
        program.set(name, &value);
    }
    program.set(
        "AGENTAREA_OBJECT_STORE",
        &format!("s3://{BUCKET}/production"),
    );
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
