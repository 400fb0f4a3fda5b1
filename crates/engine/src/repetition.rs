//! Notices a model that asks for the same thing again and again, by itself or in turn with others.

use std::collections::VecDeque;

use llm::ToolCall;

/// Calls that are compared: so many may follow each other before the first one comes again.
const LONGEST_CYCLE: usize = 4;
/// The same call this many times in a row is refused with a hint.
const REFUSED_FROM: usize = 4;
/// The same call this many times in a row ends the run.
const ENDED_FROM: usize = 8;
/// The same for calls in turn. It is more, since who waits for something asks in turn, too.
const CYCLES_REFUSED_FROM: usize = 6;
const CYCLES_ENDED_FROM: usize = 12;

/// The last calls and how often they came in the same order.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    /// Name and arguments, the newest first.
    last: VecDeque<(String, String)>,
    /// For each length of a cycle, how many calls in a row were those of one cycle before.
    repeated: [usize; LONGEST_CYCLE],
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
        let call = (call.name.clone(), call.arguments.clone());
        for (before, repeated) in self.repeated.iter_mut().enumerate() {
            match self.last.get(before) == Some(&call) {
                true => *repeated += 1,
                false => *repeated = 0,
            }
        }
        self.last.push_front(call);
        self.last.truncate(LONGEST_CYCLE);
        let [alone, ..] = self.repeated;
        let in_turn = self.repeated.iter().enumerate().skip(1);
        let in_turn = in_turn.map(|(before, repeated)| repeated / (before + 1) + 1);
        let (alone, in_turn) = (alone + 1, in_turn.max().unwrap_or_default());
        if alone >= ENDED_FROM || in_turn >= CYCLES_ENDED_FROM {
            return Repeated::TooOften;
        }
        if alone >= REFUSED_FROM {
            return Repeated::Hint(format!(
                "this very call was made {} times in a row; its result is above and does not \
                 change. Use it, or do something else",
                alone - 1
            ));
        }
        if in_turn >= CYCLES_REFUSED_FROM {
            return Repeated::Hint(format!(
                "this call and those before it were made {} times in the same order; their results \
                 are above. Use them, or do something else",
                in_turn - 1
            ));
        }
        Repeated::No
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

    #[test]
    fn calls_in_turn_are_hinted_at_then_ended() {
        for cycle in [["a", "b"].as_slice(), &["a", "b", "c"]] {
            let mut repetition = Repetition::default();
            let length = cycle.len();
            let mut ask = |number: usize| repetition.note(&call(cycle[number % length]));

            let first: Vec<_> = (0..5 * length).map(&mut ask).collect();
            let sixth = ask(5 * length);
            let sixth_end = (1..length).map(|n| ask(5 * length + n)).last();
            let twelfth = (6 * length..12 * length).map(&mut ask).last();

            assert!(first.iter().all(|repeated| *repeated == Repeated::No));
            assert_eq!(sixth, Repeated::No, "the sixth round is not whole");
            assert!(matches!(sixth_end, Some(Repeated::Hint(_))), "{cycle:?}");
            assert_eq!(twelfth, Some(Repeated::TooOften));
        }
    }

    #[test]
    fn calls_that_never_come_in_the_same_order_are_let_through() {
        let mut repetition = Repetition::default();

        let noted: Vec<_> = (0..60)
            .flat_map(|number| [number.to_string(), "status".to_owned()])
            .map(|arguments| repetition.note(&call(&arguments)))
            .collect();

        assert!(noted.iter().all(|repeated| *repeated == Repeated::No));
    }
}
