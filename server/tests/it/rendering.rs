//! Answers as HTML on the stream of those who ask for it.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent};

use crate::support::TestApp;

/// The blocks of the latest answer, as a page puts them together.
#[derive(Default)]
struct Shown {
    blocks: BTreeMap<u64, String>,
}

impl Shown {
    fn take(&mut self, event: &SseEvent) {
        if event.event == "html_live" {
            let block = event.data["block"].as_u64().expect("a number");
            let html = event.data["html"].as_str().expect("HTML").to_owned();
            self.blocks.retain(|number, _| *number < block);
            self.blocks.insert(block, html);
        }
    }

    fn html(&self) -> String {
        self.blocks.values().map(String::as_str).collect()
    }
}

fn chunks(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

#[tokio::test]
async fn stream_shows_html_by_blocks_and_the_whole_at_the_end() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let text = "Some **bold**.\n\n```rust\nfn main() {}\n```\n\n<script>x</script> end";
    let (answer, gate) = Scripted::of(chunks(text)).held();
    model.next(answer);
    let mut stream = app.events(&conversation, "?render=html").await;
    app.ask(&conversation, "show").await;
    gate.release(text.len() - 4);

    let mut shown = Shown::default();
    while !shown.html().contains("&lt;/script&gt;") {
        let event = stream.next().await.expect("a stream").expect("an event");
        shown.take(&event);
    }
    let open = shown.html();
    let blocks = shown.blocks.len();
    gate.finish();
    let rest = stream
        .collect_until(|event| event.data["is_whole"] == true)
        .await
        .expect("the whole");
    for event in &rest {
        shown.take(event);
    }

    assert!(open.contains("<strong>bold</strong>"), "{open}");
    assert!(
        open.contains("hl-k"),
        "a finished block is coloured: {open}"
    );
    assert!(!open.contains("<script"), "{open}");
    assert_eq!(blocks, 3);
    assert_eq!(shown.blocks.len(), 1);
    assert!(shown.html().contains("&lt;/script&gt; end"));
    let completed = rest.iter().rev().nth(1).expect("an event before");
    assert_eq!(completed.event, "message_completed");
    assert!(
        rest.iter()
            .all(|event| event.event != "html_live" || event.id.is_none())
    );
}

#[tokio::test]
async fn late_watcher_gets_what_is_written_already_as_html() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::of(chunks("One.\n\nTwo.\n\nThree")).held();
    model.next(answer);
    app.ask(&conversation, "count").await;
    gate.release(13);
    let mut plain = app.events(&conversation, "").await;
    plain
        .collect_until(|event| event.event == "text_delta")
        .await
        .expect("logged text");

    let mut stream = app.events(&conversation, "?render=html").await;
    let mut shown = Shown::default();
    while !shown.html().contains("Two.") {
        let event = stream.next().await.expect("a stream").expect("an event");
        shown.take(&event);
    }
    gate.finish();
    let rest = plain
        .collect_until(|event| event.event == "run_completed")
        .await
        .expect("the end");

    assert!(shown.html().contains("<p>One.</p>"), "{}", shown.html());
    assert!(
        rest.iter().all(|event| event.event != "html_live"),
        "who does not ask gets the contract's stream"
    );
}

#[tokio::test]
async fn answer_beyond_what_is_rendered_live_is_not_sent_again_and_again() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let paragraph = format!("{}\n\n", "many words ".repeat(6_000));
    let (answer, gate) = Scripted::of(vec![paragraph.clone(); 24]).held();
    model.next(answer);
    let mut plain = app.events(&conversation, "").await;
    let mut stream = app.events(&conversation, "?render=html").await;
    let sent = tokio::spawn(async move {
        let mut sent = 0;
        while let Ok(Some(event)) = stream.next().await {
            match event.event.as_str() {
                "html_live" if event.data["is_whole"] == true => return sent,
                "html_live" => sent += event.data["html"].as_str().map_or(0, str::len),
                _ => {}
            }
        }
        panic!("the stream ended after {sent} bytes");
    });
    app.ask(&conversation, "tell").await;

    for pieces in [18, 1, 1, 1, 1, 1] {
        gate.release(pieces);
        plain
            .collect_until(|event| event.event == "text_delta")
            .await
            .expect("logged text");
    }
    gate.finish();
    let sent = sent.await.expect("the whole at the end");

    assert!(sent > paragraph.len() * 10, "{sent} bytes were shown live");
    assert!(
        sent < paragraph.len() * 24,
        "{sent} bytes: more than the answer has"
    );
}

#[tokio::test]
async fn page_has_sanitised_html_and_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text(
        "![plan](https://evil.example/x.png) <img src=https://evil.example/y.png> [go](https://example.com)",
    ));
    app.ask(&conversation, "draw").await;
    app.log(&conversation).await;

    let cookie = crate::support::sign_in(&app, testkit::inputs::ADA).await;
    let page = app
        .client
        .get(app.url(&format!("/conversations/{conversation}")))
        .header("cookie", cookie)
        .header("accept", "text/html")
        .send()
        .await
        .expect("a page");
    let html = page.text().await.expect("a text");

    let body = html.split("data-message").nth(2).expect("the answer");
    let answer: &str = body.split("</article>").next().unwrap_or_default();
    assert!(!answer.contains("<img"), "{answer}");
    assert!(answer.contains(">plan</a>"), "{answer}");
    assert!(answer.contains("&lt;img src"), "{answer}");
    assert!(answer.contains(r#"rel="noopener nofollow""#), "{answer}");
}

#[tokio::test]
async fn wrong_rendering_is_named() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    let wrong: Value = app
        .get(&format!("/conversations/{conversation}/events?render=pdf"))
        .await
        .body;

    assert_eq!(wrong["errors"][0]["field"], "render");
}

#[tokio::test]
async fn answer_in_json_is_shown_as_code() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("{\"note\": \"**no** ``` emphasis\"}"));
    let mut stream = app.events(&conversation, "?render=html").await;

    app.ask(&conversation, "as JSON").await;
    let shown = stream
        .collect_until(|event| event.data["is_whole"] == true)
        .await
        .expect("the whole");

    let html = shown.last().expect("an event").data["html"]
        .as_str()
        .expect("HTML");
    assert!(html.contains("<pre"), "{html}");
    assert!(html.contains("**no** ``` emphasis"), "{html}");
}
