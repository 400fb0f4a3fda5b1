//! How connections speak.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// OpenAI itself.
    #[serde(rename = "openai")]
    OpenAi,
    /// OpenAI itself, and servers with its Responses.
    #[serde(rename = "openai_responses")]
    OpenAiResponses,
    /// Any server with OpenAI's Chat Completions.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// Anthropic, and servers with its Messages.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Ollama, through its OpenAI-compatible address.
    Ollama,
    /// The model inside this program.
    Local,
}

impl ConnectionKind {
    /// Every kind, in the order of the form.
    pub const ALL: [Self; 7] = [
        Self::OpenAiCompatible,
        Self::OpenAi,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
        Self::Local,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai_responses",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Local => "local",
        }
    }

    /// The name in the interface.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::OpenAiResponses => "OpenAI Responses",
            Self::OpenAiCompatible => "OpenAI-compatible",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Ollama => "Ollama",
            Self::Local => "Built-in",
        }
    }

    /// What is appended to the base URL for an answer; `None` for the built-in model.
    pub fn answer_path(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiCompatible => Some("/chat/completions"),
            Self::OpenAiResponses => Some("/responses"),
            Self::Anthropic => Some("/v1/messages"),
            Self::Gemini => Some("/v1beta/models/…"),
            Self::Ollama => Some("/v1/chat/completions"),
            Self::Local => None,
        }
    }

    /// Where the provider usually is.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
            Self::OpenAiCompatible | Self::Local => None,
        }
    }
}

impl FromStr for ConnectionKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("no connection kind is called {text:?}"))
    }
}
