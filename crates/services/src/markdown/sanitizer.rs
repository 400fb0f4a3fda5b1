//! The last step: only what is listed here reaches a page.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Tags that the renderer makes.
const TAGS: [&str; 34] = [
    "a",
    "blockquote",
    "br",
    "button",
    "code",
    "del",
    "div",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "input",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Tags of formulas: <https://www.w3.org/TR/mathml-core/>.
const MATH_TAGS: [&str; 19] = [
    "math",
    "mfrac",
    "mi",
    "mn",
    "mo",
    "mover",
    "mroot",
    "mrow",
    "mspace",
    "msqrt",
    "msub",
    "msubsup",
    "msup",
    "mtable",
    "mtd",
    "mtext",
    "mtr",
    "munder",
    "munderover",
];

/// Classes that the renderer uses, by tag.
const CLASSES: [(&str, &[&str]); 11] = [
    ("button", &["btn", "btn-ghost", "btn-sm", "needs-script"]),
    ("div", &["table-wrap"]),
    ("figcaption", &["code-head"]),
    ("figure", &["code"]),
    ("mrow", &["mop-negated"]),
    (
        "mtable",
        &[
            "menv-align",
            "menv-alignlike",
            "menv-arraylike",
            "menv-cases",
            "menv-cells-left",
            "menv-cells-right",
            "menv-multline",
        ],
    ),
    (
        "mtd",
        &[
            "cell-left",
            "cell-right",
            "menv-border-only",
            "menv-left-dashed",
            "menv-left-solid",
            "menv-nonumber",
            "menv-right-dashed",
            "menv-right-solid",
        ],
    ),
    ("mtr", &["menv-hdashline", "menv-hline"]),
    ("p", &["whitespace-pre-wrap"]),
    (
        "span",
        &["formula", "hl-c", "hl-f", "hl-k", "hl-n", "hl-s", "hl-t"],
    ),
    ("table", &["table"]),
];

const ATTRIBUTES: [(&str, &[&str]); 14] = [
    ("a", &["href", "title"]),
    ("button", &["data-copy", "type"]),
    ("div", &["tabindex"]),
    ("input", &["checked", "disabled", "type"]),
    ("math", &["display"]),
    ("mfrac", &["linethickness"]),
    ("mi", &["mathvariant"]),
    (
        "mo",
        &[
            "largeop",
            "maxsize",
            "minsize",
            "movablelimits",
            "stretchy",
            "symmetric",
        ],
    ),
    ("mspace", &["depth", "height", "width"]),
    ("ol", &["start"]),
    ("pre", &["tabindex"]),
    ("span", &["aria-label", "role", "tabindex"]),
    ("td", &["align"]),
    ("th", &["align"]),
];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    let mut attributes = sets(&ATTRIBUTES);
    for tag in MATH_TAGS {
        let of_tag = attributes.entry(tag).or_default();
        of_tag.extend(["displaystyle", "scriptlevel"]);
    }
    builder
        .tags(TAGS.into_iter().chain(MATH_TAGS).collect())
        .tag_attributes(attributes)
        .allowed_classes(sets(&CLASSES))
        .set_tag_attribute_value("a", "target", "_blank")
        .set_tag_attribute_value("button", "type", "button")
        .set_tag_attribute_value("input", "aria-label", "Done")
        .set_tag_attribute_value("input", "disabled", "")
        .set_tag_attribute_value("input", "type", "checkbox")
        .set_tag_attribute_value("table", "class", "table")
        .link_rel(Some("noopener nofollow"))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny);
    builder
});

pub(super) fn sanitize(html: &str) -> String {
    SANITIZER.clean(html).to_string()
}

fn sets(
    lists: &[(&'static str, &'static [&'static str])],
) -> HashMap<&'static str, HashSet<&'static str>> {
    lists
        .iter()
        .map(|(tag, names)| (*tag, names.iter().copied().collect()))
        .collect()
}
