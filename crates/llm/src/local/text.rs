//! Text from tokens that end in the middle of characters.

/// Collects bytes and gives out whole characters only.
#[derive(Default)]
pub(super) struct Text {
    pending: Vec<u8>,
}

impl Text {
    /// Takes bytes in; gives the characters that are whole by now, possibly none.
    ///
    /// Bytes that can never become a character, and NUL, come out as U+FFFD.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let rest = &self.pending[used..];
            let invalid = chunk.invalid();
            if invalid.is_empty() || (invalid.len() == rest.len() && is_unfinished(invalid)) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            used += invalid.len();
        }
        self.pending.drain(..used);
        if text.contains('\0') {
            return text.replace('\0', "\u{fffd}");
        }
        text
    }

    /// What is left when no more bytes come.
    pub(super) fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

fn is_unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn characters_come_out_whole_wherever_they_are_split() {
        let expected = "né漢🌍!";
        for split in 0..=expected.len() {
            let mut text = Text::default();

            let first = text.push(&expected.as_bytes()[..split]);
            let second = text.push(&expected.as_bytes()[split..]);

            assert_eq!(first + &second, expected, "split at {split}");
            assert_eq!(text.finish(), "");
        }
    }

    #[test]
    fn impossible_bytes_become_replacement_characters() {
        let mut text = Text::default();

        assert_eq!(text.push(b"a\xff\0b\xe6"), "a\u{fffd}\u{fffd}b");
        assert_eq!(text.push(b"c"), "\u{fffd}c");
        assert_eq!(text.push(b"\xf0\x9f"), "");
        assert_eq!(text.finish(), "\u{fffd}");
    }
}
