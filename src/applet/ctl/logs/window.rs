//! Time windows: exact times in UTC, or offsets from now.

use std::time::SystemTime;

use time::{Date, Month, OffsetDateTime, Time};

use super::LogsError;

/// Spans of time, in milliseconds since 1970; none means all time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Windows(Vec<(i64, i64)>);

impl Windows {
    pub(super) fn parse(texts: &[String], now: i64) -> Result<Self, LogsError> {
        let window = |text: &String| {
            let (begin, end) = text.split_once(',').unwrap_or((text, ""));
            if end.contains(',') || (begin.trim().is_empty() && end.trim().is_empty()) {
                return Err(LogsError::Window { window: text.clone() });
            }
            Ok((point(begin, now)?, point(end, now)?))
        };
        texts.iter().map(window).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn hold(&self, time: i64) -> bool {
        self.0.is_empty() || self.0.iter().any(|(begin, end)| (*begin..=*end).contains(&time))
    }

    /// When the last window closes; `None` is never.
    pub(super) fn end(&self) -> Option<i64> {
        self.0.iter().map(|(_, end)| *end).max()
    }
}

/// A point in time; nothing is now.
fn point(text: &str, now: i64) -> Result<i64, LogsError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(now);
    }
    let today = OffsetDateTime::from_unix_timestamp(now / 1000).ok().map(OffsetDateTime::date);
    offset(text)
        .map(|offset| now.saturating_add(offset))
        .or_else(|| instant(text))
        .or_else(|| date(text).map(|date| at(date, Time::MIDNIGHT)))
        .or_else(|| Some(at(today?, time_of_day(text)?)))
        .ok_or_else(|| LogsError::Time { text: text.into() })
}

/// `-2d`, `1hr30min15s`, `-1days -3h`: each number has its own sign, in milliseconds.
fn offset(text: &str) -> Option<i64> {
    const UNITS: &[(&[&str], i64)] = &[
        (&["d", "day", "days"], 86_400_000),
        (&["h", "hr", "hrs", "hour", "hours"], 3_600_000),
        (&["m", "min", "mins", "minute", "minutes"], 60_000),
        (&["s", "sec", "secs", "second", "seconds"], 1000),
    ];
    let mut sum = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let (_, factor) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
        sum = sum.checked_add(number.trim().parse::<i64>().ok()?.checked_mul(*factor)?)?;
        rest = tail.trim_start();
    }
    Some(sum)
}

/// `2026-01-01T12:00:00`, with or without a fraction, with or without `Z`.
pub(super) fn instant(text: &str) -> Option<i64> {
    let (day, time) = text.split_once('T')?;
    Some(at(date(day)?, time_of_day(time.strip_suffix('Z').unwrap_or(time))?))
}

/// `2026-01-01` or `20260101`
fn date(text: &str) -> Option<Date> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
        _ => text.into(),
    };
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let month = Month::try_from(digits[4..6].parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(digits[..4].parse().ok()?, month, digits[6..].parse().ok()?).ok()
}

/// `12:00`, `12:00:00`, `12:00:00.123` or `12:00:00123`
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let two = |part: Option<&str>| part.filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?.parse::<u8>().ok();
    let (hour, minute) = (two(text.get(..2))?, two(text.get(3..5))?);
    let seconds = match text.get(5..)? {
        "" => return (text.get(2..3)? == ":").then(|| Time::from_hms(hour, minute, 0).ok()).flatten(),
        rest => rest.strip_prefix(':')?,
    };
    let second = two(seconds.get(..2))?;
    let fraction = seconds.get(2..)?;
    let fraction = fraction.strip_prefix(['.', ',']).unwrap_or(fraction);
    if text.get(2..3)? != ":" || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Time::from_hms_nano(hour, minute, second, format!("{fraction:0<9}").parse().ok()?).ok()
}

fn at(date: Date, time: Time) -> i64 {
    let at = date.with_time(time).assume_utc();
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

/// A clock reading as entries have it.
pub(super) fn milliseconds(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02T03:04:05Z
    const NOW: i64 = 1_767_323_045_000;

    #[test]
    fn point_reads_every_spelling() {
        let midnight = 1_767_225_600_000; // 2026-01-01
        let cases = [
            ("", NOW),
            ("2026-01-01", midnight),
            ("20260101", midnight),
            ("2026-01-01T00:00:01", midnight + 1000),
            ("2026-01-01T00:00:01250", midnight + 1250),
            ("2026-01-01T00:00:01.5Z", midnight + 1500),
            ("12:00:00", midnight + 86_400_000 + 43_200_000),
            ("12:00", midnight + 86_400_000 + 43_200_000),
            ("-2d", NOW - 172_800_000),
            ("1hr30min15s", NOW + 5_415_000),
            ("-2d 1hr30min15s", NOW - 172_800_000 + 5_415_000),
            ("-1hrs-30mins", NOW - 5_400_000),
            ("+10sec", NOW + 10_000),
        ];
        for (text, expected) in cases {
            assert_eq!(point(text, NOW).unwrap(), expected, "{text:?}");
        }
        let long = "9".repeat(40) + "d";
        for bad in ["x", "2026-02-30", "25:00:00", "2d3", "-2x", "12:00:", "é2:00:00", "12é00", "--2d", long.as_str()]
        {
            assert!(point(bad, NOW).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn windows_hold_their_ends_and_nothing_beyond() {
        let parse = |texts: &[&str]| Windows::parse(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), NOW);
        let windows = parse(&["-1h,-30m", "-10m"]).unwrap();
        let minutes = |n: i64| NOW - n * 60_000;
        let held: Vec<_> = [61, 60, 30, 29, 10, 0, -1].map(|n| windows.hold(minutes(n))).to_vec();
        assert_eq!(held, [false, true, true, false, true, true, false]);
        assert_eq!(windows.end(), Some(NOW));
        assert!(parse(&[]).unwrap().hold(i64::MIN));
        for bad in [",", "", "1d,2d,3d", "x,"] {
            assert!(parse(&[bad]).is_err(), "{bad:?}");
        }
    }
}
