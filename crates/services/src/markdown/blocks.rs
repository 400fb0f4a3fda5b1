//! Cuts Markdown that is still being written into blocks that change no more.
//!
//! A finished block is rendered once; only the last one is rendered again when text is added, and
//! it is never long. So the next word costs the same wherever in the answer it stands. Where a cut
//! is a guess (a long list, a reference defined later) the whole text, rendered at the end, is what
//! stays.

use std::ops::Range;

/// A list this long is cut before its next item.
const LONG_LIST: usize = 2 * 1024;
/// A block this long is cut at its next line.
const LONG_BLOCK: usize = 4 * 1024;
/// A longer head of a table is not repeated.
const LONG_HEAD: usize = 1024;
/// A line this long is cut where it is.
const LONG_LINE: usize = 8 * 1024;

/// Where the blocks of a growing text end.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// Where the open block begins.
    open_from: usize,
    /// Where the first line begins that has not been looked at whole.
    line_from: usize,
    /// What must stand before the open block for it to mean what it means in the whole.
    lead: String,
    fence: Option<Fence>,
    /// Head of the table that the open block is.
    table: Option<String>,
    /// The line before the one that is looked at.
    line_before: Range<usize>,
    is_list: bool,
    is_after_gap: bool,
}

/// An open block of code.
#[derive(Clone, Debug)]
struct Fence {
    mark: char,
    length: usize,
    is_indented: bool,
    opening: String,
}

impl Blocks {
    /// Looks at what was added to the text; gives the blocks that are finished now, as Markdown.
    ///
    /// `text` is the whole text; it may only have grown since the last call.
    pub(crate) fn advance(&mut self, text: &str) -> Vec<String> {
        let mut finished = Vec::new();
        while let Some(end) = text[self.line_from..].find('\n') {
            let line = self.line_from..self.line_from + end + 1;
            self.look_at(text, line.clone(), &mut finished);
            self.line_from = line.end;
        }
        self.look_at_beginning(text, &mut finished);
        if text.len() - self.open_from > LONG_LINE {
            self.cut(text, text.len(), &mut finished);
            self.line_from = text.len();
        }
        finished
    }

    /// The block that is still being written, as Markdown; blank if there is none.
    pub(crate) fn open(&self, text: &str) -> String {
        format!("{}{}", self.lead, &text[self.open_from..])
    }

    fn look_at(&mut self, text: &str, line: Range<usize>, finished: &mut Vec<String>) {
        let content = text[line.clone()].trim_end();
        let trimmed = content.trim_start();
        let is_indented = trimmed.len() < content.len();
        let is_long = |limit| line.start - self.open_from > limit;
        if let Some(fence) = &self.fence {
            if fence.is_closed_by(trimmed) {
                self.is_after_gap = !fence.is_indented && !self.is_list;
                self.fence = None;
            } else if is_long(LONG_BLOCK) {
                self.cut(text, line.start, finished);
            }
            return;
        }
        if trimmed.is_empty() {
            self.is_after_gap = true;
            return;
        }
        let is_item = is_list_item(trimmed);
        let ends_list = !self.is_list || !is_item || is_long(LONG_LIST);
        if self.is_after_gap && !is_indented && ends_list
            || self.is_list && is_item && !is_indented && is_long(LONG_LIST)
            || is_long(LONG_BLOCK)
        {
            self.cut(text, line.start, finished);
        }
        if self.table.is_none() && !is_indented && is_under_table_head(trimmed) {
            let head = self.line_before.start..line.end;
            let is_head = head.start >= self.open_from
                && head.len() <= LONG_HEAD
                && text[self.line_before.clone()].contains('|');
            self.table = is_head.then(|| text[head].to_owned());
        }
        self.line_before = line;
        self.is_after_gap = false;
        self.is_list |= is_item;
        self.fence = Fence::opened_by(trimmed, is_indented);
    }

    /// The first letter of a line may tell already that it begins a block.
    fn look_at_beginning(&mut self, text: &str, finished: &mut Vec<String>) {
        let first = text[self.line_from..].chars().next();
        let Some(first) = first.filter(|c| !c.is_whitespace()) else {
            return;
        };
        let may_be_item = matches!(first, '-' | '*' | '+' | '0'..='9');
        if self.is_after_gap && self.fence.is_none() && !(self.is_list && may_be_item) {
            self.cut(text, self.line_from, finished);
        }
    }

    /// Ends the open block at `at`.
    fn cut(&mut self, text: &str, at: usize, finished: &mut Vec<String>) {
        let block = &text[self.open_from..at];
        if !block.trim().is_empty() {
            finished.push(format!("{}{block}", self.lead));
        }
        if self.is_after_gap {
            self.table = None;
        }
        self.lead = match (&self.fence, &self.table) {
            (Some(fence), _) => format!("{}\n", fence.opening),
            (None, Some(table)) => table.clone(),
            (None, None) => String::new(),
        };
        self.open_from = at;
        self.is_list = false;
        self.is_after_gap = false;
    }
}

impl Fence {
    fn opened_by(trimmed: &str, is_indented: bool) -> Option<Self> {
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let rest = trimmed.trim_start_matches(mark);
        let length = trimmed.len() - rest.len();
        let is_fence = length >= 3 && !(mark == '`' && rest.contains('`'));
        is_fence.then(|| Self {
            mark,
            length,
            is_indented,
            opening: trimmed.to_owned(),
        })
    }

    fn is_closed_by(&self, trimmed: &str) -> bool {
        trimmed.len() >= self.length && trimmed.chars().all(|c| c == self.mark)
    }
}

/// Whether a line is what parts the head of a table from its rows.
fn is_under_table_head(trimmed: &str) -> bool {
    let is_rule = |c| matches!(c, '|' | '-' | ':' | ' ' | '\t');
    trimmed.contains('|') && trimmed.contains('-') && trimmed.chars().all(is_rule)
}

fn is_list_item(trimmed: &str) -> bool {
    let after_mark = match trimmed.as_bytes().first() {
        Some(b'-' | b'*' | b'+') => &trimmed[1..],
        Some(b'0'..=b'9') => {
            let rest = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
            match rest.strip_prefix(['.', ')']) {
                Some(rest) => rest,
                None => return false,
            }
        }
        _ => return false,
    };
    after_mark.is_empty() || after_mark.starts_with([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a text by steps of `step` bytes; gives the finished blocks and the open one.
    fn fed(text: &str, step: usize) -> (Vec<String>, String) {
        let mut blocks = Blocks::default();
        let mut finished = Vec::new();
        let ends = (1..=text.len()).filter(|end| text.is_char_boundary(*end));
        for end in ends.filter(|end| end % step == 0 || *end == text.len()) {
            finished.extend(blocks.advance(&text[..end]));
        }
        (finished, blocks.open(text))
    }

    #[test]
    fn blocks_end_at_gaps_however_the_text_arrives() {
        let text =
            "One\nline\n\nTwo é\n\n```rust\na\n\nb\n```\nThree\n\n- x\n\n- y\n\n  more\n\nFour";

        let (blocks, open) = fed(text, 1);

        assert_eq!(
            blocks,
            [
                "One\nline\n\n",
                "Two é\n\n",
                "```rust\na\n\nb\n```\n",
                "Three\n\n",
                "- x\n\n- y\n\n  more\n\n"
            ]
        );
        assert_eq!(open, "Four");
        for step in [2, 3, 7, 1000] {
            assert_eq!(fed(text, step), (blocks.clone(), open.clone()));
        }
    }

    #[test]
    fn long_code_goes_on_in_a_fence_of_its_own() {
        let text = format!("```python\n{}", "print(1)\n".repeat(2_000));

        let (blocks, open) = fed(&text, 9);

        assert!(blocks.len() > 3);
        assert!(
            blocks
                .iter()
                .all(|block| block.starts_with("```python\nprint"))
        );
        assert!(open.starts_with("```python\n"));
        assert!(open.len() < LONG_BLOCK + 100);
    }

    #[test]
    fn long_table_goes_on_under_its_head() {
        let head = "| Name | What |\n|---|:-:|\n";
        let text = format!(
            "{head}{}\nAfter",
            "| a | something about it |\n".repeat(400)
        );

        let (blocks, open) = fed(&text, 9);

        assert!(blocks.len() > 2);
        assert!(blocks.iter().all(|block| block.starts_with(head)));
        assert_eq!(open, "After");
    }

    #[test]
    fn open_block_is_never_long() {
        for text in [
            "word ".repeat(20_000),
            "- item\n".repeat(20_000),
            "x".repeat(100_000),
        ] {
            let mut blocks = Blocks::default();
            for end in (0..=text.len()).step_by(50) {
                blocks.advance(&text[..end]);
                assert!(blocks.open(&text[..end]).len() <= LONG_LINE + 50);
            }
        }
    }
}
