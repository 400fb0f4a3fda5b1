//! Agents and their versions, repeated requests, and wrong input.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{ScriptedModel, inputs};

use crate::support::TestApp;

#[tokio::test]
async fn every_save_is_a_version_and_old_ones_come_back() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");

    let saved = app
        .patch(&path, json!({"instructions": "Answer in French."}))
        .await
        .body;
    let unchanged = app
        .patch(&path, json!({"instructions": "Answer in French."}))
        .await
        .body;
    let restored = app
        .post(&format!("{path}/versions/1/restoration"), json!({}))
        .await;
    let versions = app.get(&format!("{path}/versions")).await.body;

    assert_eq!(saved["version"], 2);
    assert_eq!(unchanged["version"], 2);
    assert_eq!(restored.status, StatusCode::CREATED);
    assert_eq!(restored.body["version"], 3);
    assert_eq!(restored.body["instructions"], "Answer briefly.");
    let numbers: Vec<_> = versions["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|version| version["version"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(3), Some(2), Some(1)]);
}

#[tokio::test]
async fn wrong_input_names_its_field_and_saves_nothing() {
    let app = TestApp::start().await;
    let nowhere = uuid::Uuid::nil().to_string();

    let unknown_connection = app
        .post("/agents", inputs::agent("Scout", &nowhere, "m"))
        .await;
    let unknown_key = app.post("/agents", json!({"nam": "Scout"})).await;
    let wrong_type = app
        .post(
            "/agents",
            json!({"name": "Scout", "model": {"connection_id": nowhere, "name": 7}}),
        )
        .await;
    let agents = app.get("/agents").await.body;

    assert_eq!(unknown_connection.wrong_fields(), ["model.connection_id"]);
    assert_eq!(unknown_key.wrong_fields().len(), 1);
    assert_eq!(wrong_type.wrong_fields(), ["model.name"]);
    assert_eq!(agents["items"], json!([]));
}

#[tokio::test]
async fn deleted_agent_keeps_its_conversations_and_takes_no_messages() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    let deleted = app.delete(&format!("/agents/{agent}")).await.status;
    let messages = format!("/conversations/{conversation}/messages");
    let posted = app
        .post(&messages, inputs::message("still there?"))
        .await
        .status;
    let readable = app
        .get(&format!("/conversations/{conversation}"))
        .await
        .status;

    assert_eq!(deleted, StatusCode::NO_CONTENT);
    assert_eq!(posted, StatusCode::CONFLICT);
    assert_eq!(readable, StatusCode::OK);
}

#[tokio::test]
async fn repeated_request_with_a_key_gets_the_first_answer() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let key = [("idempotency-key", "once")];
    let input = || Some(inputs::conversation(&agent));

    let twins = tokio::join!(
        app.send(Method::POST, "/conversations", input(), &key),
        app.send(Method::POST, "/conversations", input(), &key),
    );
    let other = json!({"agent_id": agent, "title": "another body"});
    let other_body = app
        .send(Method::POST, "/conversations", Some(other), &key)
        .await;
    let list = app.get("/conversations").await.body;

    assert_eq!(twins.0.status, StatusCode::CREATED);
    assert_eq!(twins.0.body, twins.1.body);
    assert_eq!(twins.0.headers["location"], twins.1.headers["location"]);
    assert_eq!(other_body.status, StatusCode::CONFLICT);
    assert_eq!(list["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn list_is_paged_by_cursor_without_gap_or_repeat() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(app.create_conversation(&agent).await);
    }

    let mut seen = Vec::new();
    let mut path = "/conversations?limit=3".to_owned();
    loop {
        let page = app.get(&path).await.body;
        let items = page["items"].as_array().expect("items");
        seen.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/conversations?limit=3&after={next}");
    }

    made.reverse();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn empty_tools_and_fallbacks_are_accepted() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");

    let empty = app
        .patch(&path, json!({"tools": [], "fallbacks": []}))
        .await;

    assert_eq!(empty.status, StatusCode::OK);
    assert_eq!(empty.body["tools"], json!([]));
}

#[tokio::test]
async fn copy_is_an_agent_of_its_own() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    let long = "n".repeat(80);
    app.patch(&path, json!({"tags": [" Ops ", "ops", "Research"]}))
        .await;

    let copy = app.post(&format!("{path}/duplicate"), json!({})).await;
    let of_copy = app
        .patch(&path, json!({"name": long, "instructions": "Changed."}))
        .await;
    let long_copy = app.post(&format!("{path}/duplicate"), json!({})).await.body;
    app.delete(&path).await;
    let of_deleted = app.post(&format!("{path}/duplicate"), json!({})).await;

    assert_eq!(of_copy.status, StatusCode::OK);
    assert_eq!(copy.status, StatusCode::CREATED);
    assert_eq!(copy.body["name"], "Release Scout (copy)");
    assert_eq!(copy.body["version"], 1);
    assert_eq!(copy.body["tags"], json!(["ops", "research"]));
    assert_eq!(copy.body["instructions"], "Answer briefly.");
    assert_ne!(copy.body["id"], agent.as_str());
    assert_eq!(long_copy["name"], format!("{} (copy)", "n".repeat(73)));
    assert_eq!(of_deleted.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn list_finds_words_anywhere_and_tags() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let scout = app.create_agent(&model).await;
    let change = json!({
        "name": "Éclair Scout", "tags": ["ops", "two words"], "instructions": "Watch the 100% mark.",
        "tools": [{"builtin": "calculator"}],
    });
    app.patch(&format!("/agents/{scout}"), change).await;
    let path = format!("/agents/{scout}/duplicate");
    let other = app.post(&path, json!({})).await.created();
    app.patch(
        &format!("/agents/{other}"),
        json!({"name": "Clerk", "tags": ["Ops"], "tools": []}),
    )
    .await;
    let found = async |query: &str| {
        let list = app.get(&format!("/agents?{query}")).await;
        assert_eq!(list.status, StatusCode::OK, "{query}: {}", list.body);
        let items = list.body["items"].as_array().expect("items").clone();
        let names = items
            .iter()
            .map(|item| item["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };

    let (both, scout, clerk) = (
        vec!["Clerk", "Éclair Scout"],
        vec!["Éclair Scout"],
        vec!["Clerk"],
    );
    for (query, expected) in [
        ("", &both),
        ("search=", &both),
        ("search=SCOUT", &scout),
        ("search=%C3%89clair", &scout),
        ("search=mark%20scout", &scout),
        ("search=100%25", &both),
        ("search=_", &vec![]),
        ("search=calculator", &scout),
        ("search=two%20words", &scout),
        ("search=scripted-large", &both),
        ("search=nowhere", &vec![]),
        ("tag=OPS", &both),
        ("tag=two%20words", &scout),
        ("tag=two", &vec![]),
        ("tag=ops&search=clerk", &clerk),
        ("limit=1", &clerk),
    ] {
        assert_eq!(&found(query).await, expected, "{query}");
    }
    let tags = app.get("/agent-tags").await.body;
    let expected = json!([{"tag": "ops", "agents": 2}, {"tag": "two words", "agents": 1}]);
    assert_eq!(tags["items"], expected);
    let long = app
        .get(&format!("/agents?search={}", "x".repeat(201)))
        .await;
    assert_eq!(long.wrong_fields(), ["search"]);
}

#[tokio::test]
async fn tags_are_few_and_short() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let path = format!("/agents/{}", app.create_agent(&model).await);
    let many: Vec<String> = (0..11).map(|tag| tag.to_string()).collect();

    let many = app.patch(&path, json!({"tags": many})).await;
    let long = app
        .patch(&path, json!({"tags": ["fine", "x".repeat(31)]}))
        .await;
    let blank = app.patch(&path, json!({"tags": ["  "]})).await;
    let saved = app.get(&path).await.body;

    assert_eq!(many.wrong_fields(), ["tags"]);
    assert_eq!(long.wrong_fields(), ["tags[1]"]);
    assert_eq!(blank.wrong_fields(), ["tags[0]"]);
    assert_eq!(saved["version"], 1);
}

#[tokio::test]
async fn each_version_tells_who_changed_what() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    let text = |last: &str| format!("one\ntwo\nthree\nfour\nfive\nsix\nseven\n{last}\n");
    app.patch(&path, json!({"instructions": text("eight")}))
        .await;
    app.patch(
        &path,
        json!({"instructions": text("nine"), "name": "Scout", "tags": ["ops"],
            "tools": [{"builtin": "calculator", "approval": "always"}],
            "limits": {"max_seconds": 60, "max_cost_usd_micros": 5000}}),
    )
    .await;
    app.patch(
        &path,
        json!({"tools": [{"builtin": "calculator", "approval": "never"}]}),
    )
    .await;

    let changes = app.get(&format!("{path}/changes")).await.body;
    let second = app.get(&format!("{path}/changes?limit=1&after=3")).await;
    let versions = app.get(&format!("{path}/versions")).await.body;

    let items = changes["items"].as_array().expect("items");
    let numbers: Vec<_> = items.iter().map(|it| it["version"].as_u64()).collect();
    assert_eq!(numbers, [Some(4), Some(3), Some(2), Some(1)]);
    assert_eq!(
        items[0]["changes"],
        json!([{"field": "tools", "before": "calculator, always ask",
            "after": "calculator, never ask"}])
    );
    let third = &items[1]["changes"];
    let fields: Vec<&str> = third
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| change["field"].as_str().expect("a field"))
        .collect();
    assert_eq!(
        fields,
        [
            "name",
            "tags",
            "instructions",
            "tools",
            "limits.max_cost_usd_micros",
            "limits.max_seconds"
        ]
    );
    assert_eq!(third[0]["before"], "Release Scout");
    assert_eq!(third[0]["after"], "Scout");
    assert_eq!(
        third[2]["lines"],
        json!([
            {"kind": "gap", "before": null, "after": null, "text": "4"},
            {"kind": "same", "before": 5, "after": 5, "text": "five"},
            {"kind": "same", "before": 6, "after": 6, "text": "six"},
            {"kind": "same", "before": 7, "after": 7, "text": "seven"},
            {"kind": "removed", "before": 8, "after": null, "text": "eight"},
            {"kind": "added", "before": null, "after": 8, "text": "nine"},
        ])
    );
    assert_eq!(items[3]["changes"], json!([]));
    // The last of a page is compared, too.
    assert_eq!(second.body["items"][0], items[2]);
    assert_eq!(second.body["next"], "2");
    for it in items
        .iter()
        .chain(versions["items"].as_array().expect("items"))
    {
        assert_eq!(it["author"], inputs::ADA);
        assert!(it["author_id"].is_string());
    }
}

#[tokio::test]
async fn every_template_makes_an_agent() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let connection = inputs::model_connection("Scripted", &model.base_url());
    let connection = app.post("/model-connections", connection).await.created();

    let templates = app.get("/agent-templates").await.body;

    let items = templates["items"].as_array().expect("templates");
    assert!(items.len() >= 8, "{} templates", items.len());
    for template in items {
        let mut input = template.clone();
        let fields = input.as_object_mut().expect("an object");
        for own in ["key", "icon", "summary", "suggests", "temperature"] {
            fields.remove(own);
        }
        input["model"] = json!({"connection_id": connection, "name": "scripted-large"});
        let made = app.post("/agents", input).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        assert_eq!(made.body["instructions"], template["instructions"]);
    }
}
