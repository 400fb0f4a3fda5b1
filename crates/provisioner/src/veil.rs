//! Secrets that a server was given and may say again, as they are or in another dress.

use std::fmt;
use std::sync::Arc;

use crate::dress::forms;

/// What is shorter is found by chance, and hiding it would tell it.
const SHORTEST: usize = 6;
const HIDDEN: &[u8] = "•••".as_bytes();

/// Hides known secrets in what a server says. Cloning shares them.
#[derive(Clone, Default)]
pub struct Veil {
    /// Longest first, so that one which holds another is hidden whole.
    secrets: Arc<[Vec<u8>]>,
    /// The bytes that any of them begins with: most of what is said begins none.
    begins: Arc<[bool]>,
}

impl Veil {
    /// Hides these values and each of their lines, as they are and as JSON, base64 and percent-encoding
    /// write them, if they have six bytes or more.
    pub fn over<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        for value in values {
            for part in [value].into_iter().chain(value.lines()) {
                let part = part.trim();
                if part.len() < SHORTEST {
                    continue;
                }
                let forms = forms(part).into_iter();
                let forms = forms.filter(|form| form.len() >= SHORTEST);
                secrets.extend(forms.map(String::into_bytes));
            }
        }
        secrets.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        secrets.dedup();
        let mut begins = vec![false; 256];
        for secret in &secrets {
            begins[usize::from(secret[0])] = true;
        }
        Self {
            secrets: secrets.into(),
            begins: begins.into(),
        }
    }

    /// The same text without the secrets.
    pub fn hide_in(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide(text.as_bytes(), usize::MAX)).into_owned()
    }

    /// The first bytes, at most `most` of what was said, without the secrets that begin in them.
    pub(crate) fn hide(&self, bytes: &[u8], most: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len().min(most));
        let mut at = 0;
        while at < bytes.len().min(most) {
            let rest = &bytes[at..];
            let begins = self.begins.get(usize::from(bytes[at]));
            let found = match begins {
                Some(true) => self.secrets.iter().find(|it| rest.starts_with(it)),
                _ => None,
            };
            match found {
                Some(secret) => {
                    shown.extend_from_slice(HIDDEN);
                    at += secret.len();
                }
                None => {
                    shown.push(bytes[at]);
                    at += 1;
                }
            }
        }
        shown
    }

    /// Length of the longest secret.
    pub(crate) fn longest(&self) -> usize {
        self.secrets.first().map_or(0, Vec::len)
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Veil").finish_non_exhaustive()
    }
}
