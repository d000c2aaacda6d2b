//! One entry as one line of text or JSON, as the reference nucleus spells them.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::SystemTime;

use serde::Serialize;
use serde::ser::SerializeMap;
use time::OffsetDateTime;

use super::Level;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `<instant> [LEVEL] (<thread>) <logger>: <event>. <message>. {k=v, …}`
    Text,
    /// One object per line.
    Json,
}

/// What is said in one line.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry<'a> {
    pub time: SystemTime,
    pub level: Level,
    pub thread: &'a str,
    pub logger: &'a str,
    pub event: Option<&'a str>,
    pub message: Cow<'a, str>,
    pub contexts: &'a [(&'a str, Cow<'a, str>)],
    pub cause: Option<&'a str>,
}

/// Appends the entry to `line`, without a line feed at its end and with none inside.
pub(super) fn render(entry: &Entry<'_>, format: Format, line: &mut String) {
    match format {
        Format::Text => text(entry, line),
        Format::Json => json(entry, line),
    }
}

fn text(entry: &Entry<'_>, line: &mut String) {
    instant(entry.time, line);
    let _ = write!(line, " [{}] ({}) {}: ", entry.level.as_str(), entry.thread, entry.logger);
    if let Some(event) = entry.event {
        one_line(event, line);
        line.push_str(". ");
    }
    if !entry.message.is_empty() {
        one_line(&entry.message, line);
        line.push_str(". ");
    }
    line.push('{');
    for (index, (key, value)) in entry.contexts.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(line, "{comma}{key}=");
        one_line(value, line);
    }
    line.push('}');
    if let Some(cause) = entry.cause {
        line.push(' ');
        one_line(cause, line);
    }
}

fn json(entry: &Entry<'_>, line: &mut String) {
    let object = Json {
        thread: entry.thread,
        level: entry.level.as_str(),
        event_type: entry.event,
        message: &entry.message,
        contexts: Contexts(entry.contexts),
        logger_name: entry.logger,
        timestamp: milliseconds(entry.time),
        cause: entry.cause,
    };
    // Strings and numbers always serialise; were that ever wrong, an empty object would still be a line.
    line.push_str(&serde_json::to_string(&object).unwrap_or_else(|_| "{}".into()));
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    thread: &'a str,
    level: &'a str,
    event_type: Option<&'a str>,
    message: &'a str,
    contexts: Contexts<'a>,
    logger_name: &'a str,
    timestamp: u64,
    cause: Option<&'a str>,
}

/// A list of pairs, written as a map in its order.
struct Contexts<'a>(&'a [(&'a str, Cow<'a, str>)]);

impl Serialize for Contexts<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A line feed inside a text line would make two lines of one; it and its kin are shown as `\n`, `\r`.
fn one_line(text: &str, line: &mut String) {
    if !text.contains(['\n', '\r']) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
}

/// `2026-11-21T22:19:51.123Z`
fn instant(at: SystemTime, line: &mut String) {
    let at = OffsetDateTime::from(at);
    let (date, time) = (at.date(), at.time());
    let _ = write!(
        line,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond(),
    );
}

fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn entry<'a>(contexts: &'a [(&'a str, Cow<'a, str>)]) -> Entry<'a> {
        Entry {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042),
            level: Level::Info,
            thread: "Copier",
            logger: "com.example.Hello",
            event: Some("stdout"),
            message: "Hello\nworld".into(),
            contexts,
            cause: None,
        }
    }

    #[test]
    fn text_line_has_the_parts_of_the_reference() {
        let contexts = [("serviceName", "com.example.Hello".into()), ("currentState", "RUNNING".into())];
        let mut line = String::new();
        render(&entry(&contexts), Format::Text, &mut line);
        assert_eq!(
            line,
            "2023-11-14T22:13:20.042Z [INFO] (Copier) com.example.Hello: stdout. Hello\\nworld. \
             {serviceName=com.example.Hello, currentState=RUNNING}"
        );
    }

    #[test]
    fn json_line_has_the_keys_of_the_reference() {
        let contexts = [("serviceName", "com.example.Hello".into())];
        let mut line = String::new();
        render(&entry(&contexts), Format::Json, &mut line);
        assert_eq!(
            line,
            r#"{"thread":"Copier","level":"INFO","eventType":"stdout","message":"Hello\nworld","contexts":{"serviceName":"com.example.Hello"},"loggerName":"com.example.Hello","timestamp":1700000000042,"cause":null}"#
        );
    }
}
