//! What stands around the words of a search in a text.

use crate::words::words_in;

/// Characters shown before what was found.
const BEFORE_CHARS: usize = 40;
/// Characters shown after it.
const AFTER_CHARS: usize = 120;

/// A place in a text, on one line and without marks of Markdown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) before: String,
    pub(crate) found: String,
    pub(crate) after: String,
}

/// The first place in a text where a query stands as it is written, or else its longest word.
pub(crate) fn excerpt(text: &str, query: &str) -> Option<Excerpt> {
    let phrase = query.trim().to_lowercase();
    let phrase_chars = phrase.chars().count();
    let longest = words_in(query).max_by_key(|word| word.chars().count())?;
    let longest = longest.to_lowercase();
    let mut place = None;
    for word in words_in(text) {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        let letters = text[at..].chars().flat_map(char::to_lowercase);
        if letters.take(phrase_chars).eq(phrase.chars()) {
            place = Some((at, phrase_chars));
            break;
        }
        if place.is_none() && word.to_lowercase().starts_with(&longest) {
            place = Some((at, word.chars().count()));
        }
    }
    let (start, chars) = place?;
    let (found, after) = text[start..].split_at(length_of(&text[start..], chars));
    Some(Excerpt {
        before: end_of(&text[..start]),
        found: on_one_line(found),
        after: beginning_of(after),
    })
}

/// Bytes of the first characters of a text.
fn length_of(text: &str, chars: usize) -> usize {
    let end = text.char_indices().nth(chars);
    end.map_or(text.len(), |(end, _)| end)
}

fn beginning_of(text: &str) -> String {
    let cut = &text[..length_of(text, AFTER_CHARS)];
    let line = on_one_line(cut);
    match cut.len() < text.len() {
        true => format!("{}…", line.trim_end()),
        false => line,
    }
}

fn end_of(text: &str) -> String {
    let start = text.char_indices().rev().nth(BEFORE_CHARS - 1);
    let cut = &text[start.map_or(0, |(start, _)| start)..];
    let line = on_one_line(cut);
    if cut.len() == text.len() {
        return line.trim_start().to_owned();
    }
    // From the next whole word on, where there are any.
    let whole = line.trim_start().split_once(' ').map(|(_, whole)| whole);
    format!(
        "…{}",
        whole.filter(|whole| !whole.is_empty()).unwrap_or(&line)
    )
}

fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '`' | '#' | '|' => {}
            c if c.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, query: &str) -> (String, String, String) {
        let it = excerpt(text, query).unwrap_or_else(|| panic!("{query} is not found"));
        (it.before, it.found, it.after)
    }

    #[test]
    fn place_is_the_phrase_or_else_the_longest_word() {
        let text =
            "First a pool.\n\nThen the **connection pool** of the database, and a connection.";
        let own = |parts: (&str, &str, &str)| {
            let (before, found, after) = parts;
            (before.to_owned(), found.to_owned(), after.to_owned())
        };

        assert_eq!(
            parts(text, " Connection Pool"),
            own((
                "First a pool. Then the ",
                "connection pool",
                " of the database, and a connection."
            ))
        );
        assert_eq!(parts(text, "a database").1, "database");
        assert_eq!(parts("Die Überweisung wartet.", "überweis").1, "Überweis");
        assert_eq!(parts("计算速度表", "速度").1, "速度");
        assert_eq!(excerpt(text, "absent"), None);
        assert_eq!(excerpt(text, " ? "), None);
    }

    #[test]
    fn long_texts_are_cut_on_both_sides() {
        let text = format!("{}needle{}", "word ".repeat(1_000), " more".repeat(1_000));

        let (before, found, after) = parts(&text, "needle");

        assert_eq!(found, "needle");
        assert!(
            before.starts_with("…word ") && before.ends_with("word "),
            "{before}"
        );
        assert!(before.chars().count() <= BEFORE_CHARS + 1);
        assert!(after.ends_with("more…"), "{after}");
        assert!(after.chars().count() <= AFTER_CHARS + 1);
        let (before, ..) = parts(&format!("{}-needle", "é".repeat(100)), "needle");
        assert_eq!(before, format!("…{}-", "é".repeat(BEFORE_CHARS - 1)));
    }
}
