//! Parts of requests that some models refuse although they can do without, and which do.

use std::collections::HashSet;
use std::sync::Mutex;

/// Thoughts in words, which OpenAI keeps from organisations that it does not know well.
pub(crate) const SUMMARY: &str = "reasoning.summary";
/// Thoughts that are sealed, which models that do not think refuse.
pub(crate) const INCLUDE: &str = "include";
/// How much is thought. Where nothing is said of it, some models think, and refuse tools then.
pub(crate) const EFFORT: &str = "reasoning_effort";

/// The part that a server names when it refuses a request, if the request can be changed in it.
pub(crate) fn named(param: &str) -> Option<&'static str> {
    [SUMMARY, INCLUDE, EFFORT]
        .into_iter()
        .find(|part| *part == param)
}

/// What the models of one server have refused.
#[derive(Default)]
pub(crate) struct Refused(Mutex<HashSet<(String, &'static str)>>);

impl Refused {
    /// Whether a model has refused a part.
    pub(crate) fn has(&self, model: &str, part: &'static str) -> bool {
        let refused = self.0.lock().expect("no holder panics");
        refused.contains(&(model.to_owned(), part))
    }

    /// Remembers that it has.
    pub(crate) fn note(&self, model: &str, part: &'static str) {
        let mut refused = self.0.lock().expect("no holder panics");
        refused.insert((model.to_owned(), part));
    }
}
