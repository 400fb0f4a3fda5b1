//! What servers want to see again with an answer that asked for tools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ModelError, ModelEvent, carry};

/// Kinds of thoughts that come in pieces; others come whole.
const IN_PIECES: [&str; 2] = ["reasoning.text", "reasoning.summary"];

/// What goes back with an answer, as far as its server gave it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Carried {
    /// DeepSeek's and Kimi's thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter's thoughts, with the signatures of whoever had them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasoning_details: Vec<Value>,
    /// Google's signatures, by the ids of the calls.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) extra_content: BTreeMap<String, Value>,
}

/// The same while the answer comes.
#[derive(Default)]
pub(super) struct Collected {
    thoughts: String,
    details: Vec<Value>,
    /// By the numbers of the calls: ids may be missing.
    extras: BTreeMap<usize, Value>,
    bytes: usize,
}

impl Carried {
    /// What was carried of an answer; nothing if this is another provider's.
    pub(super) fn of(carry: Option<&str>) -> Self {
        match carry::of(carry::CHAT, carry) {
            // As it was kept when there was no more than thoughts.
            Some(Value::String(thoughts)) => Self {
                reasoning_content: Some(thoughts),
                ..Self::default()
            },
            Some(parts) => serde_json::from_value(parts).unwrap_or_default(),
            None => Self::default(),
        }
    }
}

impl Collected {
    /// Takes a piece of a thought in.
    pub(super) fn think(&mut self, thought: &str) -> Result<(), ModelError> {
        self.count(thought.len())?;
        self.thoughts.push_str(thought);
        Ok(())
    }

    /// Takes a piece of a detail in, or a whole one.
    pub(super) fn take_detail(&mut self, piece: &Value) -> Result<(), ModelError> {
        match self.details.last_mut() {
            Some(last) if is_more_of(last, piece) => {
                let added = append(last, piece);
                self.count(added)
            }
            _ => {
                self.count(piece.to_string().len())?;
                self.details.push(piece.clone());
                Ok(())
            }
        }
    }

    /// Takes in what belongs to the call with this number.
    pub(super) fn take_extra(&mut self, call: usize, extra: Value) -> Result<(), ModelError> {
        self.count(extra.to_string().len())?;
        self.extras.insert(call, extra);
        Ok(())
    }

    /// Hands everything on, if there is anything; `ids` are those of the calls.
    pub(super) fn into_event(self, ids: &[String]) -> Option<ModelEvent> {
        let extras = self.extras.into_iter();
        let extras = extras.filter_map(|(call, extra)| Some((ids.get(call)?.clone(), extra)));
        let carried = Carried {
            reasoning_content: Some(self.thoughts).filter(|text| !text.is_empty()),
            reasoning_details: self.details,
            extra_content: extras.collect(),
        };
        let carried = json!(carried);
        (carried != json!({})).then(|| carry::event(carry::CHAT, carried))
    }

    fn count(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.bytes += bytes;
        carry::bounded(self.bytes)
    }
}

fn is_more_of(last: &Value, piece: &Value) -> bool {
    let kind = piece["type"].as_str().unwrap_or_default();
    IN_PIECES.contains(&kind) && last["type"] == kind && last["index"] == piece["index"]
}

/// Appends a piece and gives the bytes of it.
fn append(detail: &mut Value, piece: &Value) -> usize {
    let mut bytes = 0;
    for name in ["text", "summary"] {
        if let Some(more) = piece[name].as_str() {
            bytes += more.len();
            match &mut detail[name] {
                Value::String(text) => text.push_str(more),
                empty => *empty = json!(more),
            }
        }
    }
    for name in ["signature", "id"] {
        if let Some(later) = piece[name].as_str() {
            bytes += later.len();
            detail[name] = json!(later);
        }
    }
    bytes
}
