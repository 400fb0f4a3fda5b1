//! What is left of uploads: nothing, if they failed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sqlx::{Connection, PgConnection};
use testkit::TestDb;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::upload;
use crate::support::{Program, TestApp};

const PATIENCE: Duration = Duration::from_secs(30);

/// Files in the server's object folder, finished or not.
pub fn objects(app: &TestApp) -> usize {
    files_below(&app.data_dir().join("objects")).len()
}

pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

async fn rows(db: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from files")
        .fetch_one(db)
        .await
        .expect("a count")
}

/// Waits until there are so many rows and objects.
async fn until(app: &TestApp, db: &mut PgConnection, rows_left: i64, objects_left: usize) {
    let started = Instant::now();
    loop {
        let (rows, objects) = (rows(db).await, objects(app));
        if (rows, objects) == (rows_left, objects_left) {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{rows} rows and {objects} objects"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn start(variables: &[(&str, &str)]) -> (TestApp, TestDb, PgConnection) {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    for (name, value) in variables {
        program.set(name, value);
    }
    let app = TestApp::on(program).await;
    let superuser = PgConnection::connect(&db.superuser_url()).await;
    (app, db, superuser.expect("connect"))
}

/// Begins an upload of `declared` bytes and sends `sent` of them.
async fn begin_upload(app: &TestApp, declared: usize, sent: usize) -> TcpStream {
    let address = app.origin()[7..].to_owned();
    let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n";
    let mut stream = TcpStream::connect(&address).await.expect("connect");
    let request = format!(
        "POST /api/v1/files HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {declared}\r\n\r\n{head}",
        app.key
    );
    stream.write_all(request.as_bytes()).await.expect("begun");
    stream.write_all(&vec![0; sent]).await.expect("sent");
    stream
}

#[tokio::test]
async fn upload_that_breaks_off_leaves_nothing() {
    let (app, _kept, mut db) = start(&[]).await;

    // More than one part, so that something is in the folder already.
    let stream = begin_upload(&app, 20_000_000, 8_000_000).await;
    until(&app, &mut db, 1, 1).await;
    drop(stream);

    until(&app, &mut db, 0, 0).await;
}

#[tokio::test]
async fn upload_that_dies_with_the_server_is_cleaned_up_by_the_next() {
    let (mut app, _kept, mut db) = start(&[]).await;
    let _stream = begin_upload(&app, 20_000_000, 8_000_000).await;
    until(&app, &mut db, 1, 1).await;

    app.program().kill();
    until(&app, &mut db, 1, 1).await;
    sqlx::query("update files set created_at = created_at - interval '2 hours'")
        .execute(&mut db)
        .await
        .expect("time passes");
    app.program().start().await;

    until(&app, &mut db, 0, 0).await;
}

#[tokio::test]
async fn file_that_no_message_has_is_deleted_after_a_day() {
    let (mut app, _kept, mut db) = start(&[]).await;
    let old = upload(&app, "old.txt", b"old", &[]).await.created();
    upload(&app, "new.txt", b"new", &[]).await.created();
    let aged = format!(
        "update files set created_at = created_at - interval '25 hours' where id = '{old}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(aged))
        .execute(&mut db)
        .await
        .expect("time passes");

    app.program().kill();
    app.program().start().await;

    until(&app, &mut db, 1, 1).await;
}

#[tokio::test]
async fn file_over_the_limit_is_413_and_leaves_nothing() {
    let (app, _kept, mut db) = start(&[("AGENTAREA_LIMITS__FILE_MIB", "1")]).await;
    let fits = upload(&app, "a.bin", &vec![0; 1024 * 1024], &[]).await;

    for size in [1024 * 1024 + 1, 30 * 1024 * 1024] {
        let started = Instant::now();
        let refused = upload(&app, "b.bin", &vec![0; size], &[]).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(refused.body["status"], 413);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    assert_eq!(fits.status, StatusCode::CREATED);
    until(&app, &mut db, 1, 1).await;
}

#[tokio::test]
async fn files_of_a_workspace_have_a_limit() {
    let (app, _kept, mut db) = start(&[("AGENTAREA_LIMITS__WORKSPACE_FILES_MIB", "1")]).await;
    let first = upload(&app, "a.bin", &vec![0; 700_000], &[])
        .await
        .created();

    let second = upload(&app, "b.bin", &vec![0; 700_000], &[]).await;
    assert_eq!(second.wrong_fields(), ["file"]);
    until(&app, &mut db, 1, 1).await;
    app.delete(&format!("/files/{first}")).await;
    let third = upload(&app, "b.bin", &vec![0; 700_000], &[]).await;

    assert_eq!(third.status, StatusCode::CREATED);
}

#[tokio::test]
async fn large_file_is_never_whole_in_memory() {
    let (mut app, _kept, _db) = start(&[("AGENTAREA_LIMITS__FILE_MIB", "300")]).await;
    upload(&app, "small.bin", b"small", &[]).await.created();
    let before = app.program().peak_memory_kib();

    let id = upload(&app, "large.bin", &vec![0; 250 << 20], &[])
        .await
        .created();
    let content = super::download(&app, &id).await.bytes().await;
    let after = app.program().peak_memory_kib();

    assert_eq!(content.expect("the content").len(), 250 << 20);
    println!("peak memory {before} KiB before, {after} KiB after");
    assert!(after - before < 40 * 1024, "{before} KiB, then {after} KiB");
}
