//! The four wire formats, as far as the faults that all of them share need them.

use llm::ChatModel;
use serde_json::json;

use crate::support::{Then, anthropic, client, gemini, listen, responses};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Chat,
    Messages,
    Gemini,
    Responses,
}

pub const ALL: [Wire; 4] = [Wire::Chat, Wire::Messages, Wire::Gemini, Wire::Responses];

impl Wire {
    /// A client with short deadlines and the key `sk-secret`.
    pub fn client(self, port: u16) -> Box<dyn ChatModel> {
        match self {
            Self::Chat => Box::new(client(port)),
            Self::Messages => Box::new(anthropic(port)),
            Self::Gemini => Box::new(gemini(port)),
            Self::Responses => Box::new(responses(port)),
        }
    }

    /// A client of a server that answers once, with these pieces.
    pub async fn serve(
        self,
        head: &str,
        pieces: Vec<Vec<u8>>,
        then: Then,
    ) -> (Box<dyn ChatModel>, tokio::task::JoinHandle<String>) {
        let (port, server) = listen(head, pieces, then).await;
        (self.client(port), server)
    }

    /// An event that carries text.
    pub fn text(self, text: &str) -> String {
        let data = match self {
            Self::Chat => json!({"choices": [{"index": 0, "delta": {"content": text}}]}),
            Self::Messages => json!({
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }),
            Self::Gemini => {
                json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]})
            }
            Self::Responses => json!({"type": "response.output_text.delta", "delta": text}),
        };
        self.event(&data)
    }

    /// A good end, after 9 tokens in and 2 out.
    pub fn stop(self) -> String {
        match self {
            Self::Chat => {
                self.event(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
                    + &self.event(&json!({
                        "choices": [],
                        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
                    }))
                    + "data: [DONE]\n\n"
            }
            Self::Messages => {
                self.event(&json!({
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"input_tokens": 9, "output_tokens": 2},
                })) + &self.event(&json!({"type": "message_stop"}))
            }
            Self::Gemini => self.event(&json!({
                "candidates": [{"finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2},
            })),
            Self::Responses => self.event(&json!({
                "type": "response.completed",
                "response": {"usage": {"input_tokens": 9, "output_tokens": 2}},
            })),
        }
    }

    /// An error in the middle of an answer.
    pub fn error(self) -> String {
        let error = json!({"type": "api_error", "message": "scripted"});
        self.event(&json!({"type": "error", "error": error}))
    }

    /// An event whose text is bytes that are no UTF-8.
    pub fn broken_text(self) -> Vec<u8> {
        let event = self.text("@").into_bytes();
        event
            .into_iter()
            .map(|byte| if byte == b'@' { 0xff } else { byte })
            .collect()
    }

    fn event(self, data: &serde_json::Value) -> String {
        match self {
            Self::Messages | Self::Responses => {
                let name = data["type"].as_str().expect("a type");
                format!("event: {name}\ndata: {data}\n\n")
            }
            Self::Chat | Self::Gemini => format!("data: {data}\n\n"),
        }
    }
}
