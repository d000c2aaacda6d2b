//! Dates in the heads of HTTP: RFC 9110, 5.6.7, in the form that is in use.

use time::{Date, Month, Time};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (_, text) = text.trim().split_once(", ")?;
    let mut fields = text.split(' ');
    let mut field = || fields.next();
    let (day, month, year, time, zone) = (field()?, field()?, field()?, field()?, field()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let mut fields = time.split(':').map(|field| field.parse().ok());
    let mut field = || fields.next().flatten();
    let (hour, minute, second) = (field()?, field()?, field()?);
    // A leap second is as good as the one before.
    let time = Time::from_hms(hour, minute, u8::min(second, 59)).ok()?;
    (zone == "GMT").then(|| date.with_time(time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_read_or_refused() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Sat, 31 Dec 2016 23:59:60 GMT "), Some(1_483_228_799));
        for text in [
            "",
            "120",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
