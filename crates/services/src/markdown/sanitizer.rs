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

/// Classes that the renderer uses, by tag.
const CLASSES: [(&str, &[&str]); 7] = [
    ("button", &["btn", "btn-ghost", "btn-sm", "needs-script"]),
    ("div", &["table-wrap"]),
    ("figcaption", &["code-head"]),
    ("figure", &["code"]),
    ("p", &["whitespace-pre-wrap"]),
    ("span", &["hl-c", "hl-f", "hl-k", "hl-n", "hl-s", "hl-t"]),
    ("table", &["table"]),
];

const ATTRIBUTES: [(&str, &[&str]); 8] = [
    ("a", &["href", "title"]),
    ("button", &["data-copy", "type"]),
    ("div", &["tabindex"]),
    ("input", &["checked", "disabled", "type"]),
    ("ol", &["start"]),
    ("pre", &["tabindex"]),
    ("td", &["align"]),
    ("th", &["align"]),
];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .tag_attributes(sets(&ATTRIBUTES))
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
