//! What a version changed, for people.

use domain::agents::{DiffLine, FieldChange, LineKind};
use leptos::prelude::*;

use crate::ui::{capitalized, grouped, price};

/// One changed field.
pub fn difference(change: FieldChange) -> AnyView {
    let label = label(&change.field);
    if change.lines.is_empty() {
        let before = shown(&change.field, &change.before);
        let after = shown(&change.field, &change.after);
        return view! {
            <div class="grid gap-x-4 gap-y-1 px-4 py-2.5 border-t border-line first:border-0 sm:grid-cols-[10rem_minmax(0,1fr)] [overflow-wrap:anywhere]">
                <p class="text-ink-3">{label}</p>
                <p>{was_and_is(before, after)}</p>
            </div>
        }
        .into_any();
    }
    let lines = change.lines.into_iter().map(line).collect::<Vec<_>>();
    view! {
        <div class="border-t border-line first:border-0">
            <p class="px-4 pt-2.5 pb-1.5 text-ink-3">{label.clone()}</p>
            <div
                class="diff !grid-cols-1 max-h-128 overflow-y-auto border-t border-line"
                role="group"
                aria-label=format!("Changed lines of {}", label.to_lowercase())
                tabindex="0"
            >
                <div>{lines}</div>
            </div>
        </div>
    }
    .into_any()
}

fn was_and_is(before: String, after: String) -> AnyView {
    let was = (!before.is_empty()).then(|| {
        view! { <del class="rounded-xs px-1 bg-danger-soft text-danger-ink">{before}</del> }
            .into_any()
    });
    let is = (!after.is_empty()).then(|| {
        view! {
            <ins class="rounded-xs px-1 bg-success-soft text-success-ink no-underline">{after}</ins>
        }
        .into_any()
    });
    let arrow = (was.is_some() && is.is_some()).then_some(" → ");
    view! {
        {was}
        {arrow}
        {is}
    }
    .into_any()
}

fn line(line: DiffLine) -> AnyView {
    let (class, sign, words) = match line.kind {
        LineKind::Same => ("", " ", ""),
        LineKind::Added => ("add", "+", "Added: "),
        LineKind::Removed => ("del", "−", "Removed: "),
        LineKind::Gap => {
            let text = match line.text.as_str() {
                "1" => "1 line as before".to_owned(),
                count => format!("{count} lines as before"),
            };
            return view! {
                <p class="text-ink-3 bg-sunken">
                    <span></span>
                    <span>"⋯"</span>
                    <span>{text}</span>
                </p>
            }
            .into_any();
        }
    };
    let number = line.after.or(line.before);
    view! {
        <p class=class>
            <span>{number.map(|number| number.to_string())}</span>
            <span aria-hidden="true">{sign}</span>
            <span>
                <span class="sr-only">{words}</span>
                {line.text}
            </span>
        </p>
    }
    .into_any()
}

/// The field's name in the form.
fn label(field: &str) -> String {
    let known = match field {
        "model" => "Model",
        "model.temperature" => "Temperature",
        "model.max_output_tokens" => "Longest answer",
        "tools" => "Tool",
        "limits.max_seconds" => "Limit of time",
        "limits.max_iterations" => "Limit of steps",
        "limits.max_tokens" => "Limit of written text",
        "limits.max_cost_usd_micros" => "Limit of cost",
        "conversation_titles" => "Conversation titles",
        "output_schema" => "JSON schema of answers",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let index = field
        .strip_prefix("fallbacks[")
        .and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok());
    match index {
        Some(index) => format!("Fallback {}", index + 1),
        None => capitalized(field),
    }
}

/// A value with its unit.
fn shown(field: &str, value: &str) -> String {
    let number = value.parse::<u64>();
    match (field, number) {
        ("limits.max_cost_usd_micros", Ok(micros)) => price(micros),
        ("limits.max_seconds", Ok(seconds)) => format!("{} s", grouped(seconds)),
        ("limits.max_iterations", Ok(calls)) => format!("{} calls", grouped(calls)),
        ("limits.max_tokens" | "model.max_output_tokens", Ok(tokens)) => {
            format!("{} tokens", grouped(tokens))
        }
        _ => value.to_owned(),
    }
}
