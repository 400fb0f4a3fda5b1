//! Puts the streamed pieces of tool calls together.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use crate::{ModelError, ModelEvent, ToolCall};

/// Tool calls of one answer at most.
const MAX_CALLS: usize = 128;
/// Bytes of arguments of one answer at most.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The calls of one answer, as far as they have come.
#[derive(Default)]
pub(crate) struct ToolCalls {
    calls: Vec<(usize, ToolCall)>,
    argument_bytes: usize,
}

/// A piece of a call, as far as the provider fills it in.
#[derive(Default)]
pub(crate) struct Piece<'a> {
    pub(crate) index: Option<usize>,
    pub(crate) id: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a str,
}

impl ToolCalls {
    /// Takes a piece in and gives the number of its call, from 0 on.
    ///
    /// Servers that give no index send whole calls, or pieces of the last one. Some give every
    /// call the same index and tell them apart by id.
    pub(crate) fn take(&mut self, piece: Piece<'_>) -> Result<usize, ModelError> {
        let id = piece.id.filter(|id| !id.is_empty());
        let name = piece.name.filter(|name| !name.is_empty());
        let known = match piece.index {
            Some(index) => self.calls.iter().rposition(|(known, _)| *known == index),
            None => self.calls.len().checked_sub(1),
        };
        let known = known.filter(|&at| !self.is_another(at, &piece, id, name));
        let position = match known {
            Some(position) => position,
            None => self.begin(piece.index)?,
        };
        let call = &mut self.calls[position].1;
        if let Some(id) = id {
            id.clone_into(&mut call.id);
        }
        if let Some(name) = name {
            name.clone_into(&mut call.name);
        }
        self.argument_bytes += piece.arguments.len();
        if self.argument_bytes > MAX_ARGUMENT_BYTES {
            return Err(ModelError::Malformed {
                what: "a tool's arguments are too long",
            });
        }
        call.arguments.push_str(piece.arguments);
        Ok(position)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Hands the whole calls on in the order in which they began, and gives their ids; missing ones
    /// are made up.
    pub(crate) fn hand_on(&mut self, said: &mut VecDeque<ModelEvent>) -> Vec<String> {
        let mut ids = Vec::new();
        for (number, (_, mut call)) in self.calls.drain(..).enumerate() {
            if call.id.is_empty() {
                call.id = made_up_id(number);
            }
            ids.push(call.id.clone());
            said.push_back(ModelEvent::ToolCall(call));
        }
        ids
    }

    /// Whether a piece that points at a call is the beginning of another one.
    fn is_another(
        &self,
        at: usize,
        piece: &Piece<'_>,
        id: Option<&str>,
        name: Option<&str>,
    ) -> bool {
        let call = &self.calls[at].1;
        match (id, name) {
            (Some(id), _) => !call.id.is_empty() && call.id != id,
            (None, Some(_)) if piece.index.is_none() => {
                !call.name.is_empty()
                    && serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok()
            }
            _ => false,
        }
    }

    fn begin(&mut self, index: Option<usize>) -> Result<usize, ModelError> {
        if self.calls.len() == MAX_CALLS {
            return Err(ModelError::Malformed {
                what: "it asks for too many tools at once",
            });
        }
        let call = ToolCall {
            id: String::new(),
            name: String::new(),
            arguments: String::new(),
        };
        self.calls.push((index.unwrap_or(usize::MAX), call));
        Ok(self.calls.len() - 1)
    }
}

/// An id that no other call of the conversation has: every hasher is seeded differently.
fn made_up_id(number: usize) -> String {
    format!("call_{:016x}", RandomState::new().hash_one(number))
}
