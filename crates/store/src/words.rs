//! Words, by which conversations are found. The same rule stands in SQL (`words_of`), for titles and
//! messages other than answers, but for letters beyond ASCII, which a database may not know in their
//! small form.

use std::collections::HashSet;

/// Characters of a text whose words are kept.
const MAX_CHARS: usize = 100_000;
/// Longest word that is kept, in bytes; a `tsvector` takes 2,046.
const MAX_WORD_BYTES: usize = 2_000;

/// The words of a text, each once, in lower case.
pub(crate) fn words_of(text: &str) -> Vec<String> {
    let end = text.char_indices().nth(MAX_CHARS).map(|(end, _)| end);
    let words = words_in(&text[..end.unwrap_or(text.len())]);
    let words = words.map(str::to_lowercase);
    let words: HashSet<String> = words.filter(|word| word.len() <= MAX_WORD_BYTES).collect();
    words.into_iter().collect()
}

fn words_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_gap).filter(|word| !word.is_empty())
}

/// Whether a character parts words. Combining marks are none: in many languages they are letters.
fn is_gap(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_punctuation() || c.is_whitespace() || c.is_control(),
        'ª' | 'µ' | 'º' => false,
        // The joiners stand inside of words.
        '\u{200c}' | '\u{200d}' => false,
        // Latin punctuation, dashes and quotation marks, Chinese and Japanese punctuation.
        '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{3004}' => true,
        '\u{3008}'..='\u{3020}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' => true,
        _ => c.is_whitespace() || c.is_control(),
    }
}

/// What finds texts with all words of a query, or words that begin so; see `words_of` in SQL.
pub(crate) fn words_query(query: &str) -> String {
    let words: Vec<String> = words_in(query).map(word_query).collect();
    words.join(" & ")
}

/// One word in the cases that it may be written in: a database may know those of ASCII alone.
fn word_query(word: &str) -> String {
    let lower = word.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let capital: String = first.chain(letters).collect();
    let mut cases = vec![word.to_owned(), lower.clone(), capital, word.to_uppercase()];
    cases.sort_unstable();
    cases.dedup();
    let cases: Vec<String> = cases.iter().map(|word| format!("'{word}':*")).collect();
    format!("({})", cases.join(" | "))
}
