//! The built-in model, SmolLM2 135M, inside this program.

#[cfg(feature = "local")]
mod cache;
#[cfg(feature = "local")]
mod generation;
#[cfg(feature = "local")]
mod prompt;
#[cfg(feature = "local")]
mod text;
#[cfg(feature = "local")]
mod vocabulary;
#[cfg(feature = "local")]
mod worker;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use domain::models::LOCAL_MODEL;

#[cfg(feature = "local")]
pub use vocabulary::Vocabulary;

use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

/// Tokens that fit. The model knows 8192; candle's `quantized_llama` has positions for 4096.
pub const CONTEXT_TOKENS: u32 = 4096;

/// The built-in model. One thread answers one request at a time, in order; eight more may wait.
///
/// The weights (98 MB) are read at the first request, in about 0.3 s, and stay. Dropping the last
/// stream and this value ends the thread.
pub struct Local {
    weights: Option<PathBuf>,
    #[cfg(feature = "local")]
    worker: std::sync::OnceLock<worker::Worker>,
}

impl Local {
    /// The model in the file `weights`; `None` means that it is not installed. Reads nothing yet.
    pub fn new(weights: Option<PathBuf>) -> Self {
        Self {
            weights,
            #[cfg(feature = "local")]
            worker: std::sync::OnceLock::new(),
        }
    }

    /// Whether the weights are there and this program can use them.
    pub fn is_installed(&self) -> bool {
        self.installed().is_some()
    }

    fn installed(&self) -> Option<&Path> {
        let weights = self.weights.as_deref()?;
        (cfg!(feature = "local") && weights.is_file()).then_some(weights)
    }
}

#[async_trait]
impl ChatModel for Local {
    #[cfg(feature = "local")]
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let weights = self.installed().ok_or(ModelError::NotInstalled)?;
        let worker = self.worker.get_or_init(|| worker::Worker::start(weights));
        worker.answer(request)
    }

    #[cfg(not(feature = "local"))]
    async fn stream(&self, _request: ModelRequest) -> Result<ModelStream, ModelError> {
        Err(ModelError::NotInstalled)
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        self.installed().ok_or(ModelError::NotInstalled)?;
        Ok(vec![ListedModel {
            name: LOCAL_MODEL.to_owned(),
            context_window: Some(CONTEXT_TOKENS),
            supports_tools: Some(false),
            supports_vision: Some(false),
            supports_reasoning: Some(false),
            ..ListedModel::default()
        }])
    }
}
