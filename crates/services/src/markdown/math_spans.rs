//! Formulas in a text, taken out before the text is read as Markdown, so that neither disturbs the
//! other, and put back into what was read.

use std::borrow::Cow;

use super::delimiters::{Closings, Delimiter, skipped};

/// What stands for a formula: its number between these characters, which nobody assigned.
const BEGIN: char = '\u{e0f0}';
const END: char = '\u{e0f1}';
/// Longest formulas of one text that are looked at.
const MAX_BYTES_IN_ALL: usize = 48 * 1024;

/// The formulas of a text.
pub(super) struct MathSpans<'a> {
    spans: Vec<Span<'a>>,
}

struct Span<'a> {
    /// The formula with its delimiters, as it is written.
    source: &'a str,
    html: String,
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
