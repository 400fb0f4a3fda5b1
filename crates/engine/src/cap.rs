//! Cuts tool results to what models are shown: beginning and end, with a mark between.

/// Bytes of a result that models are shown at most, the mark aside.
pub const MAX_RESULT_BYTES: usize = 32 * 1024;
/// Bytes of a whole result that are kept at most.
pub const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The text as models see it, and the whole of it if that is less.
pub(crate) fn cap(mut text: String) -> (String, Option<String>) {
    if text.len() <= MAX_RESULT_BYTES {
        return (text, None);
    }
    text.truncate(text.floor_char_boundary(MAX_KEPT_BYTES));
    let head = text.floor_char_boundary(MAX_RESULT_BYTES * 3 / 4);
    let tail = text.ceil_char_boundary(text.len() - MAX_RESULT_BYTES / 4);
    let shown = format!(
        "{}\n\n[… {} bytes left out …]\n\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    );
    (shown, Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_results_keep_beginning_and_end() {
        let long = format!("begin{}end", "é".repeat(MAX_RESULT_BYTES));

        let (shown, whole) = cap(long.clone());

        assert!(shown.starts_with("beginé") && shown.ends_with("éend"));
        assert!(shown.len() < MAX_RESULT_BYTES + 100);
        assert_eq!(whole, Some(long));
    }

    #[test]
    fn short_results_stay_whole() {
        assert_eq!(cap("short".to_owned()), ("short".to_owned(), None));
    }
}
