//! Initials on a tint that belongs to the id.

use leptos::prelude::*;

const TINTS: [&str; 6] = [
    "tint-coral",
    "tint-amber",
    "tint-moss",
    "tint-teal",
    "tint-iris",
    "tint-plum",
];

/// A mark for a person or thing.
#[component]
pub fn Avatar(
    /// What the tint is taken from.
    #[prop(into)]
    id: String,
    /// What the initials are taken from.
    #[prop(into)]
    name: String,
    /// More classes: `avatar-agent`, `avatar-sm`, `avatar-lg`.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <span class=format!("avatar {class} {}", tint(&id)) aria-hidden="true">
            {initials(&name)}
        </span>
    }
}

fn tint(id: &str) -> &'static str {
    // FNV-1a: the same on server and browser, which `std`'s hasher does not promise.
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    TINTS[(hash >> 8) as usize % TINTS.len()]
}

fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let first = words.next().unwrap_or("?");
    let letters: String = match words.next() {
        Some(second) => first
            .chars()
            .take(1)
            .chain(second.chars().take(1))
            .collect(),
        None => first.chars().take(2).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_take_two_words_or_two_letters() {
        assert_eq!(initials("Latency Analyst"), "LA");
        assert_eq!(initials("ada@example.com"), "AE");
        assert_eq!(initials("écho"), "ÉC");
        assert_eq!(initials(""), "?");
    }
}
