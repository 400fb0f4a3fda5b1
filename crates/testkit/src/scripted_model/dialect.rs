//! The wire formats in which an answer can be given.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Answer;

/// A provider's wire format, told by the path of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's Chat Completions.
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// Gemini's `streamGenerateContent`.
    Gemini,
    /// OpenAI's Responses.
    Responses,
}

impl Dialect {
    /// The format of a request for an answer; `None` if the path is another.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("/v1/messages") {
            Some(Self::Messages)
        } else if path.ends_with(":streamGenerateContent") {
            Some(Self::Gemini)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else {
            None
        }
    }

    /// Whether the request wants events.
    pub(super) fn streams(self, request: &Value) -> bool {
        self == Self::Gemini || request["stream"] == true
    }

    /// The event that comes before any text, if the format has one.
    pub(super) fn beginning(self, answer: &Answer, request: &Value) -> Option<Bytes> {
        match self {
            Self::Chat => {
                let begin = json!({"role": "assistant", "content": ""});
                Some(delta(&begin, request))
            }
            Self::Messages => {
                let message = json!({
                    "id": "msg_scripted",
                    "type": "message",
                    "role": "assistant",
                    "content": [],
                    // This format counts what came from the cache apart.
                    "usage": {
                        "input_tokens": answer.usage.0 - answer.cached,
                        "cache_read_input_tokens": answer.cached,
                        "output_tokens": 1,
                    },
                });
                let start = json!({"type": "message_start", "message": message});
                let block = json!({
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                });
                Some([named(&start), named(&block)].concat().into())
            }
            Self::Gemini | Self::Responses => None,
        }
    }

    /// The event of a piece of text.
    pub(super) fn text(self, text: &str, request: &Value) -> Bytes {
        match self {
            Self::Chat => delta(&json!({ "content": text }), request),
            Self::Messages => named(&json!({
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            })),
            Self::Gemini => {
                let content = json!({"role": "model", "parts": [{"text": text}]});
                sse(&json!({"candidates": [{"content": content}]}))
            }
            Self::Responses => named(&json!({"type": "response.output_text.delta", "delta": text})),
        }
    }

    /// The events of the end: reason, usage and end mark, as far as the format has them.
    pub(super) fn ending(self, answer: &Answer, request: &Value) -> Bytes {
        let reason = &answer.finish_reason;
        let (input, output) = answer.usage;
        match self {
            Self::Chat => {
                let finish = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
                let mut end = sse(&chunk(request, finish)).to_vec();
                if request["stream_options"]["include_usage"] == true {
                    let mut usage_chunk = chunk(request, json!([]));
                    usage_chunk["usage"] = usage(answer);
                    end.extend(sse(&usage_chunk));
                }
                end.extend_from_slice(b"data: [DONE]\n\n");
                Bytes::from(end)
            }
            Self::Messages => {
                let stop_reason = match reason.as_str() {
                    "stop" => "end_turn",
                    "length" => "max_tokens",
                    other => other,
                };
                let delta = json!({
                    "type": "message_delta",
                    "delta": {"stop_reason": stop_reason},
                    "usage": {"output_tokens": output},
                });
                [named(&delta), named(&json!({"type": "message_stop"}))]
                    .concat()
                    .into()
            }
            Self::Gemini => {
                let finish = match reason.as_str() {
                    "stop" => "STOP",
                    "length" => "MAX_TOKENS",
                    other => other,
                };
                sse(&json!({
                    "candidates": [{"finishReason": finish}],
                    "usageMetadata": {
                        "promptTokenCount": input,
                        "cachedContentTokenCount": answer.cached,
                        "candidatesTokenCount": output,
                    },
                }))
            }
            Self::Responses => named(&json!({
                "type": "response.completed",
                "response": {"status": "completed", "usage": {
                    "input_tokens": input,
                    "input_tokens_details": {"cached_tokens": answer.cached},
                    "output_tokens": output,
                }},
            })),
        }
    }
}

/// An event of Chat Completions.
pub(super) fn delta(delta: &Value, request: &Value) -> Bytes {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
    sse(&chunk(request, choices))
}

pub(super) fn usage(answer: &Answer) -> Value {
    let (input, output) = answer.usage;
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": answer.cached},
    })
}

fn chunk(request: &Value, choices: Value) -> Value {
    json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": request["model"],
        "choices": choices,
    })
}

fn sse(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn named(data: &Value) -> Bytes {
    let name = data["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
