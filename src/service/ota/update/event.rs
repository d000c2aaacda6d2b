//! What is told while a bundle is installed, and how it ended.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::install::Phase;
use crate::boot::slot::Slot;
use crate::boot::state::slots::Progress;

/// Something happened. [`Event::json`] is the line for programs.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The bundle is what it says, and signed by whom it must be.
    Verified { version: Option<&'a str>, manifest: String, size: u64 },
    /// From here on the slot is unusable, until it is [`Event::Installed`].
    Planned { slot: Slot, progress: Progress },
    /// `percent` is of everything: writing and reading back, of all images.
    Progress { class: &'a str, phase: Phase, done: u64, total: u64, percent: u64 },
    /// One image is in its place, of which `kept` bytes were there already; `reused` ones the device had somewhere.
    Image { class: &'a str, path: &'a Path, size: u64, kept: u64, reused: u64, elapsed: Duration },
    /// All of the slot is there.
    Installed { slot: Slot },
    /// The next boot tries it.
    Armed { slot: Slot, tries: u8 },
}

impl Event<'_> {
    pub fn json(&self) -> Value {
        match self {
            Self::Verified { version, manifest, size } => {
                json!({"event": "verified", "version": version, "manifest": manifest, "size": size})
            }
            Self::Planned { slot, progress } => {
                let found = match progress {
                    Progress::New => "new",
                    Progress::Begun => "begun",
                    Progress::Complete => "complete",
                };
                json!({"event": "planned", "slot": slot.name(), "found": found})
            }
            Self::Progress { class, phase, done, total, percent } => json!({
                "event": "progress", "slot-class": class, "phase": phase.name(), "done": done, "total": total,
                "percent": percent,
            }),
            Self::Image { class, path, size, kept, reused, elapsed } => json!({
                "event": "image", "slot-class": class, "device": path.to_string_lossy(), "size": size, "kept": kept,
                "reused": reused, "seconds": elapsed.as_secs_f64(),
            }),
            Self::Installed { slot } => json!({"event": "installed", "slot": slot.name()}),
            Self::Armed { slot, tries } => json!({"event": "armed", "slot": slot.name(), "tries": tries}),
        }
    }
}

/// How an installation ended that did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The next boot tries the slot.
    Armed(Slot),
    /// It is there, and somebody arms it later.
    Installed(Slot),
    /// It runs on trial: there is nothing to do but to wait.
    OnTrial(Slot),
    /// It runs, confirmed: there was nothing to do.
    Runs(Slot),
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Armed(_) => "armed",
            Self::Installed(_) => "installed",
            Self::OnTrial(_) => "on-trial",
            Self::Runs(_) => "runs",
        }
    }

    pub fn slot(self) -> Slot {
        match self {
            Self::Armed(slot) | Self::Installed(slot) | Self::OnTrial(slot) | Self::Runs(slot) => slot,
        }
    }
}

/// What a failure leaves, for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nothing was written, and the same bundle would be refused again.
    Refused,
    /// Nothing was written, because something else is on its way.
    Busy,
    /// Nothing was written, because the bundle cannot be read now: later it may.
    Source,
    /// The state of the device cannot be told or changed.
    Device,
    /// The slot is recorded as unusable; the same bundle may be installed again.
    Unusable,
}

impl Failure {
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Source => "source",
            Self::Device => "device",
            Self::Unusable => "unusable",
        }
    }
}
