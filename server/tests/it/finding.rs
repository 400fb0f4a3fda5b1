//! Finding conversations again: search, pins, exports.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::ScriptedModel;
use testkit::scripted_model::Answer as Scripted;

use crate::support::TestApp;

/// A conversation about something; gives its id.
async fn talk(
    app: &TestApp,
    model: &ScriptedModel,
    agent: &str,
    text: &str,
    answer: &str,
) -> String {
    let conversation = app.create_conversation(agent).await;
    model.next(Scripted::text(answer));
    app.ask(&conversation, text).await;
    app.log(&conversation).await;
    conversation
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("conversations");
    items
        .iter()
        .map(|it| it["id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn conversations_are_found_by_words_of_questions_answers_and_titles() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let shop = talk(
        &app,
        &model,
        &agent,
        "Why is /checkout-page slow?",
        "The Überweisung waits.",
    )
    .await;
    let cake = talk(
        &app,
        &model,
        &agent,
        "A cake, please",
        "Take 200 g of flour.",
    )
    .await;
    app.patch(
        &format!("/conversations/{cake}"),
        json!({"title": "Baking on Sunday"}),
    )
    .await;
    let find = async |query: &str| {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        app.get(&format!("/conversations?query={query}")).await
    };

    for (query, found) in [
        ("checkout", vec![&shop]),
        ("CHECK slow", vec![&shop]),
        ("überweis", vec![&shop]),
        ("flour 200", vec![&cake]),
        ("sunday", vec![&cake]),
        ("flour slow", vec![]),
        ("' & | ! :* \\ %", vec![]),
        ("  ", vec![&cake, &shop]),
    ] {
        assert_eq!(ids(&find(query).await.body), found, "{query}");
    }
    let long = find(&"x".repeat(201)).await;
    assert_eq!(long.wrong_fields(), ["query"]);

    app.delete(&format!("/conversations/{shop}")).await;

    assert!(ids(&find("checkout").await.body).is_empty());
}

#[tokio::test]
async fn words_are_found_whatever_stands_beside_them() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    // PostgreSQL takes no word of 3,000 letters.
    let long = "y".repeat(3_000);
    let answer = format!("“Zitat”—kurz, 東京、大阪府とGPTの話 {long} end");
    let said = talk(
        &app,
        &model,
        &agent,
        "«Bitte»—sag、es 请比较三个方案",
        &answer,
    )
    .await;
    let title = json!({"title": "‘Gesagt’…getan เปรียบเทียบ"});
    app.patch(&format!("/conversations/{said}"), title).await;

    let of_answer = ["zitat", "KURZ", "大阪", "阪府", "話", "gpt", "zitat end"];
    let of_question_and_title = [
        "bitte",
        "SAG",
        "es",
        "gesagt",
        "getan",
        "比较",
        "方案",
        "เทียบ",
    ];
    for query in of_answer.into_iter().chain(of_question_and_title) {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let found = app.get(&format!("/conversations?query={query}")).await;
        assert_eq!(ids(&found.body), [&said], "{query}");
    }
    for query in ["京大", "府話", "比方"] {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let found = app.get(&format!("/conversations?query={query}")).await;
        assert!(ids(&found.body).is_empty(), "{query}");
    }
}

#[tokio::test]
async fn hit_names_the_newest_message_and_shows_what_stands_around() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = talk(&app, &model, &agent, "What is a heron?", "A **grey bird**.").await;
    model.next(Scripted::text(
        "Herons stand\n\nin water, and the Grey Heron stands longest of all.",
    ));
    app.ask(&conversation, "And where?").await;
    app.log(&conversation).await;
    let path = format!("/conversations/{conversation}");
    app.patch(&path, json!({"title": "Birds of the harbour"}))
        .await;
    let messages = app.get(&format!("{path}/messages")).await.body;
    let newest = &messages["items"][0]["id"];

    let by_phrase = app.get("/conversations?query=grey%20heron").await.body;
    let by_words = app.get("/conversations?query=water%20in").await.body;
    let by_title = app.get("/conversations?query=harbour").await.body;
    let unasked = app.get("/conversations").await.body;

    let hit = json!({
        "message_id": newest,
        "before": "Herons stand in water, and the ",
        "found": "Grey Heron",
        "after": " stands longest of all.",
    });
    assert_eq!(by_phrase["items"][0]["hit"], hit);
    assert_eq!(by_words["items"][0]["hit"]["found"], "water");
    assert_eq!(by_words["items"][0]["hit"]["before"], "Herons stand in ");
    for page in [by_title, unasked] {
        assert_eq!(ids(&page), [&conversation]);
        assert!(page["items"][0].get("hit").is_none(), "{page}");
    }
}

#[tokio::test]
async fn pinned_conversations_stand_first_on_every_page() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(app.create_conversation(&agent).await);
    }

    let pinned = app
        .patch(
            &format!("/conversations/{}", made[0]),
            json!({"is_pinned": true}),
        )
        .await;
    let first = app.get("/conversations?limit=2").await.body;
    let next = first["next"].as_str().expect("another page").to_owned();
    let second = app.get(&format!("/conversations?after={next}")).await.body;

    assert_eq!(pinned.body["is_pinned"], true);
    assert_eq!(ids(&first), [&made[0], &made[2]]);
    assert_eq!(ids(&second), [&made[1]]);
    app.patch(
        &format!("/conversations/{}", made[0]),
        json!({"is_pinned": false}),
    )
    .await;
    let all = app.get("/conversations").await.body;
    assert_eq!(ids(&all), [&made[2], &made[1], &made[0]]);
}

#[tokio::test]
async fn conversation_is_exported_for_people_and_for_programs() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let id = talk(
        &app,
        &model,
        &agent,
        "Why \"so\" slow?",
        "**Because** of:\n\n- waiting",
    )
    .await;
    let export = async |query: &str| {
        let url = app.url(&format!("/api/v1/conversations/{id}/export{query}"));
        let req = app.client.get(url).bearer_auth(&app.key);
        req.send().await.expect("an answer")
    };

    let markdown = export("?format=markdown").await;
    let headers = markdown.headers().clone();
    let markdown = markdown.text().await.expect("a text");
    let exported: Value = export("?format=json").await.json().await.expect("JSON");
    let wrong = export("?format=pdf").await.status();

    assert_eq!(headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"why-so-slow.md\""
    );
    assert!(
        markdown.starts_with("# Why \"so\" slow?\n\n## You\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("## Release Scout\n")
            && markdown.contains("**Because** of:\n\n- waiting"),
        "{markdown}"
    );
    assert_eq!(exported["conversation"]["id"], id.as_str());
    assert_eq!(
        exported["messages"][1]["text"],
        "**Because** of:\n\n- waiting"
    );
    assert_eq!(wrong, StatusCode::UNPROCESSABLE_ENTITY);
}
