//! Puts the streamed pieces of tool calls together.

use super::wire::ToolCallDelta;
use crate::{ModelError, ToolCall};

/// Tool calls of one answer at most.
const MAX_CALLS: usize = 128;
/// Bytes of arguments of one answer at most.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The calls of one answer, as far as they have come.
#[derive(Default)]
pub(super) struct ToolCalls {
    calls: Vec<(usize, ToolCall)>,
    argument_bytes: usize,
}

impl ToolCalls {
    /// Takes a piece in. Servers that give no index send whole calls, or pieces of the last one.
    pub(super) fn take(&mut self, delta: ToolCallDelta) -> Result<(), ModelError> {
        let given_id = delta.id.filter(|id| !id.is_empty());
        let index = match delta.index {
            Some(index) => index,
            None => match (self.calls.last(), &given_id) {
                (Some((index, call)), Some(id)) if *id != call.id => index + 1,
                (Some((index, _)), _) => *index,
                (None, _) => 0,
            },
        };
        let position = match self.calls.iter().position(|(known, _)| *known == index) {
            Some(position) => position,
            None if self.calls.len() == MAX_CALLS => {
                return Err(ModelError::Malformed {
                    what: "it asks for too many tools at once",
                });
            }
            None => {
                let call = ToolCall {
                    id: String::new(),
                    name: String::new(),
                    arguments: String::new(),
                };
                self.calls.push((index, call));
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[position].1;
        if let Some(id) = given_id {
            call.id = id;
        }
        let Some(function) = delta.function else {
            return Ok(());
        };
        if let Some(name) = function.name.filter(|name| !name.is_empty()) {
            call.name = name;
        }
        if let Some(arguments) = function.arguments {
            self.argument_bytes += arguments.len();
            if self.argument_bytes > MAX_ARGUMENT_BYTES {
                return Err(ModelError::Malformed {
                    what: "a tool's arguments are too long",
                });
            }
            call.arguments.push_str(&arguments);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next whole call, in the order in which they began; ids that are missing are made up.
    pub(super) fn pop_front(&mut self) -> Option<ToolCall> {
        if self.calls.is_empty() {
            return None;
        }
        let (index, mut call) = self.calls.remove(0);
        if call.id.is_empty() {
            call.id = format!("call_{index}");
        }
        Some(call)
    }
}
