//! Times as people read them. The browser never asks its clock while it hydrates: the server's
//! moment travels with the data.

use domain::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Data and the moment at which it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsOf<T> {
    /// The server's clock.
    pub now: Timestamp,
    /// The data.
    pub value: T,
}

/// A moment as its age, with the full date as a tooltip.
#[component]
pub fn Age(
    /// The moment.
    at: Timestamp,
    /// What to measure from.
    now: Timestamp,
) -> impl IntoView {
    view! {
        <time datetime=at.to_string() title=full_date(at)>
            {age(at, now)}
        </time>
    }
}

/// `now`, `12 min ago`, `3 h ago`, `2 days ago`, then the date.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.seconds_since(at);
    match seconds {
        0..45 => "now".to_owned(),
        45..3_600 => format!("{} min ago", (seconds / 60).max(1)),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..172_800 => "yesterday".to_owned(),
        172_800..604_800 => format!("{} days ago", seconds / 86_400),
        _ => date(at, now),
    }
}

/// Time until a moment: `in 3 h`, `in 6 days`; the date beyond a hundred days.
pub fn until(at: Timestamp, now: Timestamp) -> String {
    let hours = at.seconds_since(now) / 3_600;
    match hours {
        0 => "within an hour".to_owned(),
        1..48 => format!("in {hours} h"),
        48..2_424 => format!("in {} days", (hours + 12) / 24),
        _ => format!("on {}", date(at, now)),
    }
}

/// Time from `start` to `end`: `640 ms`, `6.4 s`, `2 min 14 s`, `1 h 02 min`.
pub fn duration(start: Timestamp, end: Timestamp) -> String {
    let millis = (end.unix_millis() - start.unix_millis()).max(0);
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `17 Nov 2026, 14:02:11 UTC`.
pub fn full_date(at: Timestamp) -> String {
    format!("{} UTC", moment(at))
}

/// `17 Nov 2026, 14:02:11`, in UTC.
pub fn moment(at: Timestamp) -> String {
    let time = at.date_time();
    format!(
        "{} {} {}, {:02}:{:02}:{:02}",
        time.day(),
        month(at),
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn date(at: Timestamp, now: Timestamp) -> String {
    let time = at.date_time();
    if time.year() == now.date_time().year() {
        format!("{} {}", time.day(), month(at))
    } else {
        format!("{} {} {}", time.day(), month(at), time.year())
    }
}

fn month(at: Timestamp) -> &'static str {
    MONTHS[usize::from(u8::from(at.date_time().month())) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        serde_json::from_value(text.into()).expect("valid time")
    }

    #[test]
    fn ages_grow_coarser() {
        let now = timestamp("2026-11-23T12:00:00Z");

        for (at, expected) in [
            ("2026-11-23T11:59:30Z", "now"),
            ("2026-11-23T11:48:00Z", "12 min ago"),
            ("2026-11-23T09:00:00Z", "3 h ago"),
            ("2026-11-22T09:00:00Z", "yesterday"),
            ("2026-11-19T09:00:00Z", "4 days ago"),
            ("2026-11-03T09:00:00Z", "3 Nov"),
            ("2025-11-03T09:00:00Z", "3 Nov 2025"),
            ("2026-11-23T12:00:05Z", "now"),
        ] {
            assert_eq!(age(timestamp(at), now), expected);
        }
    }

    #[test]
    fn what_is_ahead_grows_coarser() {
        let now = timestamp("2026-11-23T12:00:00Z");

        for (at, expected) in [
            ("2026-11-23T12:30:00Z", "within an hour"),
            ("2026-11-24T11:00:00Z", "in 23 h"),
            ("2026-11-29T11:59:59Z", "in 6 days"),
            ("2027-02-21T11:59:59Z", "in 90 days"),
            ("2027-11-23T12:00:00Z", "on 23 Nov 2027"),
        ] {
            assert_eq!(until(timestamp(at), now), expected);
        }
    }

    #[test]
    fn durations_keep_two_units() {
        let start = timestamp("2026-11-23T12:00:00Z");

        for (end, expected) in [
            ("2026-11-23T12:00:00.640Z", "640 ms"),
            ("2026-11-23T12:00:06.400Z", "6.4 s"),
            ("2026-11-23T12:02:14Z", "2 min 14 s"),
            ("2026-11-23T13:02:14Z", "1 h 02 min"),
        ] {
            assert_eq!(duration(start, timestamp(end)), expected);
        }
    }
}
