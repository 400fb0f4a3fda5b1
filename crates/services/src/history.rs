//! What a model reads of a conversation.

use std::sync::Arc;

use domain::conversations::MessageRole;
use engine::AskedCall;
use llm::ModelMessage;
use store::messages::PriorMessage;

use crate::attachments::{Picture, as_read, pictures};
use crate::worker::asked_call;

/// Earlier messages that a model is shown at most.
pub(crate) const PRIOR_MESSAGES: u32 = 200;

/// What a model reads of a conversation.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The messages, oldest first.
    pub(crate) messages: Vec<ModelMessage>,
    /// Their pictures that are not loaded yet, in the same order.
    pub(crate) pictures: Vec<Picture>,
}

/// The messages of the past as a model reads them.
pub(crate) fn history(prior: Vec<PriorMessage>) -> History {
    let mut history = History::default();
    for message in prior {
        let index = history.messages.len();
        history.pictures.extend(pictures(index, &message.files));
        history.messages.extend(model_messages(message));
    }
    history
}

/// A message of the past as the model reads it, with what came of the tools that it asked for.
fn model_messages(message: PriorMessage) -> Vec<ModelMessage> {
    match message.role {
        MessageRole::User => vec![ModelMessage::user(as_read(&message.text, &message.files))],
        MessageRole::Assistant => {
            let calls: Vec<AskedCall> = message.calls.into_iter().map(asked_call).collect();
            let carry = message.carry.map(Into::into);
            asking_messages(message.text.into(), carry, &calls)
        }
    }
}

/// A message of an agent, followed by what came of its tool calls.
pub(crate) fn asking_messages(
    text: Arc<str>,
    carry: Option<Arc<str>>,
    calls: &[AskedCall],
) -> Vec<ModelMessage> {
    let message = ModelMessage::Assistant {
        text,
        tool_calls: calls.iter().map(|call| call.asked.clone()).collect(),
        carry,
    };
    let results = calls.iter().map(AskedCall::message);
    std::iter::once(message).chain(results).collect()
}
