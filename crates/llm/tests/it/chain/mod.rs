//! A model made of several.

mod asking;
mod fallbacks;
mod retries;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::events::FinishReason;
use domain::models::ModelFacts;
use domain::runs::Usage;
use futures::{StreamExt, stream};
use llm::chain::{Candidate, Chain, Switch};
use llm::{ChatModel, ListedModel, ModelError, ModelEvent, ModelRequest, ModelStream};
use tokio::time::Instant;

/// A model that does what it is told, call after call; at the end of its script it answers.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Vec<Result<ModelEvent, ModelError>>>>,
    seen: Mutex<Vec<ModelRequest>>,
}

impl Scripted {
    fn failing(errors: impl IntoIterator<Item = ModelError>) -> Arc<Self> {
        let script = errors.into_iter().map(|error| vec![Err(error)]).collect();
        Arc::new(Self {
            script: Mutex::new(script),
            seen: Mutex::default(),
        })
    }

    fn calls(&self) -> usize {
        self.seen.lock().expect("a lock").len()
    }
}

#[async_trait]
impl ChatModel for Scripted {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        self.seen.lock().expect("a lock").push(request);
        let next = self.script.lock().expect("a lock").pop_front();
        let events = next.unwrap_or_else(|| vec![Ok(text("ok")), Ok(finished(0))]);
        if let [Err(error)] = events.as_slice() {
            return Err(error.clone());
        }
        Ok(Box::pin(stream::iter(events)))
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        Ok(Vec::new())
    }
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::Text(text.to_owned())
}

fn finished(cost_usd_micros: u64) -> ModelEvent {
    ModelEvent::Finished {
        reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: 1_000,
            output_tokens: 100,
            cost_usd_micros,
            ..Usage::default()
        },
    }
}

fn candidate(name: &str, model: Arc<Scripted>) -> Candidate {
    Candidate {
        model,
        name: name.to_owned(),
        title: name.to_uppercase(),
        owner: name.to_owned(),
        temperature: None,
        takes_temperature: true,
        max_output_tokens: None,
        facts: ModelFacts::default(),
        breaker: Arc::default(),
    }
}

/// A chain, and the switches that it tells of.
fn telling(candidates: Vec<Candidate>) -> (Chain, Arc<Mutex<Vec<Switch>>>) {
    let switches = Arc::new(Mutex::new(Vec::new()));
    let told = switches.clone();
    let on_switch = move |switch| told.lock().expect("a lock").push(switch);
    let deadline = Instant::now() + Duration::from_secs(600);
    (
        Chain::new(candidates, deadline, Box::new(on_switch)),
        switches,
    )
}

fn chain(candidates: Vec<Candidate>) -> Chain {
    telling(candidates).0
}

fn only(switches: &Mutex<Vec<Switch>>) -> Switch {
    let mut switches = switches.lock().expect("a lock");
    assert_eq!(switches.len(), 1, "{switches:?}");
    switches.remove(0)
}

fn broken() -> ModelError {
    ModelError::Unavailable {
        status: 503,
        retry_after: None,
        message: None,
    }
}

async fn answer(chain: &Chain, request: ModelRequest) -> Result<Vec<ModelEvent>, ModelError> {
    let events: Vec<_> = chain.stream(request).await?.collect().await;
    events.into_iter().collect()
}
