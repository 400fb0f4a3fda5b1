//! Code in colours: spans with classes, which the style sheet colours in light and dark.

use std::sync::LazyLock;

use syntect::easy::ScopeRegionIterator;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::render::escaped;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Scopes and their classes; the innermost scope that has one decides.
static CLASSES: LazyLock<Vec<(Scope, &str)>> = LazyLock::new(|| {
    [
        ("comment", "hl-c"),
        ("string", "hl-s"),
        ("constant.numeric", "hl-n"),
        ("constant.language", "hl-n"),
        ("constant.character", "hl-n"),
        ("entity.name.function", "hl-f"),
        ("support.function", "hl-f"),
        ("variable.function", "hl-f"),
        ("entity.name.type", "hl-t"),
        ("entity.name.class", "hl-t"),
        ("entity.name.struct", "hl-t"),
        ("entity.name.enum", "hl-t"),
        ("entity.name.tag", "hl-k"),
        ("entity.other.attribute-name", "hl-f"),
        ("support.type", "hl-t"),
        ("support.class", "hl-t"),
        ("storage.type", "hl-k"),
        ("storage.modifier", "hl-k"),
        ("keyword", "hl-k"),
    ]
    .into_iter()
    .map(|(scope, class)| (Scope::new(scope).expect("a scope"), class))
    .collect()
});

/// The code with spans; `None` if the language is unknown or the code defeats its grammar.
pub(super) fn highlight(language: &str, code: &str) -> Option<String> {
    let syntax = find(language)?;
    let mut html = String::with_capacity(code.len() * 2);
    let mut state = ParseState::new(syntax);
    let mut scopes = ScopeStack::new();
    let mut open = None;
    for line in code.split_inclusive('\n') {
        let changes = state.parse_line(line, &SYNTAXES).ok()?;
        for (text, change) in ScopeRegionIterator::new(&changes, line) {
            scopes.apply(change).ok()?;
            if text.is_empty() {
                continue;
            }
            let class = class_of(&scopes);
            if class != open {
                close(&mut html, open);
                if let Some(class) = class {
                    html.push_str("<span class=\"");
                    html.push_str(class);
                    html.push_str("\">");
                }
                open = class;
            }
            html.push_str(&escaped(text));
        }
    }
    close(&mut html, open);
    Some(html)
}

fn close(html: &mut String, open: Option<&str>) {
    if open.is_some() {
        html.push_str("</span>");
    }
}

fn class_of(scopes: &ScopeStack) -> Option<&'static str> {
    scopes.scopes.iter().rev().find_map(|scope| {
        CLASSES
            .iter()
            .find(|(prefix, _)| prefix.is_prefix_of(*scope))
            .map(|(_, class)| *class)
    })
}

fn find(language: &str) -> Option<&'static SyntaxReference> {
    let known = match language.to_ascii_lowercase().as_str() {
        "" | "text" | "txt" | "plain" | "plaintext" => return None,
        // The closest of the grammars that come with the highlighter.
        "typescript" | "ts" | "tsx" | "jsx" | "mjs" => "js".to_owned(),
        "shell" | "console" | "sh" | "zsh" => "bash".to_owned(),
        "jsonc" | "json5" | "jsonl" => "json".to_owned(),
        "c++" | "cxx" | "hpp" => "cpp".to_owned(),
        "c#" | "csharp" => "cs".to_owned(),
        "golang" => "go".to_owned(),
        "postgres" | "postgresql" | "psql" => "sql".to_owned(),
        other => other.to_owned(),
    };
    SYNTAXES.find_syntax_by_token(&known)
}
