//! What happened so far: times each step, writes it into the boot report, and tells the kernel's log of what failed.

use std::fmt;
use std::io;
use std::time::Duration;

use gg_boot::report::{Outcome, Writer};
use gg_sys::clock;
use gg_sys::kmsg::{Kmsg, Level};

/// Why a step failed: the operation, what it was done to, and what the kernel said.
#[derive(Debug)]
pub(crate) struct Failure {
    doing: &'static str,
    on: String,
    cause: io::Error,
}

impl Failure {
    pub(crate) fn new(doing: &'static str, on: impl fmt::Display, cause: io::Error) -> Self {
        Self { doing, on: on.to_string(), cause }
    }

    /// What the kernel said.
    pub(crate) fn cause(&self) -> &io::Error {
        &self.cause
    }

    /// For what is no error to the kernel.
    pub(crate) fn because(doing: &'static str, on: impl fmt::Display, why: impl Into<String>) -> Self {
        Self::new(doing, on, io::Error::other(why.into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.on, self.cause)
    }
}

/// How a step can go well: what it gave, and a word on it; or not quite.
#[derive(Debug)]
pub(crate) enum Done<T> {
    Well(T, String),
    /// With what is done about it.
    Partly(T, String, &'static str),
}

/// What is done instead of a step that failed, and how much that costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instead(pub(crate) Outcome, pub(crate) &'static str);

#[derive(Debug)]
pub(crate) struct Journal {
    report: Writer,
    log: Option<Kmsg>,
    troubles: usize,
    /// What this process had taken of the processor before: as the kernel's own first thread it started the kernel.
    processor: Duration,
}

impl Default for Journal {
    fn default() -> Self {
        Self { report: Writer::default(), log: None, troubles: 0, processor: clock::processor() }
    }
}

impl Journal {
    /// What PID 1 has taken of the processor since the journal was begun.
    pub(crate) fn processor_time(&self) -> Duration {
        clock::processor().saturating_sub(self.processor)
    }

    /// As soon as there is a `/dev/kmsg`; until then, and without it, the console hears what the log should.
    pub(crate) fn open_log(&mut self) {
        self.log = Kmsg::open().ok();
    }

    /// Does one step. `None` when it failed: then the fallback is the caller's next line.
    pub(crate) fn step<T>(
        &mut self,
        name: &str,
        instead: Instead,
        act: impl FnOnce() -> Result<Done<T>, Failure>,
    ) -> Option<T> {
        let start = microseconds();
        let result = act();
        let duration = microseconds().saturating_sub(start);
        match result {
            Ok(Done::Well(given, what)) => {
                self.report.step(name, start, duration, Outcome::Ok, &what, "");
                Some(given)
            }
            Ok(Done::Partly(given, what, fallback)) => {
                self.trouble(name, start, duration, Instead(Outcome::Degraded, fallback), &what);
                Some(given)
            }
            Err(failure) => {
                self.trouble(name, start, duration, instead, &failure.to_string());
                None
            }
        }
    }

    fn trouble(&mut self, name: &str, start: u64, duration: u64, Instead(outcome, fallback): Instead, what: &str) {
        self.troubles += 1;
        self.report.step(name, start, duration, outcome, what, fallback);
        let level = if outcome == Outcome::Failed { Level::Error } else { Level::Warning };
        self.say(level, &format!("{name} {}: {what}; {fallback}", outcome.name()));
    }

    pub(crate) fn fact(&mut self, name: &str, value: &str) {
        self.report.fact(name, value);
    }

    /// One line on the kernel's log.
    pub(crate) fn say(&mut self, level: Level, text: &str) {
        let text = format!("gg-init: {text}");
        let told = self.log.as_mut().is_some_and(|log| log.say(level, &text).is_ok());
        if !told {
            eprintln!("{text}");
        }
    }

    /// On the console as well, whatever the kernel's log level is: somebody must act.
    pub(crate) fn cry(&mut self, text: &str) {
        self.say(Level::Critical, text);
        eprintln!("\ngg-init: {text}\n");
    }

    /// The report as it stands.
    pub(crate) fn report(&self) -> String {
        self.report.end(microseconds())
    }

    /// How many steps did not end well.
    pub(crate) fn troubles(&self) -> usize {
        self.troubles
    }
}

/// Since the kernel started.
pub(crate) fn microseconds() -> u64 {
    u64::try_from(clock::since_boot().as_micros()).unwrap_or(u64::MAX)
}
