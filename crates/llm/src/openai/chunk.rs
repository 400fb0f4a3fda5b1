//! The JSON of an answer's events, as far as it is used.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One event of an answer. Text is decoded once, into the `String` that is handed on.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) finish_reason: Option<WireFinish>,
}

#[derive(Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<Said>,
    /// OpenAI's, in place of the content.
    #[serde(default)]
    pub(super) refusal: Option<String>,
    /// DeepSeek, Kimi, older vLLM; wanted back with the results of tools.
    #[serde(default)]
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter, Ollama, Groq, newer vLLM.
    #[serde(default)]
    pub(super) reasoning: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<ToolCallDelta>>,
    /// OpenRouter's thoughts as their models want them back, in pieces.
    #[serde(default)]
    pub(super) reasoning_details: Option<Value>,
}

/// What is said: a text, or the parts of Mistral's thinking models.
#[derive(Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) thought: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SaidPart {
    Text {
        text: String,
    },
    Thinking {
        thinking: Vec<SaidPart>,
    },
    #[serde(other)]
    Other,
}

/// A piece of a tool call; the pieces of one call share its index.
#[derive(Deserialize)]
pub(super) struct ToolCallDelta {
    #[serde(default)]
    pub(super) index: Option<usize>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionDelta>,
    /// Google's signature of the thoughts before the call.
    #[serde(default)]
    pub(super) extra_content: Option<Value>,
}

#[derive(Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<Arguments>,
}

/// A text in the format's words; some servers send the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Arguments {
    Text(String),
    Object(Value),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireFinish {
    Stop,
    /// Mistral says `model_length` where the window is full.
    #[serde(alias = "model_length")]
    Length,
    ToolCalls,
    FunctionCall,
    ContentFilter,
    /// DeepSeek's and OpenRouter's.
    #[serde(alias = "error")]
    InsufficientSystemResource,
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default)]
    pub(super) prompt_tokens: Option<u64>,
    #[serde(default)]
    pub(super) completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptTokens>,
    /// DeepSeek.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptTokens {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SaidVisitor)
    }
}

/// Reads a text without a copy of it in between.
struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Said, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Said, E> {
        let thought = String::new();
        Ok(Said { text, thought })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(part) = parts.next_element()? {
            match part {
                SaidPart::Text { text } => said.text.push_str(&text),
                SaidPart::Thinking { thinking } => {
                    for part in thinking {
                        if let SaidPart::Text { text } = part {
                            said.thought.push_str(&text);
                        }
                    }
                }
                SaidPart::Other => {}
            }
        }
        Ok(said)
    }
}

impl WireUsage {
    /// Tokens of the prompt that the server had in a cache.
    pub(super) fn cached_tokens(&self) -> u64 {
        self.prompt_tokens_details
            .as_ref()
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .unwrap_or_default()
    }
}

impl Arguments {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Object(Value::Null) => String::new(),
            Self::Object(object) => object.to_string(),
        }
    }
}
