//! Formulas in a text, taken out before the text is read as Markdown, so that neither disturbs the
//! other, and put back into what was read.

use std::borrow::Cow;

use super::formulas::{MAX_BYTES, Place, set};
use super::render::escaped;

/// What stands for a formula: its number between these characters, which nobody assigned.
const BEGIN: char = '\u{e0f0}';
const END: char = '\u{e0f1}';
/// Longest formulas of one text that are looked at.
const MAX_BYTES_IN_ALL: usize = 48 * 1024;

/// A longer one stands alone, where it can be scrolled: browsers break no lines in formulas.
const MAX_BYTES_IN_LINE: usize = 160;

/// The formulas of a text.
pub(super) struct MathSpans<'a> {
    spans: Vec<Span<'a>>,
}

struct Span<'a> {
    /// The formula with its delimiters, as it is written.
    source: &'a str,
    html: String,
}

/// What a formula may stand between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    Dollar,
    Dollars,
    Parentheses,
    Brackets,
}

impl<'a> MathSpans<'a> {
    /// Takes the formulas out of a text; gives it with what stands for them.
    pub(super) fn take_out(text: &'a str) -> (Self, Cow<'a, str>) {
        let mut taken = Self { spans: Vec::new() };
        let may_have_some = text.contains('$') || text.contains(r"\(") || text.contains(r"\[");
        if !may_have_some || text.contains([BEGIN, END]) {
            return (taken, Cow::Borrowed(text));
        }
        let mut rest = String::with_capacity(text.len());
        let mut room = MAX_BYTES_IN_ALL;
        let mut closings = Closings::default();
        let mut at = 0;
        let mut copied = 0;
        while let Some(found) = text[at..].find(['$', '\\']) {
            let start = at + found;
            let Some(delimiter) = Delimiter::at(text, start) else {
                at = start + skipped(&text[start..]);
                continue;
            };
            let inside = start + delimiter.opening().len();
            at = inside;
            let Some(end) = delimiter.end(text, inside, &mut closings) else {
                continue;
            };
            let tex = &text[inside..end];
            let close = end + delimiter.closing().len();
            if !delimiter.may_hold(text, start, tex, close) || tex.len() > room {
                continue;
            }
            room -= tex.len();
            let Some(html) = delimiter.html(tex) else {
                continue;
            };
            rest.push_str(&text[copied..start]);
            rest.push_str(&format!("{BEGIN}{}{END}", taken.spans.len()));
            let source = &text[start..close];
            taken.spans.push(Span { source, html });
            (at, copied) = (close, close);
        }
        rest.push_str(&text[copied..]);
        (taken, Cow::Owned(rest))
    }

    /// A text as it is written, with its formulas: code and addresses have none. What stands in a list
    /// is indented by so much in the whole.
    pub(super) fn written(&self, text: &str, indentation: usize) -> Option<String> {
        let mut written = String::new();
        self.each_part(text, |text, span| {
            written.push_str(text);
            let mut lines = span.map_or("", |span| span.source).split('\n');
            written.push_str(lines.next().unwrap_or_default());
            for line in lines {
                let spaces = line.len() - line.trim_start_matches(' ').len();
                written.push('\n');
                written.push_str(&line[spaces.min(indentation)..]);
            }
        })
        .then_some(written)
    }

    /// The parts of a text: what is text, each with the HTML of the formula behind it.
    pub(super) fn parts(&self, text: &str) -> Option<Vec<(String, Option<&str>)>> {
        let mut parts = Vec::new();
        self.each_part(text, |text, span| {
            parts.push((text.to_owned(), span.map(|span| span.html.as_str())));
        })
        .then_some(parts)
    }

    /// Tells whether the text has any formula.
    fn each_part<'s>(
        &'s self,
        text: &str,
        mut each: impl FnMut(&str, Option<&'s Span<'a>>),
    ) -> bool {
        if self.spans.is_empty() || !text.contains(BEGIN) {
            return false;
        }
        let mut parts = text.split(BEGIN);
        let mut before = parts.next().unwrap_or_default();
        for part in parts {
            let (number, after) = part.split_once(END).unwrap_or((part, ""));
            let span = number.parse().ok().and_then(|it: usize| self.spans.get(it));
            each(before, span);
            before = after;
        }
        each(before, None);
        true
    }
}

/// How far a sign that opens nothing reaches: a run of dollar signs, or what a backslash escapes.
fn skipped(text: &str) -> usize {
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
struct Closings {
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
    fn at(text: &str, start: usize) -> Option<Self> {
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

    fn opening(self) -> &'static str {
        match self {
            Self::Dollar => "$",
            Self::Dollars => "$$",
            Self::Parentheses => r"\(",
            Self::Brackets => r"\[",
        }
    }

    fn closing(self) -> &'static str {
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
    fn end(self, text: &str, from: usize, closings: &mut Closings) -> Option<usize> {
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
    fn may_hold(self, text: &str, start: usize, tex: &str, close: usize) -> bool {
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
    fn html(self, tex: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Vec<&str> {
        let (taken, _) = MathSpans::take_out(text);
        taken.spans.iter().map(|span| span.source).collect()
    }

    #[test]
    fn formulas_are_found_and_put_back() {
        let text = "The $x$ in \\(y_1\\) and\n\n$$\na\n- b % so\n\n+ c\n$$\n\n> \\[\n> d\n> \\]\nend $\\unheard{z}$";

        let (taken, rest) = MathSpans::take_out(text);

        assert_eq!(taken.written(&rest, 0).as_deref(), Some(text));
        assert_eq!(taken.spans.len(), 5);
        let parts = taken.parts(&rest).expect("it has formulas");
        assert_eq!(parts.len(), 6);
        assert_eq!(parts[0].0, "The ");
        assert!(
            parts[2]
                .1
                .is_some_and(|html| html.contains("<mo>−</mo><mi>b</mi><mo>+</mo>"))
        );
        assert!(
            parts[3]
                .1
                .is_some_and(|html| html.contains("<mi>d</mi>") && !html.contains("&gt;"))
        );
        assert_eq!(parts[4].1, Some(r"<code>\unheard{z}</code>"));
    }

    #[test]
    fn what_is_no_formula_stays() {
        for text in [
            "It is $5 to $10, or 10$, $1.50-$2, US$5/A$.",
            "$5 and 10$",
            "**$AAPL** and **$MSFT**, $HOME/$PATH",
            "Set $x, then `$y` and replace $a with the `$` sign",
            "$a [x](http://h/$b)",
            "Revenue ($) and cost ($), $5 (or 5$)",
            "$$ – moderate (20% off)\n\n$$$ – dear",
            r"[\[1\]](https://example.com) and \[see below\], - \[ \] todo",
            r"a \(not math\) and \\(x\\) and \$x\$",
            "$$\nnever closed",
            "$x\n\ny$ and $$a\n\nb$$",
        ] {
            assert_eq!(sources(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn each_pair_of_dollars_is_one_formula() {
        let text = "The formula: $$\nE=mc^2\n$$\nThat is 20% less.\n\nAnd: $$\nx\n$$";

        assert_eq!(sources(text), ["$$\nE=mc^2\n$$", "$$\nx\n$$"]);
        assert_eq!(
            sources(r"$$a_1 \text{ if $x$}$$"),
            [r"$$a_1 \text{ if $x$}$$"]
        );
        assert_eq!(sources("[0,1): $[0,1)$, 速度$v$は"), ["$[0,1)$", "$v$"]);
    }

    #[test]
    fn long_texts_of_delimiters_cost_little() {
        let begun = std::time::Instant::now();
        for part in [
            r"\(", r"\[", "$", "$$ ", "$a", r"\\$a", "$ ", "$x$ ", r"$\a$ ", "$$$",
        ] {
            let text = part.repeat(256 * 1024 / part.len());
            let (taken, rest) = MathSpans::take_out(&text);
            assert_eq!(
                taken.written(&rest, 0).unwrap_or_else(|| rest.to_string()),
                text
            );
        }
        println!("{:?}", begun.elapsed());
    }
}
