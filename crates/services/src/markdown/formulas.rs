//! Formulas in the notation of TeX, as MathML, which browsers set by themselves.

use std::borrow::Cow;
use std::convert::Infallible;

use pulldown_latex::config::DisplayMode;
use pulldown_latex::mathml::push_mathml;
use pulldown_latex::{Parser, RenderConfig, Storage};

/// Longest formula that is set; a longer one is shown as it is written.
const MAX_BYTES: usize = 4 * 1024;
/// Deepest MathML that is set; sanitising takes time by the square of it.
const MAX_DEPTH: usize = 64;
/// Commands of a formula that are read on the stack that is there, as each may be the argument of the
/// one before it.
const MAX_COMMANDS_HERE: usize = 128;
/// Stack that is enough for as many commands as the longest formula can have.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Commands that define commands, which may grow without bounds.
const DEFINING: [&str; 6] = [
    r"\def",
    r"\edef",
    r"\gdef",
    r"\let",
    r"\newcommand",
    r"\renewcommand",
];

/// Commands that models use and the parser does not know, by what means the same.
const KNOWN_BY_OTHERS: [(&str, &str); 18] = [
    (r"\R", r"\def\R{\mathbb{R}}"),
    (r"\abs", r"\def\abs#1{\left|#1\right|}"),
    (
        r"\argmax",
        "\\def\\argmax{\\mathop{arg\u{2009}max}\\limits}",
    ),
    (
        r"\argmin",
        "\\def\\argmin{\\mathop{arg\u{2009}min}\\limits}",
    ),
    (r"\bm", r"\def\bm#1{\boldsymbol{#1}}"),
    (
        r"\boxed",
        r"\def\boxed#1{\begin{array}{|c|}\hline\displaystyle #1\\\hline\end{array}}",
    ),
    (r"\bra", r"\def\bra#1{\langle #1|}"),
    (r"\braket", r"\def\braket#1{\langle #1\rangle}"),
    (r"\ket", r"\def\ket#1{|#1\rangle}"),
    (r"\label", r"\def\label#1{}"),
    (r"\mathbbm", r"\def\mathbbm#1{\mathbb{#1}}"),
    (r"\mathscr", r"\def\mathscr#1{\mathcal{#1}}"),
    (r"\nonumber", r"\def\nonumber{}"),
    (r"\norm", r"\def\norm#1{\left\lVert #1\right\rVert}"),
    (r"\notag", r"\def\notag{}"),
    (r"\pmb", r"\def\pmb#1{\boldsymbol{#1}}"),
    (r"\smash", r"\def\smash#1{#1}"),
    (r"\tag", r"\def\tag#1{\qquad(#1)}"),
];

/// MathML of a formula; `None` if it is not understood, too long or nested too deeply. A formula is
/// `on_its_own`, or stands within a line.
pub(super) fn set(tex: &str, on_its_own: bool) -> Option<String> {
    if tex.len() > MAX_BYTES || DEFINING.iter().any(|command| has_command(tex, command)) {
        return None;
    }
    let tex = with_plain_operators(tex);
    let known = KNOWN_BY_OTHERS.iter();
    let known = known.filter(|(command, _)| has_command(&tex, command));
    let mut source: String = known.map(|(_, definition)| *definition).collect();
    source.push_str(&tex);
    let set = move || mathml(&source, on_its_own);
    let html = match tex.matches('\\').count() {
        0..=MAX_COMMANDS_HERE => set(),
        _ => std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(set)
            .ok()?
            .join()
            .ok()?,
    };
    html.filter(|html| depth(html) <= MAX_DEPTH)
}

fn mathml(source: &str, on_its_own: bool) -> Option<String> {
    let storage = Storage::new();
    let events: Result<Vec<_>, _> = Parser::new(source, &storage).collect();
    let config = RenderConfig {
        display_mode: match on_its_own {
            true => DisplayMode::Block,
            false => DisplayMode::Inline,
        },
        ..RenderConfig::default()
    };
    let mut html = String::new();
    let events = events.ok()?.into_iter().map(Ok::<_, Infallible>);
    push_mathml(&mut html, events, config).ok()?;
    // The sign of millionths, which stays upright, stands for the letter there.
    Some(html.replace('\u{b5}', "\u{3bc}"))
}

/// A formula whose operators have names without commands, as the parser shows commands in them as
/// they are written. It does not know the operator with a star, which has its limits below.
fn with_plain_operators(tex: &str) -> String {
    let mut plain = String::with_capacity(tex.len());
    let mut rest = tex;
    let next = |rest: &str| {
        let commands = [r"\operatorname*{", r"\operatorname{", r"\mathop{"].into_iter();
        let found = commands.filter_map(|command| Some((rest.find(command)?, command)));
        found.min()
    };
    while let Some((at, command)) = next(rest) {
        let group = &rest[at + command.len() - 1..];
        let Some(length) = length_of_group(group) else {
            break;
        };
        plain.push_str(&rest[..at]);
        rest = &group[length..];
        let name = plain_name(&group[1..length - 1]);
        match command {
            _ if name.contains('\\') => plain.push_str(&group[..length]),
            r"\operatorname{" => plain.push_str(&format!(r"\operatorname{{{name}}}")),
            _ => {
                plain.push_str(&format!(r"\mathop{{{name}}}\limits"));
                rest = rest.strip_prefix(r"\limits").unwrap_or(rest);
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Length of the group that a text begins with, with both braces.
fn length_of_group(text: &str) -> Option<usize> {
    let mut depth = 0;
    let (last, _) = text.char_indices().find(|(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    Some(last + 1)
}

/// The name of an operator, without what sets it upright, as names are anyway.
fn plain_name(name: &str) -> String {
    let mut name = name.replace(['{', '}'], "");
    for space in [r"\,", r"\:", r"\;", r"\ ", "~"] {
        name = name.replace(space, "\u{2009}");
    }
    for upright in [r"\mathrm", r"\text", r"\rm"] {
        name = name.replace(upright, "");
    }
    name.trim().to_owned()
}

fn has_command(tex: &str, command: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic();
    tex.match_indices(command)
        .any(|(at, _)| !tex[at + command.len()..].starts_with(is_letter))
}

/// How deep elements are nested.
fn depth(html: &str) -> usize {
    let mut deepest = 0;
    let mut depth: usize = 0;
    for tag in html.split('<').skip(1) {
        let is_empty = tag.split('>').next().is_some_and(|tag| tag.ends_with('/'));
        match tag.starts_with('/') {
            true => depth = depth.saturating_sub(1),
            false if is_empty => {}
            false => depth += 1,
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// A text with each formula that has lines of its own on one line, where what a line begins with has
/// no meaning: `- b` would begin a list.
pub(super) fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains("$$") && !text.contains(r"\[") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let line_end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest[..line_end].trim();
        let length = match fence {
            Some(mark) => {
                let is_closed = line.starts_with(mark) && line.chars().all(|c| mark.contains(c));
                fence = fence.filter(|_| !is_closed);
                None
            }
            None => {
                fence = ["```", "~~~"]
                    .into_iter()
                    .find(|mark| line.starts_with(mark));
                length_of_formula(rest)
            }
        };
        let (taken, after) = rest.split_at(length.unwrap_or(line_end));
        match length {
            Some(_) => join_lines(taken, &mut joined),
            None => joined.push_str(taken),
        }
        rest = after;
    }
    Cow::Owned(joined)
}

/// Length of the formula that a text begins with, if it has several lines.
fn length_of_formula(text: &str) -> Option<usize> {
    let formula = text.trim_start_matches([' ', '\t']);
    let (opening, closing) = [("$$", "$$"), (r"\[", r"\]")]
        .into_iter()
        .find(|(opening, _)| formula.starts_with(opening))?;
    let from = text.len() - formula.len() + opening.len();
    let within = &text[from..];
    let within = &within[..within.floor_char_boundary(MAX_BYTES)];
    let end = within.find(closing)?;
    within[..end]
        .contains('\n')
        .then(|| from + end + closing.len())
}

fn join_lines(formula: &str, joined: &mut String) {
    for (number, line) in formula.lines().enumerate() {
        // How far the first is indented says which item of a list it belongs to.
        let line = match number {
            0 => line,
            _ => line.trim_start(),
        };
        if number > 0 {
            joined.push(' ');
        }
        joined.push_str(without_comment(line));
    }
}

/// A comment would reach to the formula's end.
fn without_comment(line: &str) -> &str {
    let mut marks = line.match_indices('%');
    let comment = marks.find(|(at, _)| !line[..*at].ends_with('\\'));
    comment.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_models_write_is_set() {
        for tex in [
            r"E = mc^2",
            r"\frac{-b \pm \sqrt{b^2-4ac}}{2a}",
            r"\begin{aligned} a &= b \\ &= c \end{aligned}",
            r"\begin{cases} 1 & x>0 \\ 0 & \text{otherwise} \end{cases}",
            r"\begin{bmatrix} a & b \\ c & d \end{bmatrix}^T",
            r"\int_0^\infty e^{-x}\,dx \le \sum_{i=1}^{n} \lVert x_i \rVert",
            r"\boxed{x = 5} \tag{1}",
            r"\hat{y} = \argmin_\theta \mathscr{L}(\bm{\theta}) \nonumber",
            r"\operatorname*{arg\,max}_{x \in \R} \norm{x} \label{eq:1}",
            r"\lim_{x \to 0} \operatorname{sinc}(x) = 1 \quad \forall x \in \mathbb{R}",
        ] {
            let html = set(tex, true).unwrap_or_else(|| panic!("{tex} is not set"));
            assert!(html.starts_with(r#"<math display="block""#), "{html}");
            assert!(html.ends_with("</math>"), "{html}");
        }
        assert!(!set(r"a \tag{1}", true).expect("it is set").contains('{'));
        for operator in [
            r"\operatorname*{arg\,max}_x y",
            r"\operatorname{arg\,max}_x y",
            r"\mathop{\mathrm{arg\,max}}\limits_x y",
            r"\argmax_x y",
        ] {
            let html = set(operator, true).expect("it is set");
            assert!(html.contains("<mi>arg\u{2009}max</mi>"), "{html}");
            assert_eq!(
                html.contains("<munder>"),
                !operator.contains("name{"),
                "{html}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_or_has_no_bounds_is_not_set() {
        for tex in [
            r"\frac{1",
            r"\unheardof{x}",
            r"\def\a{\b\b}\def\b{xx}\a",
            r"\newcommand{\a}{x}\a",
            &"x".repeat(MAX_BYTES + 1),
            &"{".repeat(MAX_DEPTH + 1),
        ] {
            assert_eq!(set(tex, false), None, "{tex}");
        }
        assert!(set(r"\default", false).is_none(), "no such command");
        assert!(set(r"\leftarrow \left( x \right)", false).is_some());
    }

    #[test]
    fn deep_formulas_stop_nothing() {
        for (begin, end) in [
            ("{", "}"),
            (r"\sqrt{", "}"),
            (r"\hat", ""),
            (r"\sqrt", ""),
            (r"\frac1", ""),
            (r"\left(", r"\right)"),
            ("x^{", "}"),
            (r"\begin{matrix}", r"\end{matrix}"),
        ] {
            let count = (MAX_BYTES - 1) / (begin.len() + end.len());
            let tex = format!("{}x{}", begin.repeat(count), end.repeat(count));
            assert_eq!(set(&tex, true), None, "{begin}");
        }
        let long = r"\alpha+".repeat(500);
        assert!(set(&long, true).is_some_and(|html| html.len() > long.len()));
    }

    #[test]
    fn lines_of_formulas_are_joined_and_no_others() {
        let joined = on_one_line("a\n$$\nx % so\n- \\% y\n\n+ z\n$$\nb\n  \\[\n  c\n  \\]\nd $$ e");
        assert_eq!(joined, "a\n$$ x  - \\% y  + z $$\nb\n  \\[ c \\]\nd $$ e");
        for text in [
            "```\n$$\na\n$$\n```\n",
            "$$\nnever closed\n",
            "no formula\nat all\n",
            "$$a$$\nb",
        ] {
            assert_eq!(on_one_line(text), text);
        }
    }
}
