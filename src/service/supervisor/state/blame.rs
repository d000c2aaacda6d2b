//! The status code and the sentence for everything that can go wrong with a step.

use std::time::Duration;

use super::event::{End, NotStarted};
use super::tally::Tally;
use crate::wire::lifecycle::{StepError, StepName};
use crate::wire::state::StatusCode;

/// Why a component is ERRORED or BROKEN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Blame {
    pub(super) code: StatusCode,
    pub(super) reason: String,
}

impl Blame {
    pub(super) fn none() -> Self {
        Self { code: StatusCode::None, reason: String::new() }
    }

    pub(super) fn exit(step: StepName, end: End) -> Self {
        let reason = match end {
            // The shell's own words about it are in the log.
            End::Code(code @ 126) => {
                format!("the {step} step exited with code {code} (a command cannot be executed; its log says which)")
            }
            End::Code(code @ 127) => {
                format!("the {step} step exited with code {code} (a command is not found; its log says which)")
            }
            End::Code(code) => format!("the {step} step exited with code {code}"),
            End::Signal(signal) => format!("the {step} step was ended by signal {signal}"),
            End::OutOfMemory { limit: Some(limit) } => format!(
                "the kernel killed a process of the {step} step for want of memory; the component's limit is {limit} KB"
            ),
            End::OutOfMemory { limit: None } => {
                format!("the kernel killed a process of the {step} step for want of memory; the component has no limit")
            }
        };
        Self { code: failed(step), reason }
    }

    pub(super) fn timeout(step: StepName, limit: Duration) -> Self {
        let code = match step {
            StepName::Install => StatusCode::InstallTimeout,
            StepName::Startup => StatusCode::StartupTimeout,
            StepName::Run => StatusCode::RunTimeout,
            StepName::Shutdown => StatusCode::ShutdownTimeout,
            StepName::Uninstall => StatusCode::UninstallTimeout,
            StepName::Bootstrap | StepName::Recover => StatusCode::None,
        };
        Self { code, reason: format!("the {step} step did not end within {} s", limit.as_secs_f64()) }
    }

    pub(super) fn not_valid(error: &StepError) -> Self {
        let code = match error.step {
            StepName::Install => StatusCode::InstallConfigNotValid,
            StepName::Startup => StatusCode::StartupConfigNotValid,
            StepName::Run => StatusCode::RunConfigNotValid,
            other => failed(other),
        };
        Self { code, reason: error.to_string() }
    }

    pub(super) fn not_started(step: StepName, why: &NotStarted) -> Self {
        let (code, words) = match (why, step) {
            (NotStarted::MissingRunWith(words), StepName::Install) => (StatusCode::InstallMissingDefaultRunwith, words),
            (NotStarted::MissingRunWith(words), StepName::Startup) => (StatusCode::StartupMissingDefaultRunwith, words),
            (NotStarted::MissingRunWith(words), StepName::Run) => (StatusCode::RunMissingDefaultRunwith, words),
            (NotStarted::Io(words), StepName::Install) => (StatusCode::InstallIoError, words),
            (NotStarted::Io(words), StepName::Startup) => (StatusCode::StartupIoError, words),
            (NotStarted::Io(words), StepName::Run) => (StatusCode::RunIoError, words),
            (NotStarted::MissingRunWith(words) | NotStarted::Io(words), other) => (failed(other), words),
        };
        Self { code, reason: format!("the {step} step cannot be started: {words}") }
    }

    pub(super) fn reported(step: StepName) -> Self {
        Self { code: failed(step), reason: "the component reported the state ERRORED".into() }
    }

    /// The same, told at the last error of a streak.
    pub(super) fn at_last(mut self) -> Self {
        self.reason = format!("{}, for the {}rd time", self.reason, Tally::LIMIT);
        self
    }
}

fn failed(step: StepName) -> StatusCode {
    match step {
        StepName::Install => StatusCode::InstallError,
        StepName::Startup => StatusCode::StartupError,
        StepName::Run => StatusCode::RunError,
        StepName::Shutdown => StatusCode::ShutdownError,
        StepName::Uninstall => StatusCode::UninstallError,
        StepName::Bootstrap | StepName::Recover => StatusCode::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_names_the_limit() {
        let blame = Blame::exit(StepName::Run, End::OutOfMemory { limit: Some(65_536) });
        assert_eq!(blame.code, StatusCode::RunError);
        assert!(blame.reason.contains("for want of memory") && blame.reason.contains("65536 KB"), "{}", blame.reason);
        let blame = Blame::exit(StepName::Run, End::OutOfMemory { limit: None });
        assert!(blame.reason.contains("no limit"), "{}", blame.reason);
    }
}
