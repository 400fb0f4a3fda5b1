//! The events of a message.

use std::collections::{BTreeMap, VecDeque};

use domain::events::FinishReason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Complaint, Ended, Progress, Reader, Refusal, Tokens};
use crate::tool_calls::{Piece, ToolCalls};
use crate::{ModelError, ModelEvent, carry};

/// Blocks of one answer at most.
const MAX_BLOCKS: usize = 1_024;

/// What has come of an answer.
#[derive(Default)]
pub(super) struct MessagesReader {
    stop: Option<Stop>,
    usage: WireUsage,
    tool_calls: ToolCalls,
    /// Blocks by their index: thoughts are to be sent back as they came, and where they came.
    blocks: BTreeMap<usize, Block>,
}

/// A block of an answer.
enum Block {
    /// Thoughts.
    Thought { text: String, signature: String },
    /// Thoughts that nobody reads.
    Sealed(Value),
    /// The place of text or of a call, which are kept otherwise.
    Place(Value),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireEvent {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        index: usize,
        content_block: Value,
    },
    ContentBlockDelta {
        index: usize,
        delta: Delta,
    },
    MessageDelta {
        delta: MessageDelta,
        #[serde(default)]
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// Pings, ends of blocks, and whatever is added to the format later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "the format calls them so")]
enum Delta {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    #[serde(default)]
    stop_reason: Option<Stop>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "the format calls them so")]
enum Stop {
    EndTurn,
    StopSequence,
    MaxTokens,
    ModelContextWindowExceeded,
    ToolUse,
    Refusal,
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct WireUsage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl Reader for MessagesReader {
    fn take(&mut self, data: &str, said: &mut VecDeque<ModelEvent>) -> Result<Progress, Refusal> {
        let event: WireEvent = serde_json::from_str(data).map_err(|_| Refusal::unreadable())?;
        match event {
            WireEvent::MessageStart { message } => self.usage.update(message.usage),
            WireEvent::ContentBlockStart {
                index,
                content_block,
            } => return self.begin_block(index, content_block, said),
            WireEvent::ContentBlockDelta { index, delta } => {
                return self.take_delta(index, delta, said);
            }
            WireEvent::MessageDelta { delta, usage } => {
                self.stop = delta.stop_reason.or(self.stop);
                self.usage.update(usage.unwrap_or_default());
            }
            WireEvent::MessageStop => return Ok(Progress::Over),
            WireEvent::Error { error } => {
                let complaint = Complaint::parse(&json!({ "error": error }));
                return Err(Refusal::Complaint(complaint));
            }
            WireEvent::Other => {}
        }
        Ok(Progress::Waiting)
    }

    fn end(
        &mut self,
        has_end_mark: bool,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Ended, ModelError> {
        let reason = match self.stop {
            None if !has_end_mark => return Err(ModelError::Interrupted),
            Some(Stop::Refusal) => return Err(ModelError::Filtered),
            Some(Stop::MaxTokens | Stop::ModelContextWindowExceeded) => FinishReason::Length,
            _ if !self.tool_calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        // A call that was cut off cannot be made.
        if reason == FinishReason::ToolCalls {
            self.tool_calls.hand_on(said);
            let blocks = std::mem::take(&mut self.blocks).into_values();
            let mut blocks: Vec<Block> = blocks.filter(Block::can_go_back).collect();
            let last = blocks.iter().rposition(|it| !matches!(it, Block::Place(_)));
            // What comes behind the last thoughts is put there without being told.
            blocks.truncate(last.map_or(0, |last| last + 1));
            let blocks: Vec<Value> = blocks.into_iter().map(Block::into_json).collect();
            if !blocks.is_empty() {
                said.push_back(carry::event(carry::ANTHROPIC, Value::Array(blocks)));
            }
        }
        Ok(Ended {
            reason,
            tokens: self.usage.tokens(),
        })
    }
}

impl MessagesReader {
    fn begin_block(
        &mut self,
        index: usize,
        block: Value,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Progress, Refusal> {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str().unwrap_or_default() {
            "tool_use" => {
                // The input comes in pieces; here it is empty, unless a server sends it whole.
                let whole = match &block["input"] {
                    Value::Object(input) if !input.is_empty() => block["input"].to_string(),
                    _ => String::new(),
                };
                let place = json!({"type": "tool_use", "id": block["id"]});
                self.keep(index, Block::Place(place))?;
                self.tool_calls.take(Piece {
                    index: Some(index),
                    id: block["id"].as_str(),
                    name: block["name"].as_str(),
                    arguments: &whole,
                })?;
                return Ok(Progress::Writing);
            }
            "thinking" => {
                let thought = Block::Thought {
                    text: String::new(),
                    signature: text("signature"),
                };
                self.keep(index, thought)?;
                return self.think(index, text("thinking"), said);
            }
            "redacted_thinking" => {
                self.keep(index, Block::Sealed(block))?;
            }
            "text" => {
                self.keep(index, Block::Place(json!({"type": "text"})))?;
                return Ok(speak(text("text"), said));
            }
            _ => {}
        }
        Ok(Progress::Waiting)
    }

    fn keep(&mut self, index: usize, block: Block) -> Result<(), Refusal> {
        if self.blocks.len() == MAX_BLOCKS {
            return Err(ModelError::Malformed {
                what: "an answer has too many parts",
            }
            .into());
        }
        self.blocks.insert(index, block);
        Ok(())
    }

    fn take_delta(
        &mut self,
        index: usize,
        delta: Delta,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Progress, Refusal> {
        match delta {
            Delta::TextDelta { text } => return Ok(speak(text, said)),
            Delta::InputJsonDelta { partial_json } => {
                self.tool_calls.take(Piece {
                    index: Some(index),
                    arguments: &partial_json,
                    ..Piece::default()
                })?;
                return Ok(Progress::Writing);
            }
            Delta::ThinkingDelta { thinking } => return self.think(index, thinking, said),
            Delta::SignatureDelta { signature: more } => {
                if let Some(Block::Thought { signature, .. }) = self.blocks.get_mut(&index) {
                    carry::extend(signature, &more)?;
                }
            }
            Delta::Other => {}
        }
        Ok(Progress::Waiting)
    }

    fn think(
        &mut self,
        index: usize,
        thinking: String,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Progress, Refusal> {
        if !thinking.is_empty() {
            if let Some(Block::Thought { text, .. }) = self.blocks.get_mut(&index) {
                carry::extend(text, &thinking)?;
            }
            said.push_back(ModelEvent::Reasoning(thinking));
        }
        Ok(Progress::Waiting)
    }
}

impl Block {
    /// Thoughts without a signature would be refused.
    fn can_go_back(&self) -> bool {
        !matches!(self, Self::Thought { signature, .. } if signature.is_empty())
    }

    fn into_json(self) -> Value {
        match self {
            Self::Sealed(block) | Self::Place(block) => block,
            Self::Thought { text, signature } => json!({
                "type": "thinking",
                "thinking": text,
                "signature": signature,
            }),
        }
    }
}

impl WireUsage {
    /// Later counts are totals, too.
    fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later
            .cache_creation_input_tokens
            .or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later
            .cache_read_input_tokens
            .or(self.cache_read_input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
    }

    fn tokens(self) -> Tokens {
        let cached = self.cache_read_input_tokens.unwrap_or_default();
        let cache_written = self.cache_creation_input_tokens.unwrap_or_default();
        Tokens {
            // What came from the cache or went there is counted apart.
            input: self
                .input_tokens
                .map(|tokens| tokens + cached + cache_written),
            output: self.output_tokens,
            cached,
            cache_written,
        }
    }
}

fn speak(text: String, said: &mut VecDeque<ModelEvent>) -> Progress {
    if text.is_empty() {
        return Progress::Waiting;
    }
    said.push_back(ModelEvent::Text(text));
    Progress::Writing
}
