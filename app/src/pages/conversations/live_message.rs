//! One message of the thread as signals.

use domain::conversations::{MessageRole, ThreadMessage, Variants};
use domain::events::{FinishReason, ModelSwitched};
use domain::files::AttachedFile;
use domain::runs::RunError;
use domain::tools::ToolCall;
use domain::{MessageId, RunId, Timestamp};
use leptos::prelude::*;

/// A message whose parts change by themselves.
#[derive(Clone)]
pub struct LiveMessage {
    /// The id.
    pub id: MessageId,
    /// Who wrote it.
    pub role: MessageRole,
    /// The run it belongs to.
    pub run_id: RunId,
    /// When it was begun.
    pub created_at: Timestamp,
    /// What a person wrote; empty for an answer.
    pub text: String,
    /// Files of a person's message.
    pub files: Vec<AttachedFile>,
    /// An answer as HTML: what the page began with, and the whole at its end. Between them blocks
    /// are put into the page one by one.
    pub html: ArcRwSignal<String>,
    /// Whether there is no text yet.
    pub is_empty: ArcRwSignal<bool>,
    /// What the model thought before it answered.
    pub reasoning: ArcRwSignal<String>,
    /// How long that took, in milliseconds.
    pub thought_ms: ArcRwSignal<Option<u64>>,
    /// Tools that it asked for.
    pub tool_calls: ArcRwSignal<Vec<ToolCall>>,
    /// The fallback that writes it.
    pub switched: ArcRwSignal<Option<ModelSwitched>>,
    /// How it ended.
    pub finish_reason: ArcRwSignal<Option<FinishReason>>,
    /// Why it failed.
    pub error: ArcRwSignal<Option<RunError>>,
    /// Others in its place.
    pub variants: ArcRwSignal<Option<Variants>>,
}

impl LiveMessage {
    pub(super) fn new(shown: &ThreadMessage) -> Self {
        let message = &shown.message;
        let text = match message.role {
            MessageRole::User => message.text.clone(),
            MessageRole::Assistant => String::new(),
        };
        Self {
            id: message.id,
            role: message.role,
            run_id: message.run_id,
            created_at: message.created_at,
            text,
            files: message.files.clone(),
            html: ArcRwSignal::new(shown.html.clone()),
            is_empty: ArcRwSignal::new(message.text.is_empty()),
            reasoning: ArcRwSignal::new(message.reasoning.clone()),
            thought_ms: ArcRwSignal::new(message.thought_ms),
            tool_calls: ArcRwSignal::new(message.tool_calls.clone()),
            switched: ArcRwSignal::new(message.switched.clone()),
            finish_reason: ArcRwSignal::new(message.finish_reason),
            error: ArcRwSignal::new(message.error.clone()),
            variants: ArcRwSignal::new(shown.variants),
        }
    }

    /// The same message as it was read again.
    #[cfg(not(feature = "ssr"))]
    pub(super) fn again(&self, shown: &ThreadMessage) -> Self {
        let message = &shown.message;
        self.variants.set(shown.variants);
        self.error.set(message.error.clone());
        self.tool_calls.set(message.tool_calls.clone());
        if message.finish_reason != self.finish_reason.get_untracked() {
            self.finish_reason.set(message.finish_reason);
            self.is_empty.set(message.text.is_empty());
            self.reasoning.set(message.reasoning.clone());
            self.thought_ms.set(message.thought_ms);
            self.html.set(shown.html.clone());
        }
        Self {
            run_id: message.run_id,
            ..self.clone()
        }
    }
}
