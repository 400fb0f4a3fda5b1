//! Asking again, asking otherwise, and going back: a conversation as a tree.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, check_gapless, inputs};

use crate::support::{Answer, TestApp};

/// A conversation with an agent on a scripted model.
struct Chat {
    app: TestApp,
    model: ScriptedModel,
    id: String,
}

impl Chat {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let model = ScriptedModel::start().await;
        let agent = app.create_agent(&model).await;
        let id = app.create_conversation(&agent).await;
        Self { app, model, id }
    }

    /// Asks, and waits for the answer.
    async fn ask(&self, text: &str, answer: &str) -> String {
        self.model.next(Scripted::text(answer));
        let run = self.app.ask(&self.id, text).await;
        self.app.log(&self.id).await;
        run
    }

    async fn post(&self, body: Value) -> Answer {
        let path = format!("/conversations/{}/messages", self.id);
        self.app.post(&path, body).await
    }

    async fn regenerate(&self, message: &str) -> Answer {
        let path = format!("/conversations/{}/messages/{message}/regeneration", self.id);
        self.app.post(&path, json!({})).await
    }

    async fn show(&self, run: &str) -> Answer {
        let path = format!("/conversations/{}", self.id);
        self.app.patch(&path, json!({"head_run_id": run})).await
    }

    /// Ids and texts of the branch that is shown, oldest first.
    async fn branch(&self) -> Vec<(String, String)> {
        let path = format!("/conversations/{}/messages", self.id);
        let messages = self.app.get(&path).await.body;
        let items = messages["items"].as_array().expect("messages");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let both = items.iter().rev();
        both.map(|it| (text(&it["id"]), text(&it["text"])))
            .collect()
    }

    async fn texts(&self) -> Vec<String> {
        self.branch()
            .await
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }

    /// What the model was asked last, without the instructions.
    fn asked(&self) -> Vec<String> {
        let requests = self.model.requests();
        let messages = requests.last().expect("a request")["messages"].clone();
        let messages = messages.as_array().expect("messages").clone();
        let texts = messages[1..].iter();
        texts
            .map(|it| it["content"].as_str().expect("text").to_owned())
            .collect()
    }
}

#[tokio::test]
async fn regenerated_answer_stands_beside_the_first_and_both_can_be_shown() {
    let chat = Chat::start().await;
    let first_run = chat.ask("one?", "first").await;
    chat.ask("two?", "second").await;
    let before = chat.branch().await;
    chat.model.next(Scripted::text("first again"));

    let regenerated = chat.regenerate(&before[1].0).await;
    let log = chat.app.log(&chat.id).await;

    assert_eq!(regenerated.status, StatusCode::ACCEPTED);
    assert_eq!(regenerated.body["message_id"], before[0].0.as_str());
    assert_eq!(chat.asked(), ["one?"]);
    assert_eq!(chat.texts().await, ["one?", "first again"]);
    check_gapless(&log).expect("no gap");
    let queued = log.iter().rfind(|event| event.event == "run_queued");
    let queued = &queued.expect("the run").data["data"];
    assert_eq!(queued["parent_id"], Value::Null);
    assert_eq!(queued["message_id"], before[0].0.as_str());

    let shown = chat.show(&first_run).await;

    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(chat.branch().await, before);
    chat.ask("three?", "third").await;
    assert_eq!(
        chat.asked(),
        ["one?", "first", "two?", "second", "three?"],
        "the model sees the branch that is shown"
    );
}

#[tokio::test]
async fn edited_message_begins_a_branch_of_its_own() {
    let chat = Chat::start().await;
    chat.ask("one?", "first").await;
    let second_run = chat.ask("two?", "second").await;
    let before = chat.branch().await;
    chat.model.next(Scripted::text("other"));

    let edited = chat
        .post(json!({"text": "two, otherwise?", "replaces": before[2].0}))
        .await;
    chat.app.log(&chat.id).await;

    assert_eq!(edited.status, StatusCode::ACCEPTED);
    assert_eq!(chat.asked(), ["one?", "first", "two, otherwise?"]);
    assert_eq!(
        chat.texts().await,
        ["one?", "first", "two, otherwise?", "other"]
    );
    chat.show(&second_run).await;
    assert_eq!(chat.branch().await, before);
}

#[tokio::test]
async fn message_goes_to_the_branch_that_its_author_sees() {
    let chat = Chat::start().await;
    let seen = chat.ask("one?", "first").await;
    let question = chat.branch().await[0].0.clone();
    chat.model.next(Scripted::text("other"));
    // Somebody else begins another branch, which is shown from now on.
    chat.post(json!({"text": "otherwise?", "replaces": question}))
        .await;
    chat.app.log(&chat.id).await;
    assert_eq!(chat.texts().await, ["otherwise?", "other"]);
    chat.model.next(Scripted::text("second"));

    let posted = chat
        .post(json!({"text": "two?", "head_run_id": seen}))
        .await;
    let log = chat.app.log(&chat.id).await;

    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    assert_eq!(chat.asked(), ["one?", "first", "two?"]);
    assert_eq!(chat.texts().await, ["one?", "first", "two?", "second"]);
    let queued = log.iter().rfind(|event| event.event == "run_queued");
    assert_eq!(queued.expect("the run").data["data"]["parent_id"], seen);
}

/// Who writes while others do begins no branch.
#[tokio::test]
async fn message_goes_to_the_end_of_a_branch_that_has_grown_meanwhile() {
    let chat = Chat::start().await;
    let seen = chat.ask("one?", "first").await;
    chat.ask("two?", "second").await;
    chat.model.next(Scripted::text("third"));

    let posted = chat
        .post(json!({"text": "three?", "head_run_id": seen}))
        .await;
    chat.app.log(&chat.id).await;

    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    assert_eq!(chat.asked(), ["one?", "first", "two?", "second", "three?"]);
}

#[tokio::test]
async fn message_for_another_branch_waits_for_the_answer_that_is_written() {
    let chat = Chat::start().await;
    let seen = chat.ask("one?", "first").await;
    let question = chat.branch().await[0].0.clone();
    let (answer, gate) = Scripted::text("other").held();
    chat.model.next(answer);
    chat.post(json!({"text": "otherwise?", "replaces": question}))
        .await;
    chat.model.wait_for_requests(2).await;
    chat.model.next(Scripted::text("second"));

    let posted = chat
        .post(json!({"text": "two?", "head_run_id": seen}))
        .await;
    let run = posted.body["run_id"].as_str().expect("a run").to_owned();
    let waiting = chat.app.get(&format!("/runs/{run}")).await;
    gate.finish();
    chat.app.log(&chat.id).await;

    assert_eq!(waiting.body["status"], "queued");
    assert_eq!(chat.asked(), ["one?", "first", "two?"]);
    assert_eq!(chat.texts().await, ["one?", "first", "two?", "second"]);
}

#[tokio::test]
async fn failed_answer_is_tried_again_without_the_failure() {
    let chat = Chat::start().await;
    chat.model.next(Scripted::status(401));
    chat.app.ask(&chat.id, "one?").await;
    chat.app.log(&chat.id).await;
    let question = chat.branch().await[0].0.clone();
    chat.model.next(Scripted::text("better"));

    let retried = chat.regenerate(&question).await;
    chat.app.log(&chat.id).await;

    assert_eq!(retried.status, StatusCode::ACCEPTED);
    assert_eq!(chat.texts().await, ["one?", "better"]);
    assert_eq!(chat.asked(), ["one?"]);
}

#[tokio::test]
async fn nothing_is_asked_again_while_an_answer_is_written() {
    let chat = Chat::start().await;
    chat.ask("one?", "first").await;
    let before = chat.branch().await;
    let (answer, gate) = Scripted::text("slow").held();
    chat.model.next(answer);
    chat.app.ask(&chat.id, "two?").await;

    let regenerated = chat.regenerate(&before[1].0).await.status;
    let edited = chat
        .post(json!({"text": "other", "replaces": before[0].0}))
        .await
        .status;
    gate.finish();
    chat.app.log(&chat.id).await;

    assert_eq!(regenerated, StatusCode::CONFLICT);
    assert_eq!(edited, StatusCode::CONFLICT);
    assert_eq!(chat.texts().await, ["one?", "first", "two?", "slow"]);
}

#[tokio::test]
async fn foreign_messages_and_runs_are_refused() {
    let chat = Chat::start().await;
    chat.ask("one?", "first").await;
    let answer = chat.branch().await[1].0.clone();
    let nobody = uuid::Uuid::nil().to_string();

    let unknown = chat.post(json!({"text": "x", "replaces": nobody})).await;
    let of_agent = chat.post(json!({"text": "x", "replaces": answer})).await;
    let elsewhere = chat.post(json!({"text": "x", "head_run_id": nobody})).await;
    let run = chat.show(&nobody).await;
    let message = chat.regenerate(&nobody).await.status;

    assert_eq!(unknown.wrong_fields(), ["replaces"]);
    assert_eq!(of_agent.wrong_fields(), ["replaces"]);
    assert_eq!(elsewhere.wrong_fields(), ["head_run_id"]);
    assert_eq!(run.wrong_fields(), ["head_run_id"]);
    assert_eq!(message, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_queued_message_sees_the_answers_before_it() {
    let chat = Chat::start().await;
    let (answer, gate) = Scripted::text("first").held();
    chat.model.next(answer);
    for answer in ["second", "third", "fourth"] {
        chat.model.next(Scripted::text(answer));
    }

    chat.app.ask(&chat.id, "one?").await;
    chat.model.wait_for_requests(1).await;
    for question in ["two?", "three?", "four?"] {
        chat.app.ask(&chat.id, question).await;
    }
    gate.finish();
    chat.app.log(&chat.id).await;

    assert_eq!(
        chat.asked(),
        [
            "one?", "first", "two?", "second", "three?", "third", "four?"
        ]
    );
    assert_eq!(
        chat.texts().await,
        [
            "one?", "first", "two?", "second", "three?", "third", "four?", "fourth"
        ]
    );
}

#[tokio::test]
async fn branch_is_paged_in_its_own_order() {
    let chat = Chat::start().await;
    for number in 0..3 {
        chat.ask(&format!("q{number}"), &format!("a{number}")).await;
    }
    let all: Vec<String> = chat.texts().await.into_iter().rev().collect();
    let path = format!("/conversations/{}/messages", chat.id);

    let mut paged = Vec::new();
    let mut after = String::new();
    loop {
        let page = chat.app.get(&format!("{path}?limit=2{after}")).await.body;
        for item in page["items"].as_array().expect("messages") {
            paged.push(item["text"].as_str().expect("text").to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let wrong = chat.app.get(&format!("{path}?after=nonsense")).await.status;

    assert_eq!(paged, all);
    assert_eq!(wrong, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn same_message_asked_again_twice_with_a_key_runs_once() {
    let chat = Chat::start().await;
    chat.ask("one?", "first").await;
    let answer = chat.branch().await[1].0.clone();
    let path = format!("/conversations/{}/messages/{answer}/regeneration", chat.id);
    let key = [("idempotency-key", "again")];
    let post = || {
        chat.app
            .send(reqwest::Method::POST, &path, Some(json!({})), &key)
    };

    let (first, second) = tokio::join!(post(), post());
    chat.app.log(&chat.id).await;

    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.body, second.body);
    assert_eq!(chat.model.request_count(), 2);
}

#[tokio::test]
async fn deleted_agents_answers_are_not_written_again() {
    let chat = Chat::start().await;
    chat.ask("one?", "first").await;
    let answer = chat.branch().await[1].0.clone();
    let conversation = chat.app.get(&format!("/conversations/{}", chat.id)).await;
    let agent = conversation.body["agent_id"].as_str().expect("an id");
    chat.app.delete(&format!("/agents/{agent}")).await;

    let again = chat.regenerate(&answer).await.status;
    let next = chat.post(inputs::message("two?")).await.status;

    assert_eq!(again, StatusCode::CONFLICT);
    assert_eq!(next, StatusCode::CONFLICT);
}
