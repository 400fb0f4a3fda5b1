//! Formulas in the notation of TeX, as MathML, which browsers set by themselves.

use std::convert::Infallible;
use std::panic::catch_unwind;

use pulldown_latex::config::DisplayMode;
use pulldown_latex::event::{Content, Dimension, DimensionUnit, Event};
use pulldown_latex::mathml::push_mathml;
use pulldown_latex::{Parser, RenderConfig, Storage};

/// Longest formula that is set; a longer one is shown as it is written.
pub(super) const MAX_BYTES: usize = 4 * 1024;
/// Most parts that a formula may have, and most bytes of MathML.
const MAX_EVENTS: usize = 20_000;
const MAX_HTML_BYTES: usize = 256 * 1024;
/// Deepest MathML that is set; sanitising takes time by the square of it.
const MAX_DEPTH: usize = 64;
/// Commands of a formula that are read on the stack that is there, as each may be the argument of the
/// one before it.
const MAX_COMMANDS_HERE: usize = 128;
/// Stack that is enough for as many commands as the longest formula can have.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Commands that define commands, which may grow without bounds.
const DEFINING: [&str; 8] = [
    r"\def",
    r"\edef",
    r"\futurelet",
    r"\gdef",
    r"\let",
    r"\newcommand",
    r"\providecommand",
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

/// Where a formula stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On lines of its own.
    Alone,
    /// Within a line of text.
    InLine,
}

/// MathML of a formula; `None` if it is not understood, too long or nested too deeply.
pub(super) fn set(tex: &str, place: Place) -> Option<String> {
    if tex.len() > MAX_BYTES || DEFINING.iter().any(|command| has_command(tex, command)) {
        return None;
    }
    let tex = with_plain_operators(tex);
    let known = KNOWN_BY_OTHERS.iter();
    let known = known.filter(|(command, _)| has_command(&tex, command));
    let mut source: String = known.map(|(_, definition)| *definition).collect();
    source.push_str(&tex);
    let set = move || mathml(&source, place);
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

/// The parser slices texts that it does not expect, which may panic.
fn mathml(source: &str, place: Place) -> Option<String> {
    catch_unwind(|| unguarded_mathml(source, place)).unwrap_or_default()
}

fn unguarded_mathml(source: &str, place: Place) -> Option<String> {
    let storage = Storage::new();
    let parser = Parser::new(source, &storage).take(MAX_EVENTS + 1);
    let events: Result<Vec<_>, _> = parser.map(|event| event.map(spaced)).collect();
    let events = events.ok()?;
    if events.len() > MAX_EVENTS || events.iter().any(has_markup) {
        return None;
    }
    let config = RenderConfig {
        display_mode: match place {
            Place::Alone => DisplayMode::Block,
            Place::InLine => DisplayMode::Inline,
        },
        ..RenderConfig::default()
    };
    let mut html = String::new();
    let events = events.into_iter().map(Ok::<_, Infallible>);
    push_mathml(&mut html, events, config).ok()?;
    // The sign of millionths, which stays upright, stands for the letter there.
    let html = html.replace('\u{b5}', "\u{3bc}");
    (html.len() <= MAX_HTML_BYTES).then_some(html)
}

/// Names of operators are written into the MathML as they are.
fn has_markup(event: &Event<'_>) -> bool {
    matches!(event, Event::Content(Content::Function(name)) if name.contains(['<', '>', '&']))
}

/// A space that may not be broken comes as the text of its entity.
fn spaced(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Content(Content::Text("&nbsp;")) => Event::Space {
            width: Some(Dimension::new(0.25, DimensionUnit::Em)),
            height: None,
            depth: None,
        },
        event => event,
    }
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
    let is_tag = |rest: &&str| rest.starts_with(|c: char| c == '/' || c.is_ascii_alphabetic());
    for tag in html.split('<').skip(1).filter(is_tag) {
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
            let html = set(tex, Place::Alone).unwrap_or_else(|| panic!("{tex} is not set"));
            assert!(html.starts_with(r#"<math display="block""#), "{html}");
            assert!(html.ends_with("</math>"), "{html}");
        }
        assert!(
            !set(r"a \tag{1}", Place::Alone)
                .expect("it is set")
                .contains('{')
        );
        let spaced = set(r"5~\text{kg}\ \mathrm{m}", Place::InLine).expect("it is set");
        assert!(!spaced.contains("nbsp"), "{spaced}");
        for operator in [
            r"\operatorname*{arg\,max}_x y",
            r"\operatorname{arg\,max}_x y",
            r"\mathop{\mathrm{arg\,max}}\limits_x y",
            r"\argmax_x y",
        ] {
            let html = set(operator, Place::Alone).expect("it is set");
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
            r"\providecommand{\a}[1]{#1#1}\a{x}",
            r"\operatorname{<button class='btn'>x</button>}",
            r"\mathop {</mi></math><h3>x</h3>}",
            r"\char é",
            &"x".repeat(MAX_BYTES + 1),
            &"{".repeat(MAX_DEPTH + 1),
        ] {
            assert_eq!(set(tex, Place::InLine), None, "{tex}");
        }
        assert!(set(r"\default", Place::InLine).is_none(), "no such command");
        assert!(set(&"a < b".repeat(100), Place::InLine).is_some());
        assert!(set(r"\leftarrow \left( x \right)", Place::InLine).is_some());
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
            assert_eq!(set(&tex, Place::Alone), None, "{begin}");
        }
        let long = r"\alpha+".repeat(500);
        assert!(set(&long, Place::Alone).is_some_and(|html| html.len() > long.len()));
    }
}
