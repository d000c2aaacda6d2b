//! How an entry looks on the screen.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::entry::{Entry, Shape};
use crate::applet::ctl::failure::Failure;
use crate::applet::ctl::print::Printer;

const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    json: bool,
    verbose: bool,
    colour: bool,
    /// A terminal obeys control characters, and anyone may write them to a log.
    terminal: bool,
}

impl Show {
    pub(super) fn new(verbose: bool, no_color: bool, json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { json, verbose, colour: terminal && !no_color, terminal }
    }

    pub(super) fn print(&self, entry: &Entry, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
        if self.json { printer.document(&entry.fields) } else { printer.text(&self.text(entry)) }
    }

    pub(super) fn text(&self, entry: &Entry) -> String {
        let mut text = match (entry.shape, self.verbose) {
            (Shape::Greengrass, false) if entry.is_understood() => short(entry),
            (Shape::Greengrass, true) if entry.is_understood() => long(entry),
            _ => entry.line.clone(),
        };
        if self.terminal {
            text = text.chars().map(|c| if c.is_control() && !"\t\n".contains(c) { '\u{fffd}' } else { c }).collect();
        }
        if self.colour {
            for matched in entry.matched.iter().filter(|matched| !matched.is_empty()) {
                text = text.replace(matched, &format!("{RED}{matched}{PLAIN}"));
            }
        }
        text.push('\n');
        text
    }
}

/// `2026-11-21 22:19:51 UTC [INFO] supervisor.Task: event. message. {k=v}`, and the cause on a line of its own.
fn short(entry: &Entry) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let logger = entry.value("loggerName").unwrap_or_default();
    // The last two names of a class or module tell enough; names of components are told whole.
    let logger = match logger.strip_prefix("com.aws.") {
        Some(class) => class.rmatch_indices('.').nth(1).map_or(class, |(dot, _)| &class[dot + 1..]).to_owned(),
        None => logger.rmatch_indices("::").nth(1).map_or(&*logger, |(cut, _)| &logger[cut + 2..]).to_owned(),
    };
    let mut text = format!("{} [{}] {logger}: {}", date(entry.time, format), level(entry), said(entry));
    if let Some(cause) = entry.value("cause") {
        let _ = write!(text, "\nEXCEPTION: {cause}");
    }
    text
}

/// The text format of the log file, thread and milliseconds and all.
fn long(entry: &Entry) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let (thread, logger) = (entry.value("thread").unwrap_or_default(), entry.value("loggerName").unwrap_or_default());
    let mut text = format!("{} [{}] ({thread}) {logger}: {}", date(entry.time, format), level(entry), said(entry));
    if let Some(cause) = entry.value("cause") {
        let _ = write!(text, " {cause}");
    }
    text
}

fn level(entry: &Entry) -> String {
    entry.value("level").unwrap_or_default()
}

fn said(entry: &Entry) -> String {
    let contexts = match entry.fields.get("contexts") {
        Some(Value::Object(contexts)) => {
            let pair = |(key, value): (&String, &Value)| match value {
                Value::String(text) => format!("{key}={text}"),
                other => format!("{key}={other}"),
            };
            format!("{{{}}}", contexts.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        _ => "{}".into(),
    };
    [entry.value("eventType"), entry.value("message"), Some(contexts)]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(". ")
}

fn date(milliseconds: i64, format: &(impl time::formatting::Formattable + ?Sized)) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_else(|| milliseconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(verbose: bool, colour: bool) -> Show {
        Show { json: false, verbose, colour, terminal: colour }
    }

    fn entry(line: &str) -> Entry {
        Entry::parse(line.into(), Shape::Greengrass, 0, 0)
    }

    const LINE: &str = r#"{"thread":"t","level":"WARN","eventType":"stderr","message":"Hi","contexts":{"serviceName":"A"},"loggerName":"com.aws.greengrass.lifecycle.A","timestamp":1795299591123,"cause":"boom"}"#;

    #[test]
    fn short_and_long_are_stable() {
        let short = "2026-11-21 22:19:51 UTC [WARN] lifecycle.A: stderr. Hi. {serviceName=A}\nEXCEPTION: boom\n";
        let long =
            "2026-11-21T22:19:51.123Z [WARN] (t) com.aws.greengrass.lifecycle.A: stderr. Hi. {serviceName=A} boom\n";
        assert_eq!(show(false, false).text(&entry(LINE)), short);
        assert_eq!(show(true, false).text(&entry(LINE)), long);
        let ours = "2026-11-21T22:19:51.123Z [INFO] (main) greengrass::service::deploy::task: Done. {}";
        assert_eq!(show(false, false).text(&entry(ours)), "2026-11-21 22:19:51 UTC [INFO] deploy::task: Done. {}\n");
        assert_eq!(show(false, false).text(&entry("as it is")), "as it is\n");
    }

    #[test]
    fn colour_marks_what_matched_and_the_terminal_is_never_steered() {
        let mut entry = entry("a \x1b[2J word");
        entry.matched = vec!["word".into()];
        assert_eq!(show(false, true).text(&entry), format!("a \u{fffd}[2J {RED}word{PLAIN}\n"));
    }
}
