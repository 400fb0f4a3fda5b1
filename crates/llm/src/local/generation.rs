//! One answer, token by token.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use candle_transformers::models::quantized_llama::ModelWeights;
use candle_transformers::utils::apply_repeat_penalty;
use domain::events::FinishReason;
use domain::runs::Usage;
use tokio::sync::mpsc;

use super::cache::{Cache, Reading};
use super::text::Text;
use super::vocabulary::Vocabulary;
use super::{CONTEXT_TOKENS, prompt};
use crate::{ModelError, ModelEvent, ModelRequest};

/// Longest answer, if the request names none.
pub(super) const DEFAULT_OUTPUT_TOKENS: u32 = 512;
/// An answer never takes more of the context than this, so that the conversation has room.
pub(super) const MAX_OUTPUT_TOKENS: u32 = CONTEXT_TOKENS / 2;
const DEFAULT_TEMPERATURE: f32 = 0.2;
const TOP_K: usize = 64;
const TOP_P: f64 = 0.9;
const REPEAT_PENALTY: f32 = 1.1;
const REPEAT_TOKENS: usize = 64;
/// Tokens of a prompt read between two looks at whether anyone still listens.
const BATCH_TOKENS: usize = 128;

/// Where an answer goes.
pub(super) type Events = mpsc::Sender<Result<ModelEvent, ModelError>>;

/// The model in memory.
pub(super) struct Generation {
    vocabulary: Vocabulary,
    cache: Cache,
}

impl Generation {
    pub(super) fn load(weights: &Path) -> anyhow::Result<Self> {
        let file = File::open(weights).context("open the weights")?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let content = Content::read(&mut reader).context("read the header of the weights")?;
        let vocabulary = Vocabulary::from_gguf(&content)?;
        let model = ModelWeights::from_gguf(content, &mut reader, &Device::Cpu)
            .context("read the weights")?;
        Ok(Self {
            vocabulary,
            cache: Cache::new(model),
        })
    }

    /// Answers a request; ends early, without an error, when nobody listens any more.
    pub(super) fn answer(&mut self, request: &ModelRequest, events: &Events) -> anyhow::Result<()> {
        let max_output = output_tokens(request);
        let limit = CONTEXT_TOKENS as usize - max_output;
        let prompt = match prompt::tokens(&self.vocabulary, request, limit)? {
            Ok(prompt) => prompt,
            Err(error) => {
                let _ = events.try_send(Err(error));
                return Ok(());
            }
        };
        let mut reading = self.cache.begin(&prompt);
        let Some(logits) = read(&mut reading, &prompt, events)? else {
            return Ok(());
        };
        self.cache.remember_prompt(&reading);

        let outcome = self.write(&mut reading, logits, request, max_output, events)?;
        let written = reading.tokens.len() - prompt.len();
        if written > 0 {
            self.cache.remember_answer(reading);
        }
        if let Some((reason, output_tokens)) = outcome {
            let usage = Usage {
                input_tokens: prompt.len() as u64,
                output_tokens,
                ..Usage::default()
            };
            let _ = events.try_send(Ok(ModelEvent::Finished { reason, usage }));
        }
        Ok(())
    }

    /// Writes until the model ends, the limit is met, or nobody listens (`None`).
    fn write(
        &self,
        reading: &mut Reading,
        mut logits: Tensor,
        request: &ModelRequest,
        max_output: usize,
        events: &Events,
    ) -> anyhow::Result<Option<(FinishReason, u64)>> {
        let mut sampler = sampler(request.temperature);
        let mut text = Text::default();
        let mut written: Vec<u32> = Vec::new();
        let reason = loop {
            let recent = &written[written.len().saturating_sub(REPEAT_TOKENS)..];
            let token = sampler.sample(&apply_repeat_penalty(&logits, REPEAT_PENALTY, recent)?)?;
            if token == self.vocabulary.end || token == self.vocabulary.end_of_text {
                break FinishReason::Stop;
            }
            written.push(token);
            if !send(events, text.push(self.vocabulary.bytes(token))) {
                return Ok(None);
            }
            if written.len() == max_output {
                break FinishReason::Length;
            }
            logits = feed(reading, &[token])?;
        };
        if !send(events, text.finish()) {
            return Ok(None);
        }
        Ok(Some((reason, written.len() as u64)))
    }
}

/// Longest answer to a request, in tokens.
pub(super) fn output_tokens(request: &ModelRequest) -> usize {
    let wanted = request.max_output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    wanted.clamp(1, MAX_OUTPUT_TOKENS) as usize
}

/// Reads what is new of a prompt; `None` when nobody listens any more.
fn read(reading: &mut Reading, prompt: &[u32], events: &Events) -> anyhow::Result<Option<Tensor>> {
    let new = &prompt[reading.tokens.len()..];
    let mut logits = None;
    for batch in new.chunks(BATCH_TOKENS) {
        if events.is_closed() {
            return Ok(None);
        }
        logits = Some(feed(reading, batch)?);
    }
    logits.context("the prompt has no new tokens").map(Some)
}

/// Feeds tokens; gives the odds of what comes next.
fn feed(reading: &mut Reading, tokens: &[u32]) -> anyhow::Result<Tensor> {
    let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
    let logits = reading.model.forward(&input, reading.tokens.len())?;
    reading.tokens.extend_from_slice(tokens);
    Ok(logits.squeeze(0)?)
}

/// Whether someone still listens. The channel has room for a whole answer, so it is never full.
fn send(events: &Events, text: String) -> bool {
    if text.is_empty() {
        return !events.is_closed();
    }
    events.try_send(Ok(ModelEvent::Text(text))).is_ok()
}

fn sampler(temperature: Option<f32>) -> LogitsProcessor {
    let temperature = f64::from(temperature.unwrap_or(DEFAULT_TEMPERATURE));
    let sampling = if temperature < 1e-3 {
        Sampling::ArgMax
    } else {
        // The k is only for speed: sorting all 49 152 tokens takes milliseconds.
        Sampling::TopKThenTopP {
            k: TOP_K,
            p: TOP_P,
            temperature,
        }
    };
    let seed = RandomState::new().hash_one(());
    LogitsProcessor::from_sampling(seed, sampling)
}
