//! The built-in model. Tests that need its weights say so and pass where they are absent.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use candle_core::quantized::gguf_file::Content;
use domain::conversations::MessageRole;
use domain::events::FinishReason;
use futures::StreamExt;
use llm::local::{Local, Vocabulary};
use llm::{ChatModel, ModelError, ModelEvent, ModelMessage, ModelRequest, WEIGHTS_FILE};
use serde::Deserialize;
use testkit::not_tested;

#[derive(Deserialize)]
struct Expected {
    text: String,
    ids: Vec<u32>,
}

fn weights() -> Option<PathBuf> {
    let home = std::env::var("HOME").ok()?;
    let path = PathBuf::from(home)
        .join(".cache/agentarea/models")
        .join(WEIGHTS_FILE);
    if !path.is_file() {
        not_tested("the built-in model: its weights are not installed (scripts/fetch-model.sh)");
        return None;
    }
    Some(path)
}

fn request(text: &str, max_output_tokens: u32) -> ModelRequest {
    ModelRequest {
        model: String::new(),
        instructions: String::new(),
        messages: vec![said(MessageRole::User, text)],
        temperature: Some(0.0),
        max_output_tokens: Some(max_output_tokens),
        output_tokens_left: None,
        supports_reasoning: None,
        tools: Default::default(),
        output_schema: None,
    }
}

fn said(role: MessageRole, text: &str) -> ModelMessage {
    match role {
        MessageRole::User => ModelMessage::user(text),
        MessageRole::Assistant => ModelMessage::assistant(text),
    }
}

async fn answer(local: &Local, request: ModelRequest) -> (String, FinishReason, u64) {
    let mut stream = local.stream(request).await.expect("a stream");
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event.expect("an event") {
            ModelEvent::Text(piece) => text += &piece,
            ModelEvent::Finished { reason, usage } => return (text, reason, usage.input_tokens),
            other => panic!("unexpected: {other:?}"),
        }
    }
    panic!("the stream ends without an end");
}

/// The fixture was made by llama.cpp's own tokenizer (PyPI xllamacpp 2026.10, `/tokenize` with
/// `add_special` and `parse_special` off) from the same GGUF file.
#[test]
fn tokens_are_those_of_llama_cpp() {
    let Some(weights) = weights() else { return };
    let mut file = BufReader::new(File::open(weights).expect("the weights"));
    let content = Content::read(&mut file).expect("a header");
    let vocabulary = Vocabulary::from_gguf(&content).expect("a vocabulary");
    let fixture = include_str!("../fixtures/smollm2_tokens.json");
    let expected: Vec<Expected> = serde_json::from_str(fixture).expect("a fixture");

    assert!(expected.len() >= 30);
    for Expected { text, ids } in expected {
        assert_eq!(vocabulary.encode(&text).expect("tokens"), ids, "{text:?}");
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| vocabulary.bytes(id))
            .copied()
            .collect();
        assert_eq!(String::from_utf8(bytes).as_ref(), Ok(&text));
    }
}

#[tokio::test]
async fn an_answer_is_sensible_and_repeatable_across_turns() {
    let Some(weights) = weights() else { return };
    let local = Local::new(Some(weights.clone()));
    let mut first = request("What is the capital of France?", 24);

    let (text, _, input) = answer(&local, first.clone()).await;
    assert!(text.contains("Paris"), "{text}");
    // The template of the model's file around the question.
    assert_eq!(input, 37);

    first.messages.push(said(MessageRole::Assistant, &text));
    first
        .messages
        .push(said(MessageRole::User, "And of Italy?"));
    let remembered = answer(&local, first.clone()).await;
    let fresh = answer(&Local::new(Some(weights)), first).await;
    assert_eq!(remembered, fresh);
}

#[tokio::test]
async fn answers_end_at_the_limit() {
    let Some(weights) = weights() else { return };
    let local = Local::new(Some(weights));

    let (_, reason, _) = answer(&local, request("Count to one hundred.", 3)).await;

    assert_eq!(reason, FinishReason::Length);
}

#[tokio::test]
async fn a_dropped_answer_makes_room_and_a_ninth_in_line_is_refused() {
    let Some(weights) = weights() else { return };
    let local = Local::new(Some(weights));
    let mut busy = local
        .stream(request("Tell a long story.", 2000))
        .await
        .expect("a stream");
    busy.next().await.expect("an event").expect("a text");

    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(
            local
                .stream(request("Hi", 1))
                .await
                .expect("a place in line"),
        );
    }
    let refused = local.stream(request("Hi", 1)).await.err();
    assert_eq!(refused, Some(ModelError::Busy));

    drop(busy);
    let mut last = waiting.pop().expect("a stream");
    drop(waiting);
    last.next().await.expect("an event").expect("a text");
}

#[tokio::test]
async fn a_message_beyond_the_context_is_too_long_and_old_ones_are_left_out() {
    let Some(weights) = weights() else { return };
    let local = Local::new(Some(weights));
    let huge = "word ".repeat(5000);

    let mut stream = local.stream(request(&huge, 1)).await.expect("a stream");
    assert_eq!(stream.next().await, Some(Err(ModelError::TooLong)));

    let mut long = request(&huge, 1);
    long.messages.push(said(MessageRole::Assistant, "I see."));
    long.messages
        .push(said(MessageRole::User, "What is the capital of France?"));
    let (_, _, input) = answer(&local, long).await;
    assert_eq!(input, 37);
}

#[tokio::test]
async fn without_weights_it_is_not_installed() {
    for weights in [None, Some(PathBuf::from("/nonexistent/weights.gguf"))] {
        let local = Local::new(weights);

        assert!(!local.is_installed());
        assert_eq!(local.list_models().await, Err(ModelError::NotInstalled));
        let error = local.stream(request("Hi", 1)).await.err();
        assert_eq!(error, Some(ModelError::NotInstalled));
    }
}

#[tokio::test]
async fn a_broken_file_is_a_local_error() {
    let local = Local::new(Some(
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
    ));

    let mut stream = local.stream(request("Hi", 1)).await.expect("a stream");

    assert_eq!(stream.next().await, Some(Err(ModelError::Local)));
}
