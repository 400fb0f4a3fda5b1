//! Conversations that the model has read already.

use candle_transformers::models::quantized_llama::ModelWeights;

/// Tokens that are remembered over all conversations; each costs 46 KB.
const REMEMBERED_TOKENS: usize = 4096;

/// A model that has read some tokens. Copies share the weights.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) model: ModelWeights,
    pub(super) tokens: Vec<u32>,
}

/// Readings, so that a conversation's next turn reads only what is new.
///
/// candle cannot cut a reading short, so one is used only if its tokens are an exact prefix of the
/// new ones. An answer's text may split into other tokens than the model wrote, therefore both the
/// prompt and the prompt with its answer are kept.
pub(super) struct Cache {
    fresh: ModelWeights,
    /// Least recently used first.
    readings: Vec<Reading>,
}

impl Cache {
    pub(super) fn new(fresh: ModelWeights) -> Self {
        Self {
            fresh,
            readings: Vec::new(),
        }
    }

    /// The longest reading that begins the prompt and leaves at least one token to read.
    pub(super) fn begin(&mut self, prompt: &[u32]) -> Reading {
        let best = (0..self.readings.len())
            .filter(|&i| {
                let tokens = &self.readings[i].tokens;
                tokens.len() < prompt.len() && prompt.starts_with(tokens)
            })
            .max_by_key(|&i| self.readings[i].tokens.len());
        match best {
            Some(index) => {
                let reading = self.readings.remove(index);
                self.readings.push(reading.clone());
                reading
            }
            // A copy each time: candle keeps a mask for every length it has seen.
            None => Reading {
                model: self.fresh.clone(),
                tokens: Vec::new(),
            },
        }
    }

    /// Remembers a read prompt in place of the turns it continues.
    pub(super) fn remember_prompt(&mut self, reading: &Reading) {
        self.readings
            .retain(|old| !reading.tokens.starts_with(&old.tokens));
        self.remember(reading.clone());
    }

    /// Remembers a prompt with its answer, beside the prompt.
    pub(super) fn remember_answer(&mut self, reading: Reading) {
        self.readings.retain(|old| old.tokens != reading.tokens);
        self.remember(reading);
    }

    fn remember(&mut self, reading: Reading) {
        self.readings.push(reading);
        let mut total: usize = self.readings.iter().map(|r| r.tokens.len()).sum();
        while total > REMEMBERED_TOKENS {
            total -= self.readings.remove(0).tokens.len();
        }
    }
}
