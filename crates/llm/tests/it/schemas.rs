//! Answers of a given form: how each provider is told of the schema, and what comes back.

use std::sync::Arc;

use domain::events::FinishReason;
use domain::runs::Usage;
use llm::{ChatModel, ModelEvent, ModelRequest, ToolSpec};
use serde_json::{Value, json};

use crate::support::{anthropic, ask, body_of, client, gemini, hello, responses};

fn city() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false,
    })
}

fn request(schema: Value) -> ModelRequest {
    ModelRequest {
        output_schema: Some(Arc::new(schema)),
        ..hello()
    }
}

/// What a server is sent for a schema; its answer must be the city, with what it used up.
async fn sent<M: ChatModel>(model: impl FnOnce(u16) -> M, answer: &str) -> Value {
    let (seen, events) = ask(model, request(city()), answer).await;

    let text = |text: &str| ModelEvent::Text(text.to_owned());
    let end = ModelEvent::Finished {
        reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: 48,
            output_tokens: 9,
            cached_input_tokens: 32,
            ..Usage::default()
        },
    };
    assert_eq!(events, [text("{\"city\":"), text("\"Zürich\"}"), end]);
    body_of(&seen)
}

#[tokio::test]
async fn chat_completions_have_a_response_format() {
    let body = sent(client, include_str!("../fixtures/chat_json.sse")).await;

    let expected = json!({
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": city(), "strict": true},
    });
    assert_eq!(body["response_format"], expected);
}

#[tokio::test]
async fn responses_have_a_format_of_their_text() {
    let body = sent(responses, include_str!("../fixtures/responses_json.sse")).await;

    let expected = json!({"format": {
        "type": "json_schema", "name": "answer", "schema": city(), "strict": true,
    }});
    assert_eq!(body["text"], expected);
}

#[tokio::test]
async fn messages_have_an_output_format() {
    let body = sent(anthropic, include_str!("../fixtures/anthropic_json.sse")).await;

    let expected = json!({"format": {"type": "json_schema", "schema": city()}});
    assert_eq!(body["output_config"], expected);
}

/// Anthropic refuses objects that are not closed, and what is said of sizes.
#[tokio::test]
async fn messages_have_a_closed_schema_or_words() {
    let answer = include_str!("../fixtures/anthropic_json.sse");
    let mut wide = city();
    wide["properties"]["city"]["minLength"] = json!(2);
    wide.as_object_mut()
        .expect("an object")
        .remove("additionalProperties");
    let mut open = city();
    open["additionalProperties"] = json!(true);

    let (closed, _) = ask(anthropic, request(wide), answer).await;
    let (worded, _) = ask(anthropic, request(open.clone()), answer).await;

    let closed = body_of(&closed);
    assert_eq!(closed["output_config"]["format"]["schema"], city());
    assert_eq!(closed["system"], "Be kind.");
    let worded = body_of(&worded);
    assert_eq!(worded.get("output_config"), None);
    let words = worded["system"].as_str().expect("instructions");
    assert!(words.contains(&open.to_string()), "{words}");
}

#[tokio::test]
async fn gemini_has_a_schema_of_its_response() {
    let body = sent(gemini, include_str!("../fixtures/gemini_json.sse")).await;

    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"], city());
}

/// A schema that OpenAI's strict form does not allow is sent as a wish; the answer is checked by
/// whoever asked.
#[tokio::test]
async fn open_schemas_are_not_strict() {
    let open = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let answer = include_str!("../fixtures/chat_json.sse");

    let (seen, _) = ask(client, request(open), answer).await;

    let format = body_of(&seen)["response_format"].clone();
    assert_eq!(format["json_schema"]["strict"], false);
}

/// Gemini before 3 refuses a schema beside tools; then its instructions say it.
#[tokio::test]
async fn old_gemini_with_tools_is_told_in_words() {
    let tools: Arc<[ToolSpec]> = Arc::new([ToolSpec {
        name: "look_up".to_owned(),
        description: "Looks it up.".to_owned(),
        input_schema: json!({"type": "object"}),
    }]);
    let answer = include_str!("../fixtures/gemini_json.sse");
    for (model, is_told) in [("gemini-2.5-flash", false), ("gemini-3.5-flash", true)] {
        let request = ModelRequest {
            model: model.to_owned(),
            tools: tools.clone(),
            ..request(city())
        };

        let (seen, _) = ask(gemini, request, answer).await;

        let body = body_of(&seen);
        let config = &body["generationConfig"];
        assert_eq!(
            config.get("responseJsonSchema").is_some(),
            is_told,
            "{model}"
        );
        let words = body["systemInstruction"]["parts"][0]["text"].to_string();
        assert_eq!(words.contains("JSON Schema"), !is_told, "{words}");
    }
}

#[tokio::test]
async fn nothing_is_said_without_a_schema() {
    let answer = include_str!("../fixtures/gemini_json.sse");

    let (seen, _) = ask(gemini, hello(), answer).await;

    assert!(!seen.contains("responseMimeType"), "{seen}");
}
