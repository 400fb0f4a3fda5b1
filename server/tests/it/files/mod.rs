//! Uploading and downloading files.

mod bucket;
mod hostile;
pub mod remains;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::inputs;

use crate::people::{Person, form};
use crate::support::{Answer, Program, TestApp, client};

/// Uploads with Ada's key and further headers.
pub async fn upload(app: &TestApp, name: &str, content: &[u8], headers: &[(&str, &str)]) -> Answer {
    let (content_type, body) = form(name, content);
    let mut req = client()
        .post(app.url("/api/v1/files"))
        .bearer_auth(&app.key)
        .header("content-type", content_type)
        .body(body);
    for (name, value) in headers {
        req = req.header(*name, *value);
    }
    Answer::read(req.send().await.expect("an answer")).await
}

pub async fn download(app: &TestApp, id: &str) -> reqwest::Response {
    let url = app.url(&format!("/api/v1/files/{id}"));
    let req = client().get(url).bearer_auth(&app.key);
    req.send().await.expect("an answer")
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers()[name].to_str().expect("text")
}

#[tokio::test]
async fn uploaded_file_comes_back_byte_for_byte() {
    let app = TestApp::start().await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();

    let answer = upload(&app, "data.bin", &content, &[]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let id = answer.body["id"].as_str().expect("an id");
    let found = download(&app, id).await;

    assert_eq!(answer.headers["location"], format!("/api/v1/files/{id}"));
    assert_eq!(answer.body["name"], "data.bin");
    assert_eq!(answer.body["size_bytes"], 3_000_000);
    assert_eq!(answer.body["media_type"], "application/octet-stream");
    assert_eq!(answer.body["is_readable"], false);
    assert_eq!(header(&found, "content-length"), "3000000");
    assert_eq!(
        header(&found, "etag"),
        format!("\"{}\"", answer.body["sha256"].as_str().expect("a hash"))
    );
    assert_eq!(found.bytes().await.expect("the content"), content);
}

#[tokio::test]
async fn known_file_is_not_sent_again() {
    let app = TestApp::start().await;
    let id = upload(&app, "notes.txt", b"some notes", &[])
        .await
        .created();
    let tag = header(&download(&app, &id).await, "etag").to_owned();

    let headers = [("if-none-match", tag.as_str())];
    let path = format!("/files/{id}");
    let again = app.send(Method::GET, &path, None, &headers).await;

    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers["cache-control"], "private, no-cache");
}

#[tokio::test]
async fn same_upload_with_the_same_key_is_one_file() {
    let app = TestApp::start().await;
    let key = [("idempotency-key", "upload-1")];

    let first = upload(&app, "notes.txt", b"some notes", &key).await;
    let again = upload(&app, "notes.txt", b"some notes", &key).await;
    let other = upload(&app, "notes.txt", b"other notes", &key).await;
    let unkeyed = upload(&app, "notes.txt", b"some notes", &[]).await;

    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["location"], first.headers["location"]);
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_ne!(unkeyed.created(), first.created());
    assert_eq!(remains::objects(&app), 2);
}

#[tokio::test]
async fn file_can_be_deleted_until_a_message_has_it() {
    let app = TestApp::start().await;
    let id = upload(&app, "notes.txt", b"some notes", &[])
        .await
        .created();

    let deleted = app.delete(&format!("/files/{id}")).await;
    let gone = download(&app, &id).await;
    let again = app.delete(&format!("/files/{id}")).await;

    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(remains::objects(&app), 0);
}

#[tokio::test]
async fn foreign_missing_and_malformed_files_are_the_same_404() {
    let app = TestApp::start().await;
    let id = upload(&app, "notes.txt", b"some notes", &[])
        .await
        .created();
    app.create_user(inputs::GRACE, "Initech");
    let grace = Person::sign_in(&app, inputs::GRACE).await;
    let mut bodies = Vec::new();
    for file in [
        id.as_str(),
        "01890000-0000-7000-8000-000000000001",
        "..%2f..%2fetc",
        "7",
    ] {
        for method in [Method::GET, Method::DELETE] {
            let answer = grace
                .send(&app, method, &format!("/files/{file}"), None)
                .await;
            let mut body = answer.body;
            body["request_id"] = Value::Null;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{file}: {body}");
            bodies.push(body);
        }
    }

    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(download(&app, &id).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn anything_but_one_file_is_refused_by_name() {
    let app = TestApp::start().await;
    let post = |content_type: &'static str, body: &'static str| {
        let req = client()
            .post(app.url("/api/v1/files"))
            .bearer_auth(&app.key)
            .header("content-type", content_type)
            .body(body);
        async { Answer::read(req.send().await.expect("an answer")).await }
    };
    let form = "multipart/form-data; boundary=b";

    let json = post("application/json", "{}").await;
    let empty = post(form, "--b--\r\n").await;
    let no_name = post(
        form,
        "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n",
    )
    .await;
    let other = post(
        form,
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nx\r\n--b--\r\n",
    )
    .await;
    let two = post(
        form,
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n\
         --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"b\"\r\n\r\nx\r\n--b--\r\n",
    )
    .await;
    let cut_off = post(
        form,
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx",
    )
    .await;

    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(empty.wrong_fields(), ["file"]);
    assert_eq!(no_name.wrong_fields(), ["file"]);
    assert_eq!(other.wrong_fields(), ["purpose"]);
    assert_eq!(two.wrong_fields(), ["file"]);
    assert_eq!(cut_off.status, StatusCode::BAD_REQUEST);
    assert_eq!(remains::objects(&app), 0);
}

#[tokio::test]
async fn files_are_kept_where_the_setting_says() {
    let db = testkit::TestDb::create().await;
    let folder = tempfile::tempdir().expect("a folder");
    let objects = folder.path().join("some/where");
    let mut program = Program::new(Some(db.url()));
    program.set(
        "AGENTAREA_OBJECT_STORE",
        &format!("file://{}", objects.display()),
    );
    let app = TestApp::on(program).await;

    upload(&app, "notes.txt", b"some notes", &[])
        .await
        .created();

    assert_eq!(remains::files_below(&objects).len(), 1);
    assert_eq!(remains::objects(&app), 0);
}
