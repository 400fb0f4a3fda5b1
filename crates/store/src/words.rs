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

/// The words of a text as they stand there, one after another.
pub(crate) fn words_in(text: &str) -> impl Iterator<Item = &str> {
    let written = text.split(is_gap).filter(|word| !word.is_empty());
    written.flat_map(|word| {
        // Most are whole.
        let whole = (!word.contains(is_unspaced)).then_some(word);
        let parts = whole.is_none().then(|| parts(word));
        whole.into_iter().chain(parts.into_iter().flatten())
    })
}

/// The parts of a word in which writing with and without gaps take turns; of what is written without
/// gaps, each two characters that follow each other, and the last one.
fn parts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let is_other = |c| is_unspaced(c) != is_unspaced(first);
        let (run, behind) = rest.split_at(rest.find(is_other).unwrap_or(rest.len()));
        match is_unspaced(first) {
            true => parts.extend(pairs(run)),
            false => parts.push(run),
        }
        rest = behind;
    }
    parts
}

fn pairs(run: &str) -> impl Iterator<Item = &str> {
    run.char_indices().map(|(start, _)| {
        let end = run[start..].char_indices().nth(2);
        &run[start..end.map_or(run.len(), |(end, _)| start + end)]
    })
}

/// Whether a character belongs to writing that puts no gaps between words: Thai, Japanese, Chinese.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}')
        || matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
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
