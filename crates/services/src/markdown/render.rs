//! Markdown to HTML.

use std::panic::catch_unwind;

use comrak::nodes::{NodeLink, NodeValue};
use comrak::{Arena, Node, Options, format_html, parse_document};

use super::highlight::highlight;
use super::math_spans::MathSpans;
use super::sanitizer::sanitize;

/// Longest text that is parsed; a longer one is shown as it is.
const MAX_BYTES: usize = 256 * 1024;
/// Longest code of one text that is highlighted.
const MAX_HIGHLIGHTED_BYTES: usize = 48 * 1024;
/// Deepest nesting that is shown; sanitising takes time by the square of it.
const MAX_DEPTH: usize = 64;
/// Headings begin below those of the page around them.
const HEADINGS_ABOVE: u8 = 2;

/// Whether code is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Coloured, where the language is known.
    Highlighted,
    /// As it is: for text that is rendered again with the next word.
    Plain,
}

/// Renders a text. One that defeats the renderer is shown as it is.
pub(crate) fn render(text: &str, code: Code) -> String {
    let rendered = catch_unwind(|| match text.len() {
        0..=MAX_BYTES => parsed(text, code),
        _ => None,
    });
    let rendered = rendered.unwrap_or_default();
    rendered.unwrap_or_else(|| sanitize(&plain(text)))
}

/// `None` if it is nested too deeply.
fn parsed(text: &str, code: Code) -> Option<String> {
    let (formulas, rest) = MathSpans::take_out(text);
    let arena = Arena::new();
    let options = options();
    let root = parse_document(&arena, &rest, &options);
    if depth(root) > MAX_DEPTH {
        return None;
    }
    let mut room = match code {
        Code::Highlighted => MAX_HIGHLIGHTED_BYTES,
        Code::Plain => 0,
    };
    let nodes: Vec<Node<'_>> = root.descendants().collect();
    for node in nodes {
        put_back(&arena, node, &formulas);
        adapt(&arena, node, &mut room);
    }
    let mut html = String::with_capacity(text.len() * 2);
    format_html(root, &options, &mut html).expect("a string takes everything");
    Some(sanitize(&html))
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    // People and models end lines where they mean it.
    options.render.hardbreaks = true;
    // Only for our own `Raw` nodes; those of the text are made into text below.
    options.render.r#unsafe = true;
    options
}

fn depth(root: Node<'_>) -> usize {
    let mut deepest = 0;
    let mut depth = 0;
    for edge in root.traverse() {
        match edge {
            comrak::arena_tree::NodeEdge::Start(_) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            comrak::arena_tree::NodeEdge::End(_) => depth -= 1,
        }
    }
    deepest
}

/// Makes a node what the page shows of it.
fn adapt<'a>(arena: &'a Arena<'a>, node: Node<'a>, room: &mut usize) {
    let shown = match &node.data().value {
        NodeValue::HtmlBlock(html) => NodeValue::Raw(plain(&html.literal)),
        NodeValue::HtmlInline(html) if is_line_break(html) => NodeValue::LineBreak,
        NodeValue::HtmlInline(html) => NodeValue::Text(html.clone().into()),
        NodeValue::CodeBlock(block) => {
            NodeValue::Raw(code_block(&block.info, &block.literal, room))
        }
        NodeValue::Heading(heading) => {
            let mut heading = *heading;
            heading.level = (heading.level + HEADINGS_ABOVE).min(6);
            NodeValue::Heading(heading)
        }
        NodeValue::Image(image) => image_link(arena, node, image),
        NodeValue::Table(_) => {
            let raw = |html: &str| arena.alloc(NodeValue::Raw(html.to_owned()).into());
            node.insert_before(raw(r#"<div class="table-wrap" tabindex="0">"#));
            node.insert_after(raw("</div>"));
            return;
        }
        _ => return,
    };
    node.data_mut().value = shown;
}

/// Puts formulas back where they were taken out: as MathML into text, as they are written into all
/// else.
fn put_back<'a>(arena: &'a Arena<'a>, node: Node<'a>, formulas: &MathSpans<'_>) {
    let indentation = node.data().sourcepos.start.column.saturating_sub(1);
    let written_in = |text: &mut String, indentation| {
        if let Some(written) = formulas.written(text, indentation) {
            *text = written;
        }
    };
    let written = |text: &mut String| written_in(text, 0);
    let parts = match &mut node.data_mut().value {
        NodeValue::Text(text) => formulas.parts(text),
        NodeValue::Code(code) => {
            written(&mut code.literal);
            None
        }
        NodeValue::CodeBlock(block) => {
            written(&mut block.info);
            written_in(&mut block.literal, indentation);
            None
        }
        NodeValue::HtmlBlock(html) => {
            written(&mut html.literal);
            None
        }
        NodeValue::HtmlInline(html) => {
            written(html);
            None
        }
        NodeValue::Link(link) | NodeValue::Image(link) => {
            written(&mut link.url);
            written(&mut link.title);
            None
        }
        _ => None,
    };
    let Some(parts) = parts else { return };
    for (text, html) in parts {
        node.insert_before(arena.alloc(NodeValue::Text(text.into()).into()));
        if let Some(html) = html {
            node.insert_before(arena.alloc(NodeValue::Raw(html.to_owned()).into()));
        }
    }
    node.data_mut().value = NodeValue::Text("".into());
}

/// An image is not loaded: what it shows may be secret to whoever asks for it, and asking tells
/// its server what the model wrote into the address.
fn image_link<'a>(arena: &'a Arena<'a>, node: Node<'a>, image: &NodeLink) -> NodeValue {
    if node.first_child().is_none() {
        let word = NodeValue::Text("image".into());
        node.append(arena.alloc(word.into()));
    }
    let is_in_link = node
        .ancestors()
        .skip(1)
        .any(|around| matches!(around.data().value, NodeValue::Link(_)));
    match is_in_link {
        true => NodeValue::Emph,
        false => NodeValue::Link(Box::new(image.clone())),
    }
}

fn is_line_break(html: &str) -> bool {
    let inside = html.trim_start_matches('<').trim_end_matches('>');
    inside
        .trim_end_matches('/')
        .trim()
        .eq_ignore_ascii_case("br")
}

/// A box with the language, a button that copies, and the code.
fn code_block(info: &str, code: &str, room: &mut usize) -> String {
    let language = info
        .split([' ', ',', '{', '\t'])
        .next()
        .unwrap_or_default()
        .trim();
    let coloured = (code.len() <= *room)
        .then(|| highlight(language, code))
        .flatten();
    if coloured.is_some() {
        *room -= code.len();
    }
    let code = coloured.unwrap_or_else(|| escaped(code));
    let label = match language {
        "" => "text".to_owned(),
        language => escaped(language),
    };
    format!(
        r#"<figure class="code"><figcaption class="code-head"><span>{label}</span><button type="button" class="btn btn-ghost btn-sm needs-script" data-copy="code"><span>Copy</span></button></figcaption><pre tabindex="0"><code>{code}</code></pre></figure>"#
    )
}

/// A text as one paragraph that keeps its lines.
fn plain(text: &str) -> String {
    format!(r#"<p class="whitespace-pre-wrap">{}</p>"#, escaped(text))
}

pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        render(text, Code::Highlighted)
    }

    #[test]
    fn prose_becomes_what_it_means() {
        let shown = html("# Title\n\nSome **bold** and `code`\nnext ~~gone~~\n\n- [x] done\n");

        assert!(shown.contains("<h3>Title</h3>"), "{shown}");
        assert!(shown.contains("<strong>bold</strong>"), "{shown}");
        assert!(shown.contains("<code>code</code><br>"), "{shown}");
        assert!(shown.contains("<del>gone</del>"), "{shown}");
        assert!(shown.contains(r#"type="checkbox""#), "{shown}");
    }

    #[test]
    fn markup_of_the_text_is_shown_and_not_obeyed() {
        for attack in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div style=\"position:fixed\" class=\"dialog\">x</div>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<svg><style>*{}</style></svg>",
            "<button class=\"btn\" data-copy=\"code\">x</button>",
        ] {
            let shown = html(attack);

            assert!(shown.contains("&lt;"), "{attack} gives {shown}");
            for active in ["<script", "<img", "style=", "<a ", "<svg", "<button"] {
                let is_shown_as_text = shown.contains("&lt;") && !shown.contains(active);
                let is_attribute_text = active == "style=" && !shown.contains("<div");
                assert!(
                    is_shown_as_text || is_attribute_text,
                    "{attack} gives {shown}"
                );
            }
        }
    }

    #[test]
    fn links_lead_outside_and_only_to_known_schemes() {
        let good = html("[site](https://example.com/a?b=c)");
        let bad = html("[x](javascript:alert(1)) [y](data:text/html,x) [z](/settings)");

        assert!(
            good.contains(r#"href="https://example.com/a?b=c""#),
            "{good}"
        );
        assert!(good.contains(r#"rel="noopener nofollow""#), "{good}");
        assert!(good.contains(r#"target="_blank""#), "{good}");
        assert!(!bad.contains("href"), "{bad}");
    }

    #[test]
    fn images_are_links_whatever_they_are_written_as() {
        for image in [
            "![a chart](https://example.com/x.png)",
            "![a chart][1]\n\n[1]: https://example.com/x.png",
            "[![a chart](https://example.com/x.png)](https://example.com)",
        ] {
            let shown = html(image);

            assert!(!shown.contains("<img"), "{shown}");
            assert!(shown.contains("a chart"), "{shown}");
            assert!(shown.contains("<a "), "{shown}");
        }
        assert!(html("![](https://example.com/x.png)").contains(">image</a>"));
    }

    #[test]
    fn code_has_its_language_colours_and_a_button() {
        let shown = html("```rust\nfn main() {} // <b>\n```\n");

        assert!(shown.contains("<span>rust</span>"), "{shown}");
        assert!(shown.contains(r#"data-copy="code""#), "{shown}");
        assert!(shown.contains(r#"class="hl-f""#), "{shown}");
        assert!(shown.contains(r#"class="hl-c""#), "{shown}");
        assert!(shown.contains("&lt;b&gt;"), "{shown}");
        assert!(!render("```rust\nfn main() {}\n```", Code::Plain).contains("hl-"));
    }

    #[test]
    fn tables_scroll_and_keep_their_columns() {
        let shown = html("| a | b |\n|---|--:|\n| 1 | 2 |\n");

        assert!(shown.contains(r#"<div class="table-wrap""#), "{shown}");
        assert!(shown.contains(r#"<table class="table">"#), "{shown}");
        assert!(shown.contains(r#"<td align="right">2</td>"#), "{shown}");
    }

    #[test]
    fn formulas_are_set_and_prices_are_none() {
        let shown = html(
            "The area $\\pi r^2$, \\(x_1\\)s and 速度$v$は:\n\n$$\n\\frac{a}{b}\n- c\n$$\n\n| f |\n|---|\n| \\(y\\) |\n",
        );
        let unknown = html("$\\unheardof$ and \\[ \\unheardof{x} \\]");
        let quoted =
            html("- ```text\n  $$\n  x\n  $$\n  ```\n- `$y$` [$z$](https://example.com/$a$)");

        assert_eq!(
            shown.matches(r#"<math display="inline">"#).count(),
            4,
            "{shown}"
        );
        assert!(
            shown.contains(r#"tabindex="0"><math display="block">"#),
            "{shown}"
        );
        assert!(shown.contains("<mo>−</mo><mi>c</mi>"), "{shown}");
        assert!(unknown.contains("<code>\\unheardof{x}</code>"), "{unknown}");
        assert_eq!(quoted.matches("<math").count(), 1, "{quoted}");
        assert!(quoted.contains("<code>$$\nx\n$$\n</code>"), "{quoted}");
        assert!(
            quoted.contains(r#"href="https://example.com/$a$""#),
            "{quoted}"
        );
        for text in [
            "It is $5 to $10.",
            "US$5/A$ and $HOME/$PATH",
            "`$x$` and `\\(y\\)`",
            "```\n$$x$$\n```",
            "from $5-$10, $1.50, $2",
        ] {
            let shown = html(text);
            assert!(!shown.contains("<math"), "{text} gives {shown}");
            assert_eq!(
                shown.matches('$').count(),
                text.matches('$').count(),
                "{shown}"
            );
        }
    }

    #[test]
    fn formulas_bring_nothing_active() {
        for attack in [
            r"$\href{javascript:alert(1)}{x}$",
            r"$\text{<img src=x onerror=alert(1)>}$",
            r"$\color{red}{x}$",
            r"$\class{dialog}{x}$",
            r"$\operatorname{<img src=x onerror=alert(1)>}$",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
        ] {
            let shown = html(attack);
            for active in ["<img", "style=", "href=", "<style", "class=\"dialog"] {
                assert!(!shown.contains(active), "{attack} gives {shown}");
            }
        }
        let many = html(&"$x$ ".repeat(40_000));
        assert!((40_000..=48 * 1024).contains(&many.matches("<math").count()));
    }

    #[test]
    fn deep_and_long_texts_are_shown_plainly() {
        let deep = html(&"> ".repeat(5_000));
        let long = html(&"word ".repeat(MAX_BYTES));

        assert!(deep.contains("whitespace-pre-wrap"));
        assert!(long.contains("whitespace-pre-wrap"));
    }
}
