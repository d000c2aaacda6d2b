//! One line of a log, taken apart: JSON and text of the nucleus, or syslog (RFC 3164).

use serde_json::{Map, Value};
use time::{Date, Month, OffsetDateTime, Time};

use super::window;

/// What lines a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Greengrass,
    Syslog,
}

/// A line and what was understood of it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub line: String,
    /// Milliseconds since 1970; that of the line before for a line without one.
    pub time: i64,
    /// The keys of the JSON format, whichever the line was in; only `message` for a line nothing was understood of.
    pub fields: Map<String, Value>,
    pub shape: Shape,
    /// Where a keyword or pattern matched, for colour.
    pub matched: Vec<String>,
}

impl Entry {
    /// `before` is the time of the line before, `now` tells the year of syslog lines.
    pub(super) fn parse(line: String, shape: Shape, before: i64, now: i64) -> Self {
        let understood = match shape {
            Shape::Syslog => syslog(&line, now),
            Shape::Greengrass if line.starts_with('{') => json(&line),
            Shape::Greengrass => text(&line),
        };
        let (time, fields) = understood
            .unwrap_or_else(|| (before, Map::from_iter([("message".to_owned(), Value::from(line.as_str()))])));
        Self { line, time, fields, shape, matched: Vec::new() }
    }

    /// The text of a field, or of a key among `contexts`.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        let value = self.fields.get(key).or_else(|| self.fields.get("contexts")?.get(key))?;
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub(super) fn is_understood(&self) -> bool {
        self.fields.contains_key("level")
    }
}

fn json(line: &str) -> Option<(i64, Map<String, Value>)> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let time = fields.get("timestamp")?;
    let time = time.as_i64().or_else(|| time.as_str()?.parse().ok())?;
    Some((time, fields))
}

/// `<instant> [LEVEL] (<thread>) <logger>: <event>. <message>. {k=v, …} <cause>`
fn text(line: &str) -> Option<(i64, Map<String, Value>)> {
    let (instant, rest) = line.split_once(' ')?;
    let time = window::instant(instant)?;
    let (level, rest) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
    let (thread, rest) = rest.trim_start().strip_prefix('(')?.split_once(") ")?;
    let (logger, rest) = rest.split_once(": ")?;
    // Contexts stand in the last braces; a message may have braces of its own before them.
    let (said, contexts, cause) = match rest.rsplit_once('{') {
        Some((said, tail)) => match tail.split_once('}') {
            Some((contexts, cause)) => (said, contexts, cause.trim()),
            None => (rest, "", ""),
        },
        None => (rest, "", ""),
    };
    let said = said.trim_end().trim_end_matches('.');
    let (event, message) = match said.split_once(". ") {
        Some((event, message)) if !event.contains(' ') => (Some(event), message),
        _ => (None, said),
    };
    let contexts: Map<_, _> = pairs(contexts).into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    let fields = [
        ("thread", thread.into()),
        ("level", level.into()),
        ("eventType", event.map_or(Value::Null, Value::from)),
        ("message", message.into()),
        ("contexts", contexts.into()),
        ("loggerName", logger.into()),
        ("timestamp", time.into()),
        ("cause", if cause.is_empty() { Value::Null } else { cause.into() }),
    ];
    Some((time, fields.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

/// `k=v, …`; a comma that no key follows belongs to the value before it.
fn pairs(text: &str) -> Vec<(&str, String)> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for part in text.split(", ") {
        match (part.split_once('='), pairs.last_mut()) {
            (Some((key, value)), _) if !key.is_empty() && !key.contains(' ') => pairs.push((key, value.into())),
            (_, Some((_, value))) => {
                value.push_str(", ");
                value.push_str(part);
            }
            (_, None) => {}
        }
    }
    pairs
}

/// `<priority>Mmm dd hh:mm:ss host logger (class): message`; priority, logger and class may be absent.
fn syslog(line: &str, now: i64) -> Option<(i64, Map<String, Value>)> {
    let (priority, rest) = match line.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map(|(priority, rest)| (Some(priority), rest))?,
        None => (None, line),
    };
    let (stamp, rest) = (rest.get(..15)?, rest.get(15..)?.trim_start());
    let time = syslog_time(stamp, now)?;
    let (header, message) = rest.split_once(": ").unwrap_or(("", rest));
    let mut words = header.split_whitespace();
    let (host, logger) = (words.next(), words.next());
    let class = words.next().and_then(|word| word.strip_prefix('(')?.strip_suffix(')'));
    let mut fields = Map::from_iter([("message".to_owned(), message.into()), ("timestamp".to_owned(), time.into())]);
    for (key, value) in [("priority", priority), ("host", host), ("logger", logger), ("class", class)] {
        if let Some(value) = value {
            fields.insert(key.into(), value.into());
        }
    }
    Some((time, fields))
}

/// The stamp has no year: it is this one, unless that were in the future.
fn syslog_time(stamp: &str, now: i64) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAY: i64 = 86_400_000;
    let month = MONTHS.iter().position(|month| stamp.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(month)))?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    let day = stamp.get(4..6)?.trim().parse().ok()?;
    let time = window::time_of_day(stamp.get(7..)?)?;
    let this_year = OffsetDateTime::from_unix_timestamp(now / 1000).ok()?.year();
    let at = |year, time: Time| {
        let date = Date::from_calendar_date(year, month, day).ok()?;
        Some(date.with_time(time).assume_utc().unix_timestamp() * 1000)
    };
    match at(this_year, time) {
        Some(at) if at <= now + DAY => Some(at),
        _ => at(this_year - 1, time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str, shape: Shape) -> Entry {
        Entry::parse(line.into(), shape, 7, 1_795_300_000_000)
    }

    #[test]
    fn json_and_text_say_the_same() {
        let json = entry(
            r#"{"thread":"t-1","level":"INFO","eventType":"stdout","message":"Hello. {you}","contexts":{"scriptName":"services.A.lifecycle.Run","serviceName":"A"},"loggerName":"A","timestamp":1795299591123,"cause":null}"#,
            Shape::Greengrass,
        );
        let text = entry(
            "2026-11-21T22:19:51.123Z [INFO] (t-1) A: stdout. Hello. {you}. {scriptName=services.A.lifecycle.Run, serviceName=A}",
            Shape::Greengrass,
        );
        assert_eq!(json.fields, text.fields);
        assert_eq!((json.time, text.time), (1_795_299_591_123, 1_795_299_591_123));
        assert_eq!(text.value("serviceName").as_deref(), Some("A"));
    }

    #[test]
    fn comma_in_a_context_belongs_to_its_value() {
        let line = "2026-01-01T00:00:00.000Z [INFO] (t) l: m. {reason=root, and a = b, end, state=NEW}";
        let entry = entry(line, Shape::Greengrass);
        assert_eq!(entry.value("reason").as_deref(), Some("root, and a = b, end"));
        assert_eq!(entry.value("state").as_deref(), Some("NEW"));
    }

    #[test]
    fn line_of_no_format_keeps_the_time_before_it() {
        for line in ["", "  at com.example", "{", "{}", "{\"timestamp\":\"x\"}", "2026-13-01T00:00:00Z [X] (t) l: m"] {
            let entry = entry(line, Shape::Greengrass);
            assert_eq!((entry.time, entry.value("message").as_deref()), (7, Some(line)));
            assert!(!entry.is_understood());
        }
    }

    #[test]
    fn syslog_line_is_of_the_last_year_when_this_one_would_be_future() {
        let line = "<14>Nov 21 22:19:51 gateway greengrass (A): up";
        let parsed = entry(line, Shape::Syslog);
        assert_eq!(parsed.time, 1_795_299_591_000);
        for (key, value) in [("priority", "14"), ("host", "gateway"), ("logger", "greengrass"), ("class", "A")] {
            assert_eq!(parsed.value(key).as_deref(), Some(value));
        }
        let december = entry("Dec  1 00:00:00 gateway: old", Shape::Syslog);
        assert!(december.time < parsed.time, "{}", december.time);
    }
}
