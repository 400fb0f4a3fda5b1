//! The difference between a version of an agent and the one before, in words.

use std::time::{Duration, Instant};

use domain::Paged;
use domain::agents::{
    AgentConfig, AgentVersion, ConversationTitles, DiffLine, FieldChange, LineKind, ModelChoice,
    VersionChanges,
};
use domain::tools::AgentTool;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::names::Names;

/// Lines around each change that are shown as they are.
const CONTEXT_LINES: usize = 3;
/// Past this the differences of texts are told more coarsely.
const PATIENCE: Duration = Duration::from_millis(500);

/// Compares each version of a page with the one before; `before` is the one before the last.
///
/// Keeps a thread busy, though not for long.
pub(super) fn of(
    versions: Paged<AgentVersion>,
    before: Option<AgentConfig>,
    names: &Names,
) -> Paged<VersionChanges> {
    let deadline = Instant::now() + PATIENCE;
    let configs = versions.items.iter().skip(1).map(|it| Some(&it.config));
    let befores: Vec<Option<&AgentConfig>> = configs.chain([before.as_ref()]).collect();
    let changed = versions.items.iter().zip(befores).map(|(version, before)| {
        let changes = before.map(|before| compare(before, &version.config, names, deadline));
        VersionChanges {
            version: version.version,
            author_id: version.author_id,
            author: version.author.clone(),
            created_at: version.created_at,
            changes: changes.unwrap_or_default(),
        }
    });
    Paged {
        items: changed.collect(),
        next: versions.next,
    }
}

fn compare(
    before: &AgentConfig,
    after: &AgentConfig,
    names: &Names,
    deadline: Instant,
) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let mut field = |field: &str, before: String, after: String| {
        if before != after {
            changes.push(FieldChange {
                field: field.to_owned(),
                lines: Vec::new(),
                before,
                after,
            });
        }
    };
    field("name", before.name.clone(), after.name.clone());
    field(
        "description",
        before.description.clone(),
        after.description.clone(),
    );
    field("tags", before.tags.join(", "), after.tags.join(", "));
    field(
        "model",
        names.model(&before.model),
        names.model(&after.model),
    );
    let (was, is) = (&before.model, &after.model);
    field(
        "model.temperature",
        shown(was.temperature),
        shown(is.temperature),
    );
    field(
        "model.max_output_tokens",
        shown(was.max_output_tokens),
        shown(is.max_output_tokens),
    );
    for index in 0..before.fallbacks.len().max(after.fallbacks.len()) {
        let fallback = |config: &AgentConfig| {
            let choice = config.fallbacks.get(index);
            choice
                .map(|choice| whole_model(choice, names))
                .unwrap_or_default()
        };
        let name = format!("fallbacks[{index}]");
        field(&name, fallback(before), fallback(after));
    }
    let (was, is) = (before.limits, after.limits);
    field(
        "limits.max_iterations",
        was.max_iterations.to_string(),
        is.max_iterations.to_string(),
    );
    field(
        "limits.max_tokens",
        shown(was.max_tokens),
        shown(is.max_tokens),
    );
    field(
        "limits.max_cost_usd_micros",
        shown(was.max_cost_usd_micros),
        shown(is.max_cost_usd_micros),
    );
    field(
        "limits.max_seconds",
        was.max_seconds.to_string(),
        is.max_seconds.to_string(),
    );
    field(
        "conversation_titles",
        titles(before.conversation_titles),
        titles(after.conversation_titles),
    );
    let (was, is) = (
        schema_text(&before.output_schema),
        schema_text(&after.output_schema),
    );
    if was != is {
        changes.push(FieldChange {
            field: "output_schema".to_owned(),
            lines: diff(&was, &is, deadline),
            before: was,
            after: is,
        });
    }
    let place = changes
        .iter()
        .position(|change| !matches!(change.field.as_str(), "name" | "description" | "tags"));
    if before.instructions != after.instructions {
        let change = FieldChange {
            field: "instructions".to_owned(),
            before: before.instructions.clone(),
            after: after.instructions.clone(),
            lines: diff(&before.instructions, &after.instructions, deadline),
        };
        changes.insert(place.unwrap_or(changes.len()), change);
    }
    let place = changes
        .iter()
        .position(|change| change.field.starts_with("limits."));
    let tools = compare_tools(&before.tools, &after.tools, names);
    let place = place.unwrap_or(changes.len());
    changes.splice(place..place, tools);
    changes
}

/// A change for each tool that is new, gone or set otherwise.
fn compare_tools(before: &[AgentTool], after: &[AgentTool], names: &Names) -> Vec<FieldChange> {
    let is_same = |a: &AgentTool, b: &AgentTool| {
        a.builtin == b.builtin && a.server_id == b.server_id && a.name == b.name
    };
    let change = |before: Option<&AgentTool>, after: Option<&AgentTool>| FieldChange {
        field: "tools".to_owned(),
        before: before
            .map(|tool| tool_words(tool, names))
            .unwrap_or_default(),
        after: after
            .map(|tool| tool_words(tool, names))
            .unwrap_or_default(),
        lines: Vec::new(),
    };
    let mut changes = Vec::new();
    for tool in before {
        let now = after.iter().find(|it| is_same(it, tool));
        if now.is_none_or(|now| now.approval != tool.approval) {
            changes.push(change(Some(tool), now));
        }
    }
    let is_new = |tool: &&AgentTool| !before.iter().any(|it| is_same(it, tool));
    changes.extend(
        after
            .iter()
            .filter(is_new)
            .map(|tool| change(None, Some(tool))),
    );
    changes
}

/// `github: create_issue, always ask`
fn tool_words(tool: &AgentTool, names: &Names) -> String {
    let place = match (&tool.builtin, tool.server_id) {
        (Some(builtin), _) => builtin.clone(),
        (None, Some(id)) => {
            let server = names.server(id).unwrap_or("a deleted server");
            format!("{server}: {}", tool.name.as_deref().unwrap_or_default())
        }
        (None, None) => tool.name.clone().unwrap_or_default(),
    };
    match tool.approval {
        Some(policy) => format!("{place}, {}", policy.label().to_lowercase()),
        None => place,
    }
}

/// A model with its settings.
fn whole_model(choice: &ModelChoice, names: &Names) -> String {
    let mut words = names.model(choice);
    if let Some(temperature) = choice.temperature {
        words.push_str(&format!(", temperature {temperature}"));
    }
    if let Some(tokens) = choice.max_output_tokens {
        words.push_str(&format!(", at most {tokens} tokens"));
    }
    words
}

fn schema_text(schema: &Option<Value>) -> String {
    schema.as_ref().map_or_else(String::new, |schema| {
        serde_json::to_string_pretty(schema).expect("plain data")
    })
}

fn titles(titles: ConversationTitles) -> String {
    match titles {
        ConversationTitles::FirstWords => "first words".to_owned(),
        ConversationTitles::Model => "written by the model".to_owned(),
    }
}

fn shown(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// What became of each line, without those far from any change.
fn diff(before: &str, after: &str, deadline: Instant) -> Vec<DiffLine> {
    let (before, after) = (ended(before), ended(after));
    let diff = TextDiff::configure()
        .deadline(deadline)
        .diff_lines(&before, &after);
    let mut lines = Vec::new();
    let mut shown_until = 0;
    for group in diff.grouped_ops(CONTEXT_LINES) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        push_gap(&mut lines, start - shown_until);
        for op in &group {
            for change in diff.iter_changes(op) {
                let kind = match change.tag() {
                    ChangeTag::Equal => LineKind::Same,
                    ChangeTag::Insert => LineKind::Added,
                    ChangeTag::Delete => LineKind::Removed,
                };
                lines.push(DiffLine {
                    kind,
                    before: change.old_index().map(number),
                    after: change.new_index().map(number),
                    text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
                });
            }
            shown_until = op.old_range().end;
        }
    }
    push_gap(&mut lines, diff.old_len() - shown_until);
    lines
}

/// The last line is the same with and without an end of its own.
fn ended(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

fn push_gap(lines: &mut Vec<DiffLine>, count: usize) {
    if count > 0 {
        lines.push(DiffLine {
            kind: LineKind::Gap,
            before: None,
            after: None,
            text: count.to_string(),
        });
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_far_from_a_change_are_left_out() {
        let before: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        let after = before.replace("line 10\n", "line ten\n");

        let lines = diff(&before, &after, Instant::now() + PATIENCE);

        let told: Vec<(LineKind, &str)> = lines.iter().map(|it| (it.kind, &*it.text)).collect();
        assert_eq!(told.first(), Some(&(LineKind::Gap, "6")));
        assert_eq!(told.last(), Some(&(LineKind::Gap, "7")));
        assert!(told.contains(&(LineKind::Removed, "line 10")));
        assert!(told.contains(&(LineKind::Added, "line ten")));
        assert_eq!(told.len(), 10);
    }

    #[test]
    fn line_behind_the_last_changes_nothing_about_that() {
        let lines = diff("one", "one\ntwo", Instant::now() + PATIENCE);

        let told: Vec<(LineKind, &str)> = lines.iter().map(|it| (it.kind, &*it.text)).collect();
        assert_eq!(told, [(LineKind::Same, "one"), (LineKind::Added, "two")]);
    }
}
