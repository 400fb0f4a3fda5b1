//! When to ask again, and after how long.

use std::time::Duration;

use outbound::jitter;

use crate::ModelError;

/// Pause before the first retry; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A server that wants to be left alone for longer is.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// After this long without an answer nothing is tried again.
const WINDOW: Duration = Duration::from_secs(60);
/// The same for servers that cannot be reached.
const CONNECT_WINDOW: Duration = Duration::from_secs(5);

/// How long to wait before asking again; `None` if there is no point.
///
/// What the server says about its needs counts, plus a little so that not everybody comes back at
/// the same moment.
pub(super) fn pause(error: &ModelError, attempt: u32, elapsed: Duration) -> Option<Duration> {
    // Silence has cost a minute already.
    if !error.is_retryable() || matches!(error, ModelError::Timeout { .. }) {
        return None;
    }
    let usual = FIRST_PAUSE * 2_u32.pow(attempt.min(6));
    let pause = match error.retry_after() {
        Some(wanted) if wanted > LONGEST_PAUSE => return None,
        Some(wanted) => wanted + jitter(usual),
        None => usual / 2 + jitter(usual),
    };
    let window = match error {
        ModelError::Unreachable { .. } => CONNECT_WINDOW,
        _ => WINDOW,
    };
    (elapsed + pause < window).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(retry_after: Option<Duration>) -> ModelError {
        ModelError::RateLimited {
            retry_after,
            message: None,
        }
    }

    #[test]
    fn pauses_grow_and_are_never_the_same() {
        let mut before = Duration::ZERO;
        for attempt in 0..3 {
            let usual = FIRST_PAUSE * 2_u32.pow(attempt);
            let pauses: Vec<_> = (0..50)
                .map(|_| pause(&busy(None), attempt, Duration::ZERO).expect("a retry"))
                .collect();
            for pause in &pauses {
                assert!((usual / 2..usual * 3 / 2).contains(pause), "{pause:?}");
            }
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
            assert!(usual > before);
            before = usual;
        }
    }

    #[test]
    fn the_servers_wish_counts_unless_it_takes_too_long() {
        let wish = Duration::from_secs(7);

        let pause_7 = pause(&busy(Some(wish)), 0, Duration::ZERO).expect("a retry");

        assert!((wish..wish + FIRST_PAUSE).contains(&pause_7));
        let hour = Duration::from_secs(3_600);
        assert_eq!(pause(&busy(Some(hour)), 0, Duration::ZERO), None);
        assert_eq!(pause(&busy(Some(wish)), 0, Duration::from_secs(55)), None);
    }

    #[test]
    fn what_cannot_help_is_not_tried() {
        let timeout = ModelError::Timeout { seconds: 60 };
        let unreachable = ModelError::Unreachable {
            host: "h".to_owned(),
        };

        assert_eq!(
            pause(
                &ModelError::Authentication { message: None },
                0,
                Duration::ZERO
            ),
            None
        );
        assert_eq!(pause(&timeout, 0, Duration::ZERO), None);
        assert!(pause(&unreachable, 0, Duration::ZERO).is_some());
        assert_eq!(pause(&unreachable, 0, Duration::from_secs(5)), None);
    }
}
