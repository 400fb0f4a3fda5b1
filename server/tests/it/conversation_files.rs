//! Files that agents keep in their conversation.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent, inputs};

use crate::files::{download, upload};
use crate::people::Person;
use crate::support::TestApp;
use crate::tools::{agent_with, of_type};

/// An agent with every tool for files, and a conversation with it.
async fn start(app: &TestApp, model: &ScriptedModel) -> (String, String) {
    let names = ["list_files", "read_file", "search_files", "write_file"];
    let tools: Vec<Value> = names.map(|name| json!({"builtin": name})).into();
    let agent = agent_with(app, model, json!(tools)).await;
    let conversation = app.create_conversation(&agent).await;
    (agent, conversation)
}

/// Has the agent make these calls, one after the other; gives their results and whether they
/// failed.
async fn calls(
    app: &TestApp,
    model: &ScriptedModel,
    conversation: &str,
    calls: &[(&str, Value)],
) -> Vec<(String, bool)> {
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let id = format!("call_{index}");
        let arguments = arguments.to_string();
        model.next(Scripted::tool_calls(&[(&id, name, &arguments)]));
    }
    model.next(Scripted::text("Done."));
    let before = app.log(conversation).await.len();
    app.ask(conversation, "go on").await;
    let log: Vec<SseEvent> = app.log(conversation).await.split_off(before);
    assert_eq!(log.last().expect("an end").event, "run_completed");
    let results = of_type(&log, "tool_call_completed");
    let result = |it: &&Value| {
        let text = it["result"].as_str().expect("text").to_owned();
        (text, it["is_error"] == true)
    };
    results.iter().map(result).collect()
}

#[tokio::test]
async fn agent_writes_reads_searches_and_lists() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, conversation) = start(&app, &model).await;
    let notes = upload(&app, "brief.txt", b"Margin\nTwelve percent", &[]);
    let notes = notes.await.created();
    model.next(Scripted::text("Thanks."));
    let input = json!({"text": "here", "attachments": [notes]});
    let path = format!("/conversations/{conversation}/messages");
    app.post(&path, input).await;
    app.log(&conversation).await;

    let plan = json!({"path": "notes/plan.md", "content": "# Plan\nraise the MARGIN\nrest"});
    let results = calls(
        &app,
        &model,
        &conversation,
        &[
            ("write_file", plan),
            ("search_files", json!({"text": "margin"})),
            (
                "read_file",
                json!({"path": "/notes/plan.md", "first_line": 2, "lines": 1}),
            ),
            ("read_file", json!({"path": "brief.txt"})),
            (
                "write_file",
                json!({"path": "notes/plan.md", "content": "new"}),
            ),
            ("list_files", json!({})),
        ],
    )
    .await;

    assert!(results.iter().all(|(_, is_error)| !is_error), "{results:?}");
    let texts: Vec<&str> = results.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        texts[1],
        "notes/plan.md:2: raise the MARGIN\nbrief.txt:1: Margin\n"
    );
    assert_eq!(texts[2], "raise the MARGIN\n\n[lines 2 to 2 of 3]");
    assert_eq!(texts[3], "Margin\nTwelve percent");
    assert!(
        texts[5].starts_with("notes/plan.md (text/markdown, 3 bytes)\n"),
        "{}",
        texts[5]
    );
    assert!(texts[5].contains("brief.txt (text/plain, 21 bytes, attached by a person)"));

    // People find the same, and can download it.
    let listed = app
        .get(&format!("/conversations/{conversation}/files"))
        .await;
    let items = listed.body["items"].as_array().expect("items").clone();
    assert_eq!(items[0]["path"], "notes/plan.md");
    assert_eq!(items[0]["is_attached"], false);
    assert_eq!(items[1]["path"], "brief.txt");
    let file = download(&app, items[0]["file_id"].as_str().expect("an id")).await;
    assert_eq!(file.text().await.expect("text"), "new");
}

#[tokio::test]
async fn paths_lead_nowhere_else_and_mistakes_are_explained() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (agent, conversation) = start(&app, &model).await;
    let secret = json!({"path": "secret.txt", "content": "only here"});
    calls(&app, &model, &conversation, &[("write_file", secret)]).await;
    let other = app.create_conversation(&agent).await;

    let results = calls(
        &app,
        &model,
        &other,
        &[
            ("read_file", json!({"path": "secret.txt"})),
            ("read_file", json!({"path": "../../etc/passwd"})),
            ("write_file", json!({"path": "..", "content": "x"})),
            (
                "write_file",
                json!({"path": "a.txt", "content": "nul \u{0} nul"}),
            ),
            ("read_file", json!({"path": "a.txt"})),
            ("search_files", json!({"text": "only"})),
            ("list_files", json!({})),
        ],
    )
    .await;

    let errors: Vec<bool> = results.iter().map(|(_, is_error)| *is_error).collect();
    let expected = [true, true, true, false, false, false, false];
    assert_eq!(errors, expected, "{results:?}");
    assert!(results[0].0.contains("list_files"), "{}", results[0].0);
    // No database keeps a NUL: a mark stands for it.
    assert_eq!(results[4].0, "nul \u{fffd} nul");
    assert_eq!(results[5].0, "No file of this conversation has \"only\".");
    assert_eq!(results[6].0, "a.txt (text/plain, 11 bytes)\n");
}

#[tokio::test]
async fn files_of_a_deleted_conversation_are_used_by_nobody() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, conversation) = start(&app, &model).await;
    let note = json!({"path": "note.txt", "content": "x"});
    calls(&app, &model, &conversation, &[("write_file", note)]).await;
    let path = format!("/conversations/{conversation}/files");
    let listed = app.get(&path).await.body;
    let file = listed["items"][0]["file_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    app.create_user(inputs::GRACE, "Initech");
    let grace = Person::sign_in(&app, inputs::GRACE).await;

    let foreign = grace.get(&app, &path).await;
    let kept = app.delete(&format!("/files/{file}")).await;
    app.delete(&format!("/conversations/{conversation}")).await;
    let free = app.delete(&format!("/files/{file}")).await;

    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(kept.status, StatusCode::CONFLICT);
    assert_eq!(free.status, StatusCode::NO_CONTENT);
}
