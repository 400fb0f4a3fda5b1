//! Points in time.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment, UTC, kept and written with milliseconds: `2026-11-23T08:15:30.042Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> i64 {
        (self.0.unix_timestamp_nanos() / 1_000_000) as i64
    }

    /// The value for a column.
    pub fn date_time(self) -> OffsetDateTime {
        self.0
    }

    /// Milliseconds from `earlier` to this moment, zero if it is later.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.unix_millis() - earlier.unix_millis()).unwrap_or_default()
    }

    /// Whole seconds from `earlier` to this moment, zero if it is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        (self.0 - earlier.0).whole_seconds().max(0) as u64
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(value: OffsetDateTime) -> Self {
        let value = value.to_offset(UtcOffset::UTC);
        let millis = value.millisecond();
        Self(value.replace_millisecond(millis).unwrap_or(value))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self::from)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_the_round_trip() {
        let text = "\"2026-11-23T08:15:30.042Z\"";

        let timestamp: Timestamp = serde_json::from_str(text).expect("valid time");

        assert_eq!(serde_json::to_string(&timestamp).expect("serializes"), text);
    }
}
