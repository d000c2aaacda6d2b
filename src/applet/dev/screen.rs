//! What `greengrass dev` shows: one line an event, the component's name in front of its output.
//!
//! A reader that has gone, as with `| head`, is no reason to leave components behind: lines then go nowhere.

use std::fmt;
use std::io::Write;

use crate::wire::control::ComponentChange;
use crate::wire::deployment::DeploymentRecord;
use crate::wire::state::{ComponentState, DeploymentStatus};

/// Writes lines; the words in the first column say what kind each is.
#[derive(Debug)]
pub struct Screen;

impl Screen {
    pub fn new() -> Self {
        Self
    }

    pub fn say(&self, line: &str) {
        show(format_args!("{line}"));
    }

    /// A line a component wrote, or the daemon's warning; the rest of the daemon's log stays in its file.
    pub fn output(&self, log: &str, line: &str) {
        if log == crate::base::log::Logs::DAEMON {
            if line.contains(" [WARN] ") || line.contains(" [ERROR] ") {
                show(format_args!("core      {line}"));
            }
            return;
        }
        show(format_args!("{log} | {}", message(line)));
    }

    pub fn change(&self, change: &ComponentChange) {
        let ComponentChange { name, to, reason, .. } = change;
        match to {
            ComponentState::Errored | ComponentState::Broken => show(format_args!("{to:<9} {name}: {reason}")),
            _ => show(format_args!("{to:<9} {name}")),
        }
    }

    pub fn deployment(&self, record: &DeploymentRecord) {
        match record.status {
            DeploymentStatus::Queued => {}
            DeploymentStatus::InProgress => show(format_args!("deploying {}", record.progress)),
            DeploymentStatus::Succeeded => show(format_args!("deployed  every component is up; Ctrl-C stops them")),
            status => {
                let cause = record.details.as_ref().map_or("", |details| details.failure_cause.as_str());
                show(format_args!("{status:<9} {cause}"));
            }
        }
    }
}

fn show(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The component's own words in a line of its log in text format:
/// `<time> [LEVEL] (<thread>) <logger>: <event>. <message>. {<contexts>}`.
fn message(line: &str) -> &str {
    let after = line.split_once(": stdout. ").or_else(|| line.split_once(": stderr. "));
    let Some((_, rest)) = after else { return line };
    match rest.rfind(". {") {
        Some(end) => &rest[..end],
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_what_the_component_wrote() {
        let line = "2026-01-01T00:00:00.000Z [INFO] (main) A: stdout. a: stdout. b. {c}. {scriptName=x, serviceName=A}";
        assert_eq!(message(line), "a: stdout. b. {c}");
        assert_eq!(message("something else"), "something else");
    }
}
