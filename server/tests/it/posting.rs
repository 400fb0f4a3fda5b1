//! Messages that are posted at once, and requests that come twice.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, check_gapless, inputs};

use crate::people::Person;
use crate::support::{Answer, Program, TestApp, client, sign_in};
use crate::tools::of_type;

/// How often messages are posted at once.
const ROUNDS: usize = 8;
/// Messages that are posted at once.
const AT_ONCE: usize = 10;

/// A server, its model, and a conversation.
async fn chat() -> (TestApp, ScriptedModel, String) {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    (app, model, conversation)
}

fn messages(conversation: &str) -> String {
    format!("/conversations/{conversation}/messages")
}

async fn post_with(app: &TestApp, path: &str, body: Value, key: &str) -> Answer {
    let headers = [("idempotency-key", key)];
    app.send(Method::POST, path, Some(body), &headers).await
}

fn run_of(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    answer.body["run_id"].as_str().expect("a run").to_owned()
}

#[tokio::test]
async fn messages_posted_at_once_are_all_taken_and_answered_one_after_another() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("ok"));
    let agent = app.create_agent(&model).await;

    for round in 0..ROUNDS {
        let conversation = app.create_conversation(&agent).await;
        let path = messages(&conversation);
        let posts = (0..AT_ONCE).map(|number| {
            let input = inputs::message(&format!("message {number}"));
            app.post(&path, input)
        });

        let answers = join_all(posts).await;

        let statuses: Vec<StatusCode> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [StatusCode::ACCEPTED; AT_ONCE], "round {round}");
        let log = app.log(&conversation).await;
        check_gapless(&log).expect("no gap");
        let ends = log.iter().filter(|event| event.event == "run_completed");
        assert_eq!(ends.count(), AT_ONCE, "round {round}");
        // Each stands behind the one before it.
        let queued = log.iter().filter(|event| event.event == "run_queued");
        let mut before = Value::Null;
        for event in queued {
            assert_eq!(event.data["data"]["parent_id"], before, "round {round}");
            before = event.data["run_id"].clone();
        }
    }
}

/// What is remembered of a conversation is out of date once a message was posted to it.
#[tokio::test]
async fn message_behind_one_that_is_answered_asks_the_model_once() {
    let (app, model, conversation) = chat().await;
    app.ask(&conversation, "one").await;
    app.log(&conversation).await;
    let (answer, gate) = Scripted::numbered(3).held();
    model.next(answer);
    app.ask(&conversation, "two").await;
    model.wait_for_requests(2).await;

    for text in ["three", "four"] {
        app.ask(&conversation, text).await;
    }
    gate.finish();
    app.log(&conversation).await;

    assert_eq!(model.request_count(), 4, "one request for each message");
}

#[tokio::test]
async fn one_key_of_two_kinds_of_requests_names_two() {
    let (app, model, conversation) = chat().await;
    model.always(Scripted::text("ok"));
    let path = messages(&conversation);
    let posted = post_with(&app, &path, inputs::message("one"), "k").await;
    app.log(&conversation).await;
    let message = posted.body["message_id"].as_str().expect("a message");
    let again = format!("{path}/{message}/regeneration");

    let regenerated = post_with(&app, &again, json!({}), "k").await;
    let repeated = post_with(&app, &again, json!({}), "k").await;
    app.log(&conversation).await;

    assert_ne!(run_of(&regenerated), run_of(&posted));
    assert_eq!(run_of(&regenerated), run_of(&repeated));
    assert_eq!(model.request_count(), 2);
}

#[tokio::test]
async fn two_people_may_use_the_same_key() {
    let (app, model, conversation) = chat().await;
    model.always(Scripted::text("ok"));
    let path = messages(&conversation);
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let bob = ada.invites(&app, "bob@acme.example", "member").await;
    let bob = bob.makes_key(&app, Value::Null).await;
    let bobs_key = bob.key.as_deref().expect("a key of Bob's");

    let hers = post_with(&app, &path, inputs::message("hers"), "k").await;
    let url = app.url(&format!("/api/v1{path}"));
    let his = client().post(url).bearer_auth(bobs_key);
    let his = his.header("idempotency-key", "k");
    let his = his.json(&inputs::message("his")).send().await;
    let his = Answer::read(his.expect("an answer")).await;
    let log = app.log(&conversation).await;

    assert_ne!(run_of(&hers), run_of(&his));
    let asked: Vec<&Value> = of_type(&log, "message_created")
        .into_iter()
        .map(|data| &data["message"])
        .filter(|message| message["role"] == "user")
        .map(|message| &message["text"])
        .collect();
    assert_eq!(asked, ["hers", "his"]);
}

#[tokio::test]
async fn key_with_another_body_is_refused_and_free_again_after_a_day() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("ok"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let path = messages(&conversation);
    let first = post_with(&app, &path, inputs::message("one"), "k").await;
    app.log(&conversation).await;

    let other = post_with(&app, &path, inputs::message("two"), "k").await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    // As if the answer had got lost, so that only the run is left to know of it.
    sqlx::raw_sql("delete from idempotent_answers")
        .execute(&mut superuser)
        .await
        .expect("forget the answers");
    let unknown = post_with(&app, &path, inputs::message("two"), "k").await;
    let same = post_with(&app, &path, inputs::message("one"), "k").await;
    sqlx::raw_sql(
        "delete from idempotent_answers;
         update runs set created_at = created_at - interval '25 hours'",
    )
    .execute(&mut superuser)
    .await
    .expect("let a day go by");
    let later = post_with(&app, &path, inputs::message("one"), "k").await;
    let log = app.log(&conversation).await;

    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.body);
    assert_eq!(unknown.status, StatusCode::CONFLICT, "{}", unknown.body);
    assert_eq!(run_of(&same), run_of(&first));
    assert_ne!(run_of(&later), run_of(&first));
    assert_eq!(of_type(&log, "run_queued").len(), 2);
}

#[tokio::test]
async fn message_after_a_connection_changed_reaches_only_its_new_server() {
    let (app, former, conversation) = chat().await;
    let current = ScriptedModel::start().await;
    app.ask(&conversation, "hello").await;
    app.log(&conversation).await;
    let connections = app.get("/model-connections").await;
    let id = connections.body["items"][0]["id"].as_str().expect("an id");

    let path = format!("/model-connections/{id}");
    let input = json!({"base_url": current.base_url(), "api_key": "another"});
    assert_eq!(app.patch(&path, input).await.status, StatusCode::OK);
    app.ask(&conversation, "and now?").await;
    app.log(&conversation).await;

    assert_eq!(former.requests().len(), 1);
    assert_eq!(current.requests().len(), 1);
}

#[tokio::test]
async fn message_after_another_process_changed_the_connection_reaches_only_its_new_server() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let other = app.beside(Program::new(Some(db.url()))).await;
    let (former, current) = (ScriptedModel::start().await, ScriptedModel::start().await);
    let agent = app.create_agent(&former).await;
    let conversation = app.create_conversation(&agent).await;
    other.ask(&conversation, "hello").await;
    other.log(&conversation).await;
    let connections = app.get("/model-connections").await;
    let id = connections.body["items"][0]["id"].as_str().expect("an id");

    let path = format!("/model-connections/{id}");
    let input = json!({"base_url": current.base_url(), "api_key": "another"});
    assert_eq!(app.patch(&path, input).await.status, StatusCode::OK);
    other.ask(&conversation, "and now?").await;
    other.log(&conversation).await;

    assert_eq!(former.requests().len(), 1);
    assert_eq!(current.requests().len(), 1);
}

#[tokio::test]
async fn form_without_a_key_is_taken_each_time() {
    let (app, model, conversation) = chat().await;
    model.always(Scripted::text("ok"));
    let cookie = sign_in(&app, inputs::ADA).await;
    let form = "--b\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\nagain\r\n--b--\r\n";

    for _ in 0..2 {
        let answer = client()
            .post(app.url(&messages(&conversation)))
            .header("cookie", &cookie)
            .header("origin", app.origin())
            .header("content-type", "multipart/form-data; boundary=b")
            .body(form)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        app.log(&conversation).await;
    }

    assert_eq!(model.request_count(), 2);
}
