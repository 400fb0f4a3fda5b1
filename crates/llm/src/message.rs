//! A conversation as models read it, tools included.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// One message of a conversation. Texts are shared: the same history is sent with every message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelMessage {
    /// A person's.
    User {
        /// What it says.
        text: Arc<str>,
        /// Pictures that go with it; adapters of models that do not see leave them out.
        images: Arc<[Image]>,
    },
    /// The model's own.
    Assistant {
        /// What it says; may be empty if it only asks for tools.
        text: Arc<str>,
        /// The tools it asked for. Each has exactly one `Tool` message after this one.
        tool_calls: Arc<[ToolCall]>,
        /// What the same provider wants to see again, from `ModelEvent::Carry`.
        carry: Option<Arc<str>>,
    },
    /// What came of a tool call.
    Tool {
        /// The call's id, as the model gave it.
        call_id: Arc<str>,
        /// The tool's name, as the model knows it.
        name: Arc<str>,
        /// The result, or what went wrong.
        text: Arc<str>,
        /// Whether it went wrong.
        is_error: bool,
    },
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub media_type: Arc<str>,
    /// The file.
    pub bytes: bytes::Bytes,
}

/// A tool that a model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's id; adapters make one up where the provider has none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments as the model wrote them: JSON, if the model got it right.
    pub arguments: String,
}

/// A tool that a model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`, at most 64; unique in a request.
    pub name: String,
    /// When and how to use it.
    pub description: String,
    /// JSON Schema of its arguments, of type object.
    pub input_schema: serde_json::Value,
}

impl ToolCall {
    /// The arguments as JSON of an object, whatever the model wrote: servers refuse a conversation
    /// with any other, and with it everything that is asked after.
    pub(crate) fn sound_arguments(&self) -> Cow<'_, str> {
        match self.wrong_arguments() {
            None => Cow::Borrowed(&self.arguments),
            Some(instead) => Cow::Owned(instead.to_string()),
        }
    }

    /// The same as a value.
    pub(crate) fn input(&self) -> Value {
        self.wrong_arguments()
            .or_else(|| serde_json::from_str(&self.arguments).ok())
            .unwrap_or_default()
    }

    /// What stands for arguments that are no object.
    fn wrong_arguments(&self) -> Option<Value> {
        let arguments = self.arguments.trim();
        if arguments.is_empty() {
            return Some(json!({}));
        }
        let is_object =
            arguments.starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok();
        (!is_object).then(|| json!({ "malformed": self.arguments }))
    }
}

impl ModelMessage {
    /// A person's message without pictures.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self::User {
            text: text.into(),
            images: Arc::new([]),
        }
    }

    /// An answer without tools.
    pub fn assistant(text: impl Into<Arc<str>>) -> Self {
        Self::Assistant {
            text: text.into(),
            tool_calls: Arc::new([]),
            carry: None,
        }
    }

    /// What it says.
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::User { text, .. } | Self::Assistant { text, .. } | Self::Tool { text, .. } => {
                text
            }
        }
    }

    /// Whether a person wrote it.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Bytes of its pictures.
    pub fn picture_bytes(&self) -> usize {
        match self {
            Self::User { images, .. } => images.iter().map(|image| image.bytes.len()).sum(),
            Self::Assistant { .. } | Self::Tool { .. } => 0,
        }
    }

    /// How many pictures it has.
    pub fn picture_count(&self) -> usize {
        match self {
            Self::User { images, .. } => images.len(),
            Self::Assistant { .. } | Self::Tool { .. } => 0,
        }
    }

    /// Bytes that a model reads of it, pictures aside.
    pub fn size_bytes(&self) -> usize {
        let asked: usize = match self {
            Self::Assistant { tool_calls, .. } => tool_calls
                .iter()
                .map(|call| call.name.len() + call.arguments.len())
                .sum(),
            Self::User { .. } | Self::Tool { .. } => 0,
        };
        self.text().len() + asked
    }
}
