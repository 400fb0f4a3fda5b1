//! A model made of several: the first that answers.
//!
//! Retries happen here and only before the first event of an answer; later errors are handed on.

mod breaker;
mod candidate;
mod retry;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::models::Price;
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use self::candidate::mark_carry;
use self::retry::pause;
use crate::{ChatModel, ListedModel, ModelError, ModelEvent, ModelRequest, ModelStream};

pub use breaker::Breaker;
pub use candidate::{Candidate, estimated_tokens};

/// Retries of the only model, and of the last one.
const RETRIES: u32 = 3;
/// Retries of a model behind which another waits.
const RETRIES_BEFORE_FALLBACK: u32 = 1;

/// Several models in the order in which they are asked, the agent's own first.
///
/// A model is passed over that is known not to be up to the request, or whose connection rests
/// after failures, as long as another is left.
pub struct Chain {
    candidates: Vec<Candidate>,
    /// When whoever waits gives up; nothing is tried again after that.
    deadline: Instant,
    on_switch: OnSwitch,
    asked: LastAsked,
}

/// Which model of a chain was asked last, for whoever must know it without an answer's end.
#[derive(Clone, Debug, Default)]
pub struct LastAsked(Arc<Mutex<Option<Asked>>>);

/// A model that was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// What it costs, if that is known.
    pub price: Option<Price>,
}

/// Which model took over from which, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The agent's own model.
    pub from: String,
    /// The one that answers.
    pub to: String,
    /// What was wrong with the first.
    pub reason: String,
}

/// Hears of a switch just before the first event of the answer. Must not block.
pub type OnSwitch = Box<dyn Fn(Switch) + Send + Sync>;

/// An answer that has begun.
struct Begun {
    first: ModelEvent,
    rest: ModelStream,
}

impl LastAsked {
    /// The model, if one was asked since [`LastAsked::forget`] that did not refuse at once.
    pub fn get(&self) -> Option<Asked> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Forgets what was asked before.
    pub fn forget(&self) {
        *self.0.lock().expect("no holder panics") = None;
    }

    fn note(&self, candidate: &Candidate) {
        *self.0.lock().expect("no holder panics") = Some(Asked {
            name: candidate.name.clone(),
            price: candidate.facts.price,
        });
    }
}

impl Chain {
    /// A chain of at least one model.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(candidates: Vec<Candidate>, deadline: Instant, on_switch: OnSwitch) -> Self {
        assert!(!candidates.is_empty(), "a chain without a model");
        Self {
            candidates,
            deadline,
            on_switch,
            asked: LastAsked::default(),
        }
    }

    /// Tells `asked` each model just before it is asked.
    #[must_use]
    pub fn noting(mut self, asked: LastAsked) -> Self {
        self.asked = asked;
        self
    }

    /// Indexes of the models that may be up to the request, the agent's own first.
    fn fitting(&self, request: &ModelRequest) -> VecDeque<usize> {
        let fitting: VecDeque<usize> = (0..self.candidates.len())
            .filter(|&index| self.candidates[index].misfit(request).is_none())
            .collect();
        match fitting.is_empty() {
            // What is known of models may be wrong.
            true => VecDeque::from([0]),
            false => fitting,
        }
    }

    /// Asks one model until it answers or gives no hope.
    async fn ask(
        &self,
        candidate: &Candidate,
        request: &ModelRequest,
        retries: u32,
    ) -> Result<Begun, ModelError> {
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            self.asked.note(candidate);
            let error = match begin(candidate, request).await {
                Ok(begun) => return Ok(begun),
                Err(error) => error,
            };
            if !matches!(error, ModelError::Timeout { .. } | ModelError::Interrupted) {
                self.asked.forget();
            }
            candidate.breaker.note(&error);
            let pause = (attempt < retries)
                .then(|| pause(&error, attempt, started.elapsed()))
                .flatten()
                .filter(|&pause| Instant::now() + pause < self.deadline);
            let Some(pause) = pause else {
                return Err(error);
            };
            tracing::info!(
                model = candidate.name,
                error = error.kind(),
                pause_ms = pause.as_millis() as u64,
                "asking a model again"
            );
            sleep(pause).await;
            attempt += 1;
        }
    }
}

#[async_trait]
impl ChatModel for Chain {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        if request.output_schema.is_some()
            && self
                .candidates
                .iter()
                .all(Candidate::cannot_keep_to_a_schema)
        {
            return Err(ModelError::NoJsonSchema);
        }
        let mut next = self.fitting(&request);
        let mut resting = VecDeque::new();
        let is_alone = next.len() == 1;
        let mut reason = self.candidates[0].misfit(&request).map(str::to_owned);
        let mut failure: Option<ModelError> = None;
        loop {
            let index = match next.pop_front() {
                // Only who is asked uses up what a breaker lets through.
                Some(index) if !is_alone && !self.candidates[index].breaker.lets_through() => {
                    if index == 0 {
                        reason = Some("its connection rests after several failures".to_owned());
                    }
                    resting.push_back(index);
                    continue;
                }
                Some(index) => index,
                None => match resting.pop_front() {
                    Some(index) => index,
                    None => break,
                },
            };
            let candidate = &self.candidates[index];
            let is_last = next.is_empty() && resting.is_empty();
            let retries = if is_last {
                RETRIES
            } else {
                RETRIES_BEFORE_FALLBACK
            };
            let request = candidate.adapt(&request, index == 0);
            match self.ask(candidate, &request, retries).await {
                Ok(begun) => {
                    if let Some(reason) = reason.filter(|_| index != 0) {
                        (self.on_switch)(Switch {
                            from: self.candidates[0].title.clone(),
                            to: candidate.title.clone(),
                            reason,
                        });
                    }
                    return Ok(answer(candidate, begun));
                }
                // Another model may be less careful, and nobody asked for that.
                Err(ModelError::Filtered) => return Err(ModelError::Filtered),
                Err(error) => {
                    reason.get_or_insert_with(|| error.to_string());
                    failure.get_or_insert(error);
                }
            }
            if Instant::now() >= self.deadline {
                break;
            }
        }
        Err(failure.unwrap_or(ModelError::Interrupted))
    }

    /// Lists those of the first model's server.
    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        self.candidates[0].model.list_models().await
    }
}

/// Waits for the first event: only then is it known that the model answers.
async fn begin(candidate: &Candidate, request: &ModelRequest) -> Result<Begun, ModelError> {
    let mut rest = candidate.model.stream(request.clone()).await?;
    match rest.next().await {
        Some(Ok(first)) => Ok(Begun { first, rest }),
        Some(Err(error)) => Err(error),
        None => Err(ModelError::Interrupted),
    }
}

/// The whole answer, with its price at the end.
fn answer(candidate: &Candidate, begun: Begun) -> ModelStream {
    let breaker = candidate.breaker.clone();
    let price = candidate.facts.price;
    let owner = candidate.owner.clone();
    let first = stream::iter([Ok(begun.first)]);
    let events = first.chain(begun.rest).map(move |item| {
        let mut item = item;
        match &mut item {
            Ok(ModelEvent::Finished { usage, .. }) => {
                breaker.close();
                if let Some(price) = price {
                    usage.cost_usd_micros = price.cost_usd_micros(usage);
                }
            }
            Ok(ModelEvent::Carry(carry)) => *carry = mark_carry(&owner, carry),
            Ok(_) => {}
            Err(error) => breaker.note(error),
        }
        item
    });
    Box::pin(events)
}
