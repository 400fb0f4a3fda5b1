//! Everything of a conversation is in its export.

use serde_json::{Value, json};
use testkit::ScriptedModel;
use testkit::scripted_model::Answer as Scripted;

use crate::files::upload;
use crate::support::TestApp;
use crate::tools::agent_with;

/// Questions before the interesting part: more messages than are read at once.
const TURNS: usize = 52;

struct Talk {
    app: TestApp,
    model: ScriptedModel,
    id: String,
}

impl Talk {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let model = ScriptedModel::start().await;
        let agent = agent_with(&app, &model, json!([{"builtin": "calculator"}])).await;
        let id = app.create_conversation(&agent).await;
        Self { app, model, id }
    }

    async fn ask(&self, text: &str, answers: impl IntoIterator<Item = Scripted>) -> String {
        for answer in answers {
            self.model.next(answer);
        }
        let run = self.app.ask(&self.id, text).await;
        self.app.log(&self.id).await;
        run
    }

    async fn export(&self, format: &str) -> String {
        let path = format!("/api/v1/conversations/{}/export?format={format}", self.id);
        let req = self.app.client.get(self.app.url(&path));
        let answer = req.bearer_auth(&self.app.key).send().await;
        let answer = answer.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.text().await.expect("a text")
    }
}

/// More than 100 messages, a file, a tool, thoughts, a stopped, a failed and a second answer.
async fn eventful() -> Talk {
    let talk = Talk::start().await;
    for number in 0..TURNS {
        let answer = Scripted::text(&format!("answer {number}."));
        talk.ask(&format!("question {number}."), [answer]).await;
    }
    let (app, id) = (&talk.app, &talk.id);
    let file = upload(app, "notes.md", b"# Margin", &[]).await.created();
    talk.model.next(Scripted::text_and_tool_calls(
        "Let me see.",
        &[("call_a", "calculator", r#"{"expression":"6*7"}"#)],
    ));
    talk.model
        .next(Scripted::thinking("Simple enough.", "It is 42."));
    let path = format!("/conversations/{id}/messages");
    let body = json!({"text": "What is 6*7?", "attachments": [file]});
    let posted = app.post(&path, body).await.body;
    app.log(id).await;
    let message = posted["message_id"].as_str().expect("a message");
    let path = format!("{path}/{message}/regeneration");
    talk.model.next(Scripted::text("Forty-two."));
    app.post(&path, json!({})).await;
    app.log(id).await;
    let (held, gate) = Scripted::numbered(9).held();
    talk.model.next(held);
    let mut stream = app.events(id, "").await;
    let run = app.ask(id, "count").await;
    gate.release(2);
    stream
        .collect_until(|event| event.data["run_id"] == run.as_str() && event.event == "text_delta")
        .await
        .expect("text");
    app.post(&format!("/runs/{run}/cancellation"), json!({}))
        .await;
    app.log(id).await;
    talk.ask("and now?", [Scripted::status(400)]).await;
    talk
}

#[tokio::test]
async fn export_for_programs_has_every_branch_with_all_that_belongs_to_it() {
    let talk = eventful().await;

    let exported: Value = serde_json::from_str(&talk.export("json").await).expect("JSON");

    let messages = exported["messages"].as_array().expect("messages");
    let with_text = |text: &str| {
        let found: Vec<&Value> = messages.iter().filter(|it| it["text"] == text).collect();
        assert_eq!(found.len(), 1, "{text}");
        found[0].clone()
    };
    with_text("question 0.");
    with_text(&format!("answer {}.", TURNS - 1));
    let question = with_text("What is 6*7?");
    assert_eq!(question["files"][0]["name"], "notes.md");
    let asking = with_text("Let me see.");
    assert_eq!(asking["tool_calls"][0]["arguments"]["expression"], "6*7");
    assert_eq!(asking["tool_calls"][0]["result"], "42");
    // Both answers to one question, on two branches that begin behind the same run.
    let (first, second) = (with_text("It is 42."), with_text("Forty-two."));
    assert_eq!(first["reasoning"], "Simple enough.");
    assert_ne!(first["run_id"], second["run_id"]);
    assert_eq!(first["parent_id"], second["parent_id"]);
    assert!(first["parent_id"].is_string());
    let runs = exported["runs"].as_array().expect("runs");
    let answering = runs
        .iter()
        .filter(|run| run["message_id"] == question["id"]);
    assert_eq!(answering.count(), 2);
    let stopped = messages
        .iter()
        .filter(|it| it["finish_reason"] == "cancelled");
    assert_eq!(stopped.count(), 1);
    let failed: Vec<&Value> = messages
        .iter()
        .filter(|it| it["error"].is_object())
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["error"]["kind"], "bad_request");
    assert_eq!(runs.len(), TURNS + 4);
}

#[tokio::test]
async fn export_for_people_has_files_tool_calls_and_what_went_wrong() {
    let talk = eventful().await;

    let text = talk.export("markdown").await;

    for (number, part) in [
        "question 0.",
        &format!("answer {}.", TURNS - 1),
        "What is 6*7?\n\nFiles:\n\n- `notes.md` (text/markdown, 8 bytes)",
        "Forty-two.",
        "count",
        "**Stopped**",
        "and now?",
        "**Failed: ",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(text.contains(part), "part {number}: {text}");
    }
    assert!(
        !text.contains("It is 42."),
        "not on the branch that is shown"
    );
    // Back to the branch with the tool.
    let json: Value = serde_json::from_str(&talk.export("json").await).expect("JSON");
    let messages = json["messages"].as_array().expect("messages");
    let first = messages.iter().find(|it| it["text"] == "It is 42.");
    let run = &first.expect("the first answer")["run_id"];
    let path = format!("/conversations/{}", talk.id);
    talk.app.patch(&path, json!({ "head_run_id": run })).await;
    let text = talk.export("markdown").await;
    let call = "Let me see.\n\nTool `builtin: calculator`, done\n\nArguments:\n\n```json\n{\n  \
                \"expression\": \"6*7\"\n}\n```\n\nResult:\n\n```\n42\n```\n";
    assert!(text.contains(call), "{text}");
    assert!(
        text.contains("*Thought:*\n\n> Simple enough.\n\nIt is 42."),
        "{text}"
    );
}
