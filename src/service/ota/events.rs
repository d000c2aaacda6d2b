//! What the syslog of a fleet hears of updates: one line an event, `event=NAME key=value ...`.

use std::fmt::{Display, Write as _};

use crate::base::log::{self, Level};
use crate::boot::slot::Slot;

/// The name in front of each line.
const PROCESS: &str = "greengrass-ota";

/// What happened. The fields that come with each stand in `docs/manual/greengrass-ota-status.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    InstallBegun,
    InstallFailed,
    Written,
    Armed,
    Cancelled,
    TrialBegun,
    Committed,
    /// The next boot leaves it.
    GivenUp,
    /// The former version runs again.
    RolledBack,
    MarkedBad,
    Degraded,
}

impl Event {
    pub fn name(self) -> &'static str {
        match self {
            Self::InstallBegun => "install-begun",
            Self::InstallFailed => "install-failed",
            Self::Written => "written",
            Self::Armed => "armed",
            Self::Cancelled => "cancelled",
            Self::TrialBegun => "trial-begun",
            Self::Committed => "committed",
            Self::GivenUp => "given-up",
            Self::RolledBack => "rolled-back",
            Self::MarkedBad => "marked-bad",
            Self::Degraded => "degraded",
        }
    }

    /// A failed installation changes nothing that runs; a rollback and a slot that cannot be used want somebody.
    fn level(self) -> Level {
        match self {
            Self::InstallFailed | Self::GivenUp | Self::MarkedBad => Level::Warn,
            Self::RolledBack | Self::Degraded => Level::Error,
            _ => Level::Info,
        }
    }
}

/// Tells the syslog daemon, if there is one. Blocks a second at most, and fails silently: no update ends for want of a
/// word about it.
pub fn tell(event: Event, fields: &[(&str, &dyn Display)]) {
    log::tell(PROCESS, event.level(), &line(event, fields));
}

/// Tells what a boot was found to be, in the words of the boot report; of an ordinary one there is nothing to tell.
pub fn tell_boot(said: &str, version: impl Fn(Slot) -> String) {
    let Some((event, slot, detail)) = of_boot(said) else { return };
    let (name, version) = (slot.name(), version(slot));
    let mut fields: Vec<(&str, &dyn Display)> = vec![("slot", &name), ("version", &version)];
    if let Some((key, value)) = &detail {
        fields.push((key, value));
    }
    tell(event, &fields);
}

/// The name of a field, and what it says.
type Field<'a> = (&'a str, &'a str);

/// What is after the slot is the tries that are left, or the reason.
fn of_boot(said: &str) -> Option<(Event, Slot, Option<Field<'_>>)> {
    let mut words = said.split(' ');
    let (event, key) = match words.next()? {
        "trial" => (Event::TrialBegun, "left"),
        "committed" => (Event::Committed, ""),
        "rolled-back" => (Event::RolledBack, "reason"),
        "degraded" => (Event::Degraded, ""),
        _ => return None,
    };
    Some((event, Slot::parse(words.next()?)?, words.next().map(|value| (key, value))))
}

fn line(event: Event, fields: &[(&str, &dyn Display)]) -> String {
    let mut line = format!("event={}", event.name());
    for (key, value) in fields {
        let value = value.to_string();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'=';
        // Debug has the quotes and the escapes: a value is never two lines, or two fields.
        let _ = if !value.is_empty() && value.bytes().all(is_plain) {
            write!(line, " {key}={value}")
        } else {
            write!(line, " {key}={value:?}")
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_one_field_of_one_line() {
        let cases: [(&str, &str); 5] = [
            ("1.2-rc", "1.2-rc"),
            ("a b", "\"a b\""),
            ("x\nevent=y", "\"x\\nevent=y\""),
            ("", "\"\""),
            ("k=v", "\"k=v\""),
        ];
        for (value, expected) in cases {
            let line = line(Event::Written, &[("slot", &"b"), ("version", &value)]);
            assert_eq!(line, format!("event=written slot=b version={expected}"));
        }
    }

    #[test]
    fn only_what_wants_somebody_is_an_error() {
        assert_eq!(Event::RolledBack.level(), Level::Error);
        assert_eq!(Event::InstallFailed.level(), Level::Warn);
        assert_eq!(Event::Committed.level(), Level::Info);
    }

    #[test]
    fn boot_is_told_in_the_words_of_its_report() {
        use crate::boot::state::machine::Verdict;
        use crate::boot::state::record::Reason;
        for (verdict, expected) in [
            (Verdict::Trial(Slot::B, 2), Some((Event::TrialBegun, Slot::B, Some(("left", "2"))))),
            (Verdict::Committed(Slot::B), Some((Event::Committed, Slot::B, None))),
            (
                Verdict::RolledBack(Slot::B, Reason::TriesSpent),
                Some((Event::RolledBack, Slot::B, Some(("reason", "tries-spent")))),
            ),
            (Verdict::Degraded(Slot::A), Some((Event::Degraded, Slot::A, None))),
            (Verdict::Ordinary, None),
            (Verdict::Repaired, None),
        ] {
            assert_eq!(of_boot(&verdict.describe()), expected, "{verdict:?}");
        }
    }
}
