//! What single servers want beside the format.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use url::Url;

/// What a server wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quirks {
    pub(super) call_ids: CallIds,
    pub(super) thoughts: Thoughts,
}

/// Which ids of calls a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallIds {
    /// Any.
    Any,
    /// Nine letters and digits: Mistral refuses those that other servers made.
    Nine,
}

/// Which answers of the model go back with their thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// Those that asked for tools and came with thoughts.
    Known,
    /// Once tools are offered, all of them: DeepSeek and Kimi refuse others, even where the thoughts
    /// are gone.
    All,
}

impl Quirks {
    /// What the server at this address wants.
    pub(super) fn of(base_url: &Url) -> Self {
        let host = base_url.host_str().unwrap_or_default();
        Self {
            call_ids: match host {
                "api.mistral.ai" => CallIds::Nine,
                _ => CallIds::Any,
            },
            thoughts: match host {
                "api.deepseek.com" | "api.moonshot.ai" | "api.moonshot.cn" => Thoughts::All,
                _ => Thoughts::Known,
            },
        }
    }
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
    fn servers_are_told_by_their_hosts() {
        for (base_url, call_ids, thoughts) in [
            ("https://api.mistral.ai/v1", CallIds::Nine, Thoughts::Known),
            ("https://api.deepseek.com/v1", CallIds::Any, Thoughts::All),
            ("https://api.moonshot.ai/v1", CallIds::Any, Thoughts::All),
            ("https://api.moonshot.cn/v1", CallIds::Any, Thoughts::All),
            (
                "https://openrouter.ai/api/v1",
                CallIds::Any,
                Thoughts::Known,
            ),
        ] {
            let quirks = Quirks::of(&Url::parse(base_url).expect("a URL"));

            let expected = Quirks { call_ids, thoughts };
            assert_eq!(quirks, expected, "{base_url}");
        }
    }

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
