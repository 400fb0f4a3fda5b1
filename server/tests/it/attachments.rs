//! Files that go with a message: seen by people, read by models.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{ScriptedModel, inputs};

use crate::files::remains::objects;
use crate::files::upload;
use crate::pdf::pdf;
use crate::people::{Person, form};
use crate::support::{Answer, TestApp, client, sign_in};

async fn start() -> (TestApp, ScriptedModel, String) {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    (app, model, conversation)
}

async fn post(app: &TestApp, conversation: &str, text: &str, files: &[&str]) -> Answer {
    let path = format!("/conversations/{conversation}/messages");
    app.post(&path, json!({"text": text, "attachments": files}))
        .await
}

/// What a request to the model says as its last message.
fn last_text(request: &Value) -> &str {
    let messages = request["messages"].as_array().expect("messages");
    let last = messages
        .iter()
        .rev()
        .find(|message| message["role"] == "user");
    let content = &last.expect("a question")["content"];
    content
        .as_str()
        .or_else(|| content[0]["text"].as_str())
        .expect("text")
}

#[tokio::test]
async fn model_reads_the_files_of_a_message_and_of_earlier_ones() {
    let (app, model, conversation) = start().await;
    let notes = upload(&app, "notes.md", b"# Margin\n12 percent", &[])
        .await
        .created();
    let report = upload(&app, "report.pdf", &pdf("Revenue was 40 million"), &[])
        .await
        .created();

    let posted = post(&app, &conversation, "Compare", &[&notes, &report]).await;
    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    let log = app.log(&conversation).await;
    app.ask(&conversation, "and now?").await;
    app.log(&conversation).await;
    let listed = app
        .get(&format!("/conversations/{conversation}/messages"))
        .await
        .body;

    let message = &log[0].data["data"]["message"];
    assert_eq!(message["attachments"], json!([notes, report]));
    assert_eq!(message["files"][0]["name"], "notes.md");
    assert_eq!(message["files"][1]["media_type"], "application/pdf");
    let items = listed["items"].as_array().expect("items");
    assert_eq!(
        items.last().expect("the first")["attachments"],
        json!([notes, report])
    );
    let requests = model.requests();
    let first = last_text(&requests[0]);
    assert!(
        first.starts_with("Compare\n\n<attachment name=\"notes.md\""),
        "{first}"
    );
    assert!(
        first.contains("12 percent") && first.contains("Revenue was 40 million"),
        "{first}"
    );
    assert!(requests[1].to_string().contains("12 percent"));
    assert_eq!(last_text(&requests[1]), "and now?");
}

#[tokio::test]
async fn earlier_files_are_read_again_after_a_restart() {
    let (mut app, model, conversation) = start().await;
    let notes = upload(&app, "notes.txt", b"12 percent", &[])
        .await
        .created();
    post(&app, &conversation, "Read this", &[&notes]).await;
    app.log(&conversation).await;

    app.program().kill();
    app.program().start().await;
    app.ask(&conversation, "and now?").await;
    app.log(&conversation).await;

    assert!(model.requests()[1].to_string().contains("12 percent"));
}

#[tokio::test]
async fn foreign_missing_and_malformed_files_are_one_field_error() {
    let (app, _model, conversation) = start().await;
    app.create_user(inputs::GRACE, "Initech");
    let grace = Person::sign_in(&app, inputs::GRACE).await;
    let foreign = grace.upload(&app, "notes.txt", b"hers").await.created();
    let own = upload(&app, "notes.txt", b"mine", &[]).await.created();
    let many = vec![own.as_str(); 11];
    let mut told = Vec::new();

    for file in [
        foreign.as_str(),
        "01890000-0000-7000-8000-000000000001",
        "7",
    ] {
        let answer = post(&app, &conversation, "Read", &[&own, file]).await;
        assert_eq!(answer.wrong_fields(), ["attachments"], "{file}");
        told.push(answer.body["errors"].clone());
    }
    let twice = post(&app, &conversation, "Read", &[&own, &own]).await;
    let too_many = post(&app, &conversation, "Read", &many).await;

    assert!(told.iter().all(|errors| *errors == told[0]), "{told:?}");
    assert_eq!(twice.wrong_fields(), ["attachments"]);
    assert!(too_many.wrong_fields().contains(&"attachments"));
    assert!(app.log(&conversation).await.is_empty());
}

#[tokio::test]
async fn file_of_a_message_goes_with_its_conversation_only() {
    let (app, _model, conversation) = start().await;
    let notes = upload(&app, "notes.txt", b"12 percent", &[])
        .await
        .created();
    post(&app, &conversation, "Read this", &[&notes]).await;
    app.log(&conversation).await;

    let refused = app.delete(&format!("/files/{notes}")).await;
    let deleted = app.delete(&format!("/conversations/{conversation}")).await;
    let now_free = app.delete(&format!("/files/{notes}")).await;

    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(now_free.status, StatusCode::NO_CONTENT);
    assert_eq!(objects(&app), 0);
}

#[tokio::test]
async fn same_message_with_the_same_key_is_posted_once() {
    let (app, model, conversation) = start().await;
    let notes = upload(&app, "notes.txt", b"12 percent", &[])
        .await
        .created();
    let path = format!("/conversations/{conversation}/messages");
    let body = json!({"text": "Read", "attachments": [notes]});
    let key = [("idempotency-key", "once")];

    let first = app
        .send(reqwest::Method::POST, &path, Some(body.clone()), &key)
        .await;
    let again = app
        .send(reqwest::Method::POST, &path, Some(body), &key)
        .await;
    app.log(&conversation).await;

    assert_eq!(first.body, again.body);
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn form_without_scripts_posts_text_and_file() {
    let (app, model, conversation) = start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let (content_type, file) = form("notes.txt", b"12 percent");
    let text = "--boundary-of-a-test\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
                --boundary-of-a-test\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\nRead\r\n";

    let answer = client()
        .post(app.url(&format!("/conversations/{conversation}/messages")))
        .header("cookie", cookie)
        .header("origin", app.origin())
        .header("content-type", content_type)
        .body([text.as_bytes(), &file].concat())
        .send()
        .await
        .expect("an answer");
    app.log(&conversation).await;

    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        answer.headers()["location"],
        format!("/conversations/{conversation}")
    );
    assert!(last_text(&model.requests()[0]).contains("12 percent"));
}
