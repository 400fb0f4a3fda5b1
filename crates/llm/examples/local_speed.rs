//! How fast the built-in model is here: `cargo run --release -p llm --example local_speed`.

use std::time::Instant;

use futures::StreamExt;
use llm::local::Local;
use llm::{ChatModel, ModelEvent, ModelMessage, ModelRequest, WEIGHTS_FILE};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = std::env::var("HOME")?;
    let weights = format!("{home}/.cache/agentarea/models/{WEIGHTS_FILE}");
    let local = Local::new(Some(weights.into()));
    let mut messages = Vec::new();
    let long =
        "Summarise this: ".to_owned() + &"The quick brown fox jumps over the lazy dog. ".repeat(40);
    for question in [
        "Say hello.",
        "What is the capital of France?",
        "Explain why the sky is blue.",
        &long,
    ] {
        messages.push(ModelMessage::user(question));
        let request = ModelRequest {
            model: String::new(),
            instructions: String::new(),
            messages: messages.clone(),
            temperature: Some(0.0),
            max_output_tokens: Some(128),
            output_tokens_left: None,
            supports_reasoning: None,
            tools: Default::default(),
            output_schema: None,
        };
        let begin = Instant::now();
        let mut first = None;
        let mut answer = String::new();
        let mut stream = local.stream(request).await?;
        while let Some(event) = stream.next().await {
            match event? {
                ModelEvent::Text(text) => {
                    first.get_or_insert_with(Instant::now);
                    answer += &text;
                }
                ModelEvent::Finished { reason, usage } => {
                    let first = first.unwrap_or(begin);
                    let speed = (usage.output_tokens.saturating_sub(1)) as f64
                        / first.elapsed().as_secs_f64();
                    println!(
                        "{answer}\n  [{reason:?}, {usage:?}]\n  first text {} ms, then {speed:.1} tokens/s\n",
                        (first - begin).as_millis()
                    );
                }
                other => println!("unexpected: {other:?}"),
            }
        }
        messages.push(ModelMessage::assistant(answer));
    }
    Ok(())
}
