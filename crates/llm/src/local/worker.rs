//! The one thread that has the model.

use std::path::Path;
use std::thread;

use futures::stream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::generation::{Events, Generation, output_tokens};
use crate::{ModelError, ModelRequest, ModelStream};

/// Requests that may wait behind the one that is answered.
const WAITING_REQUESTS: usize = 8;

/// Handle to the thread; dropping it ends the thread after the requests it has.
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    request: ModelRequest,
    events: Events,
}

impl Worker {
    /// Starts the thread; it reads the weights when the first request comes.
    pub(super) fn start(weights: &Path) -> Self {
        let (jobs, inbox) = mpsc::channel(WAITING_REQUESTS);
        let weights = weights.to_owned();
        let thread = thread::Builder::new().name("local-model".to_owned());
        // Without a thread the inbox is dropped, and every request is answered with an error.
        if let Err(error) = thread.spawn(move || work(&weights, inbox)) {
            tracing::error!(%error, "local model thread not started");
        }
        Self { jobs }
    }

    /// Puts a request in line.
    ///
    /// # Errors
    /// `Busy` if too many wait.
    pub(super) fn answer(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        // Each token gives at most one text; then the rest of the text and the end.
        let (events, mut answer) = mpsc::channel(output_tokens(&request) + 2);
        let job = Job { request, events };
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ModelError::Busy,
            TrySendError::Closed(_) => ModelError::Local,
        })?;
        Ok(Box::pin(stream::poll_fn(move |cx| answer.poll_recv(cx))))
    }
}

fn work(weights: &Path, mut inbox: mpsc::Receiver<Job>) {
    let mut generation = None;
    while let Some(Job { request, events }) = inbox.blocking_recv() {
        if events.is_closed() {
            continue;
        }
        if let Err(error) = answer(&mut generation, weights, &request, &events) {
            tracing::error!(error = format!("{error:#}"), "local model failed");
            let _ = events.try_send(Err(ModelError::Local));
        }
    }
}

fn answer(
    generation: &mut Option<Generation>,
    weights: &Path,
    request: &ModelRequest,
    events: &Events,
) -> anyhow::Result<()> {
    let generation = match generation {
        Some(generation) => generation,
        None => generation.insert(Generation::load(weights)?),
    };
    generation.answer(request, events)
}
