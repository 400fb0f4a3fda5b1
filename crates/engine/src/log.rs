//! Where a run writes what it does.

use async_trait::async_trait;
use domain::CallId;
use domain::events::FinishReason;
use domain::runs::Usage;
use llm::ModelMessage;

use crate::toolbox::{AskedCall, CallResult};

/// The run's journal and its public log. Calls come one at a time, in order, but for `show`.
#[async_trait]
pub trait RunLog: Send + Sync {
    /// Shows text of the open message before it is persisted. Must not block.
    fn show(&self, offset: usize, text: &str);

    /// Persists what was said since the last time, of the open message.
    ///
    /// # Errors
    /// `LeaseLost` if the run is somebody else's by now.
    async fn persist(&self, pieces: Pieces) -> Result<(), LeaseLost>;

    /// Ends the open message, after which the run goes on: its text, the tools that it asks for and
    /// the questions to people are written before any tool is called.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn end_message(
        &self,
        message: AskingMessage<'_>,
        calls: &[AskedCall],
    ) -> Result<(), LeaseLost>;

    /// Opens the next message and writes the intent to ask the model.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn begin_message(&self) -> Result<(), LeaseLost>;

    /// Writes the intent to call tools.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn start_calls(&self, calls: &[AskedCall]) -> Result<(), LeaseLost>;

    /// Writes what came of a call.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn finish_call(&self, id: CallId, result: &CallResult) -> Result<(), LeaseLost>;

    /// Gives the run up until people have decided; `false` if they have already, and the calls
    /// must be read again.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn wait_for_people(&self) -> Result<bool, LeaseLost>;

    /// The calls of the last message, as they stand now.
    ///
    /// # Errors
    /// `LeaseLost`.
    async fn read_calls(&self) -> Result<Vec<AskedCall>, LeaseLost>;
}

/// What was said and is not persisted yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Where `text` begins in the message, in bytes.
    pub offset: usize,
    /// Text; may be empty.
    pub text: String,
    /// Where `reasoning` begins, in bytes.
    pub reasoning_offset: usize,
    /// Thoughts; may be empty.
    pub reasoning: String,
}

/// A message that asks for tools, or an answer of the wrong form that is asked for once more.
#[derive(Clone, Copy, Debug)]
pub struct AskingMessage<'a> {
    /// What it says.
    pub said: &'a Said,
    /// How it ended.
    pub finish_reason: FinishReason,
    /// What it used up.
    pub usage: Usage,
}

/// What a model said in one message.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// Bytes of the text that are persisted.
    pub persisted: usize,
    /// Its thoughts.
    pub reasoning: String,
    /// Bytes of the thoughts that are persisted.
    pub reasoning_persisted: usize,
    /// What the provider wants to see again.
    pub carry: Option<String>,
}

/// Another worker has the run; nothing more may be written.
#[derive(Debug, thiserror::Error)]
#[error("the run's lease was lost")]
pub struct LeaseLost;

impl Said {
    /// The message as the model shall read it again, with the calls that it asked for.
    pub(crate) fn into_message(self, calls: &[AskedCall]) -> ModelMessage {
        ModelMessage::Assistant {
            text: self.text.into(),
            tool_calls: calls.iter().map(|call| call.asked.clone()).collect(),
            carry: self.carry.map(Into::into),
        }
    }

    /// What is not persisted yet.
    pub fn rest(&self) -> Pieces {
        Pieces {
            offset: self.persisted,
            text: self.text[self.persisted..].to_owned(),
            reasoning_offset: self.reasoning_persisted,
            reasoning: self.reasoning[self.reasoning_persisted..].to_owned(),
        }
    }
}

impl Pieces {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.reasoning.is_empty()
    }
}
