//! What single servers want beside the format.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Which ids of calls a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallIds {
    /// Any.
    Any,
    /// Nine letters and digits: Mistral refuses those that other servers made.
    Nine,
}

impl CallIds {
    /// A call's id as the server takes it.
    pub(super) fn of(self, id: &str) -> Cow<'_, str> {
        let is_fine = id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if self == Self::Any || is_fine {
            return Cow::Borrowed(id);
        }
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        Cow::Owned(format!("{:09x}", hasher.finish() >> 28))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_other_servers_become_nine_letters_and_digits_and_stay_apart() {
        let [first, second, own] = ["call_1", "call_2", "Ab3dE6gH9"];

        let made = [first, second].map(|id| CallIds::Nine.of(id));

        assert!(made.iter().all(|id| id.len() == 9));
        assert!(made.concat().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(made[0], made[1]);
        assert_eq!(made[0], CallIds::Nine.of(first));
        assert_eq!(CallIds::Nine.of(own), own);
        assert_eq!(CallIds::Any.of(first), first);
    }
}
