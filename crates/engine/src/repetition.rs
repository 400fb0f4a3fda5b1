//! Notices a model that asks for the same thing again and again.

use llm::ToolCall;

/// The same call this many times in a row is refused with a hint.
const REFUSED_FROM: u32 = 4;
/// The same call this many times in a row ends the run.
const ENDED_FROM: u32 = 8;

/// The last call and how often it came in a row.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    last: Option<(String, String)>,
    times: u32,
}

/// What to do about a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    No,
    /// The model gets a hint instead of a result.
    Hint(String),
    /// The run is ended.
    TooOften,
}

impl Repetition {
    pub(crate) fn note(&mut self, call: &ToolCall) -> Repeated {
        let is_same = self
            .last
            .as_ref()
            .is_some_and(|(name, arguments)| *name == call.name && *arguments == call.arguments);
        if is_same {
            self.times += 1;
        } else {
            self.last = Some((call.name.clone(), call.arguments.clone()));
            self.times = 1;
        }
        match self.times {
            ENDED_FROM.. => Repeated::TooOften,
            REFUSED_FROM.. => Repeated::Hint(format!(
                "this very call was made {} times in a row; its result is above and does not \
                 change. Use it, or do something else",
                self.times - 1
            )),
            _ => Repeated::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str) -> ToolCall {
        ToolCall {
            id: "call".to_owned(),
            name: "look".to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    #[test]
    fn same_call_is_hinted_at_then_ended_and_another_starts_over() {
        let mut repetition = Repetition::default();

        let first: Vec<_> = (0..3).map(|_| repetition.note(&call("{}"))).collect();
        let fourth = repetition.note(&call("{}"));
        let other = repetition.note(&call(r#"{"a":1}"#));
        let eighth = (0..8).map(|_| repetition.note(&call("{}"))).last();

        assert!(first.iter().all(|repeated| *repeated == Repeated::No));
        assert!(matches!(fourth, Repeated::Hint(_)));
        assert_eq!(other, Repeated::No);
        assert_eq!(eighth, Some(Repeated::TooOften));
    }
}
