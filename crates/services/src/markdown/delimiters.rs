//! What formulas stand between, and what between such signs is none.

use super::formulas::{MAX_BYTES, Place, set};
use super::render::escaped;

/// A longer one stands alone, where it can be scrolled: browsers break no lines in formulas.
const MAX_BYTES_IN_LINE: usize = 160;

/// What a formula may stand between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Dollar,
    Dollars,
    Parentheses,
    Brackets,
}

/// How far a sign that opens nothing reaches: a run of dollar signs, or what a backslash escapes.
pub(super) fn skipped(text: &str) -> usize {
    match text.starts_with('$') {
        true => run_of_dollars(text),
        false => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
    }
}

fn run_of_dollars(text: &str) -> usize {
    text.len() - text.trim_start_matches('$').len()
}

/// Where delimiters close, looked for once.
#[derive(Default)]
pub(super) struct Closings {
    parenthesis: Option<usize>,
    bracket: Option<usize>,
}

impl Closings {
    fn next(known: &mut Option<usize>, text: &str, from: usize, closing: &str) -> usize {
        match *known {
            Some(at) if at >= from => at,
            _ => {
                let found = text[from..].find(closing);
                *known.insert(found.map_or(usize::MAX, |found| from + found))
            }
        }
    }
}

impl Delimiter {
    /// The delimiter that opens at a dollar sign or backslash.
    pub(super) fn at(text: &str, start: usize) -> Option<Self> {
        let rest = &text[start..];
        if rest.starts_with(r"\(") {
            return Some(Self::Parentheses);
        }
        if rest.starts_with(r"\[") {
            return Some(Self::Brackets);
        }
        match run_of_dollars(rest) {
            1 => Some(Self::Dollar),
            2 => Some(Self::Dollars),
            _ => None,
        }
    }

    pub(super) fn opening(self) -> &'static str {
        match self {
            Self::Dollar => "$",
            Self::Dollars => "$$",
            Self::Parentheses => r"\(",
            Self::Brackets => r"\[",
        }
    }

    pub(super) fn closing(self) -> &'static str {
        match self {
            Self::Dollar => "$",
            Self::Dollars => "$$",
            Self::Parentheses => r"\)",
            Self::Brackets => r"\]",
        }
    }

    fn place(self) -> Place {
        match self {
            Self::Dollar | Self::Parentheses => Place::InLine,
            Self::Dollars | Self::Brackets => Place::Alone,
        }
    }

    /// Where it closes again.
    pub(super) fn end(self, text: &str, from: usize, closings: &mut Closings) -> Option<usize> {
        let end = match self {
            Self::Dollar => next_run(text, from).filter(|(_, length)| *length == 1)?.0,
            Self::Dollars => {
                let mut from = from;
                loop {
                    let (at, length) = next_run(text, from)?;
                    match length {
                        // Text within a formula may have formulas.
                        1 => from = at + 1,
                        2 => break at,
                        _ => return None,
                    }
                }
            }
            Self::Parentheses => {
                Closings::next(&mut closings.parenthesis, text, from, self.closing())
            }
            Self::Brackets => Closings::next(&mut closings.bracket, text, from, self.closing()),
        };
        (end <= text.len() && end - from <= MAX_BYTES).then_some(end)
    }

    /// Whether what stands between `start` and `close` may be a formula, and not a price, a variable of
    /// a shell, code or an escaped bracket.
    pub(super) fn may_hold(self, text: &str, start: usize, tex: &str, close: usize) -> bool {
        if tex.trim().is_empty() || tex.contains('`') || has_paragraphs(self, tex) {
            return false;
        }
        let has_sign = tex.contains(['\\', '^', '_', '=', '<', '>', '+', '{']);
        match self {
            Self::Dollar => {
                let is_letter = |c: char| c.is_ascii_alphanumeric();
                let is_spaced =
                    tex.starts_with(char::is_whitespace) || tex.ends_with(char::is_whitespace);
                !is_spaced
                    && !text[..start].ends_with(is_letter)
                    && !text[close..].starts_with(is_letter)
                    && has_pairs(tex)
                    && (has_sign || !is_prose(tex))
            }
            Self::Parentheses => has_sign || !is_prose(tex),
            Self::Dollars => has_sign || !is_prose(tex),
            Self::Brackets => has_sign || tex.starts_with(['\n', '\r']),
        }
    }

    /// What is not understood is shown as it is written; `None` if it need not be a formula.
    pub(super) fn html(self, tex: &str) -> Option<String> {
        let place = match tex.len() {
            0..=MAX_BYTES_IN_LINE => self.place(),
            _ => Place::Alone,
        };
        match (set(&without_marks(tex), place), place) {
            (Some(html), Place::InLine) => Some(html),
            (Some(html), Place::Alone) => Some(format!(
                r#"<span class="formula" role="group" aria-label="Formula" tabindex="0">{html}</span>"#
            )),
            (None, _) if tex.contains('\\') => {
                Some(format!("<code>{}</code>", escaped(tex.trim())))
            }
            (None, _) => None,
        }
    }
}

/// The next dollar signs that nothing escapes, with their number.
fn next_run(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let found = text[at..].find(['$', '\\'])?;
        at += found;
        if text[at..].starts_with('$') {
            return Some((at, run_of_dollars(&text[at..])));
        }
        at += skipped(&text[at..]);
    }
}

/// Whether a formula has blank lines that it must not have: only one whose delimiters stand alone on
/// their lines may.
fn has_paragraphs(delimiter: Delimiter, tex: &str) -> bool {
    let begins_alone = tex.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
    let may_have = delimiter.place() == Place::Alone && begins_alone;
    let mut lines = tex.split('\n').skip(1);
    let is_blank = |line: &str| !line.is_empty() && line.trim().is_empty();
    !may_have && (tex.contains("\n\n") || lines.any(is_blank))
}

/// Whether each bracket that opens closes, whichever: intervals may be half open.
fn has_pairs(tex: &str) -> bool {
    let mut open = 0_i32;
    for c in tex.chars() {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' => open -= 1,
            _ => {}
        }
        if open < 0 {
            return false;
        }
    }
    open == 0
}

/// Whether there are words, as formulas have none but by commands.
fn is_prose(tex: &str) -> bool {
    let is_word = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    tex.split_whitespace().count() > 1 && tex.split_whitespace().any(is_word)
}

/// A formula on one line, without comments, which would reach to its end there, and without the marks
/// of a quotation that its lines begin with.
fn without_marks(tex: &str) -> String {
    let mut lines = tex.lines();
    let mut joined = without_comment(lines.next().unwrap_or_default()).to_owned();
    for line in lines {
        let line = line.trim_start_matches([' ', '\t', '>']);
        joined.push(' ');
        joined.push_str(without_comment(line));
    }
    joined
}

fn without_comment(line: &str) -> &str {
    let mut marks = line.match_indices('%');
    let comment = marks.find(|(at, _)| !line[..*at].ends_with('\\'));
    comment.map_or(line, |(at, _)| &line[..at])
}
