//! The time, anywhere.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mint;

/// Now, in a time zone; an empty name is UTC.
///
/// # Errors
/// If there is no such zone.
pub(super) fn tell(zone: &str) -> Result<String, String> {
    let zone = match zone.trim() {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| {
            format!("there is no time zone called {name:?}; use an IANA name such as Europe/Berlin")
        })?,
    };
    let now = Timestamp::from_millisecond(mint::now().unix_millis())
        .map_err(|error| format!("the clock is wrong: {error}"))?;
    let now = now.to_zoned(zone);
    Ok(now.strftime("%A, %Y-%m-%d %H:%M:%S %:z (%Q)").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_shift_the_clock_and_unknown_ones_are_named() {
        let utc = tell("").expect("UTC");
        let tokyo = tell("Asia/Tokyo").expect("a zone");
        let nowhere = tell("Mars/Olympus").expect_err("no zone");

        assert!(utc.contains("+00:00"), "{utc}");
        assert!(tokyo.ends_with("+09:00 (Asia/Tokyo)"), "{tokyo}");
        assert!(nowhere.contains("Mars/Olympus"), "{nowhere}");
    }
}
