//! What is known of the slots at one moment, what that means for who looks after the device, and a copy of it for those
//! who may not open the disk.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::device::Device;
use super::installed::Installed;
use super::settings::Settings;
use super::totals::Totals;
use crate::boot::slot::Slot;
use crate::boot::state::backend::{CommitPoint, Trial, View};
use crate::boot::state::machine::{Phase, Situation};
use crate::boot::state::record::{ImageState, Record};
use crate::boot::state::ring::Event;
use crate::boot::state::slots::{SlotsError, Status};
use crate::store::file::{self, Backup, FileError};
use crate::wire::bundle::manifest::{hex, unhex};

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overview {
    pub status: Status,
    /// What keeps the state of the boot loader.
    pub backend: String,
    /// Oldest first. The copy for everybody has none.
    pub events: Vec<Event>,
    /// Slot a, slot b: believed, because the record names the same manifest.
    pub installed: [Option<Installed>; 2],
    pub totals: Totals,
}

/// What the slots are like, for scripts and alarms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// The confirmed slot runs, and nothing is under way.
    Settled,
    /// Something is being installed, or waits for its trial.
    Underway,
    /// What runs is to be confirmed, or given up.
    Trial,
    /// Something is not as it should be.
    Degraded,
}

/// What is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("slot {} runs, and not the confirmed one: it was asked for, or that one cannot be read", .0.name())]
    NotConfirmed(Slot),
    #[error("record and boot loader do not agree; the next boot settles it")]
    Disagreement,
    #[error("slot {} is bad: there is nothing to fall back to until it is installed anew", .0.name())]
    NoFallback(Slot),
}

impl Fault {
    /// As it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotConfirmed(_) => "not-confirmed",
            Self::Disagreement => "disagreement",
            Self::NoFallback(_) => "no-fallback",
        }
    }
}

impl Condition {
    pub fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Underway => "underway",
            Self::Trial => "trial",
            Self::Degraded => "degraded",
        }
    }
}

impl Overview {
    /// Reads everything anew.
    pub fn of(device: &Device) -> Result<Self, SlotsError> {
        let slots = device.slots();
        let status = slots.status()?;
        Ok(Self {
            backend: slots.backend_name().to_owned(),
            events: slots.events(),
            installed: installed(device.data(), &status.record),
            totals: Totals::load(device.data()),
            status,
        })
    }

    pub fn condition(&self) -> Condition {
        match self.status.phase {
            Phase::Trial(..) => Condition::Trial,
            _ if !self.faults().is_empty() => Condition::Degraded,
            Phase::Idle => Condition::Settled,
            _ => Condition::Underway,
        }
    }

    pub fn faults(&self) -> Vec<Fault> {
        let Status { phase, booted, record, view } = &self.status;
        let mut faults = Vec::new();
        let is_trial = matches!(phase, Phase::Trial(..));
        if *booted != record.ok && !is_trial {
            faults.push(Fault::NotConfirmed(*booted));
        }
        let tried = view.trial.map(|trial| trial.slot);
        // A trial that only the record knows is `prepared`; one that only the boot loader knows, nobody meant.
        if view.ok != Some(record.ok) || tried.is_some_and(|tried| Some(tried) != record.trial) {
            faults.push(Fault::Disagreement);
        }
        let other = booted.other();
        if record.image(other).state == ImageState::Bad {
            faults.push(Fault::NoFallback(other));
        }
        faults
    }

    /// The slot that the boot loader starts next.
    pub fn next(&self) -> Slot {
        match self.status.view.trial {
            Some(Trial { slot, left: 1.. }) => slot,
            _ => self.status.record.ok,
        }
    }

    /// Leaves the copy for everybody, with what stands on the disk and no more. Root's file, in root's directory.
    pub fn publish(&self, settings: &Settings) -> Result<(), FileError> {
        file::write(&copy(settings), 0o644, Backup::Drop, self.encode().as_bytes())
    }

    /// The copy for everybody; `None` where there is none that can be understood.
    pub fn published(settings: &Settings) -> Option<Self> {
        let text = String::from_utf8(file::read(&copy(settings), MAX_COPY).ok()??).ok()?;
        let mut overview = Self::decode(&text)?;
        let data = &settings.greengrass.data_directory;
        overview.installed = installed(data, &overview.status.record);
        overview.totals = Totals::load(data);
        Some(overview)
    }

    fn encode(&self) -> String {
        let Status { booted, record, view, .. } = &self.status;
        let name = |slot: Option<Slot>| slot.map_or("", Slot::name);
        let mut text = format!("booted={}\nbackend={}\nok={}\n", booted.name(), self.backend, name(view.ok));
        if let Some(Trial { slot, left }) = view.trial {
            let _ = writeln!(text, "trial={} {left}", slot.name());
        }
        let _ = writeln!(text, "failed={}\nspent={}", name(view.failed), view.spent);
        let _ = writeln!(text, "record={}", hex(&record.encode()));
        text
    }

    fn decode(text: &str) -> Option<Self> {
        let value = |key| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let booted = Slot::parse(value("booted")?)?;
        let record = Record::decode(&unhex(value("record")?)?.try_into().ok()?).ok()?;
        let trial = match value("trial").and_then(|trial| trial.split_once(' ')) {
            Some((slot, left)) => Some(Trial { slot: Slot::parse(slot)?, left: left.parse().ok()? }),
            None => None,
        };
        let slot = |key| value(key).and_then(Slot::parse);
        let view = View { ok: slot("ok"), trial, failed: slot("failed"), spent: value("spent") == Some("true") };
        let situation = Situation { record, view, booted, commit_point: CommitPoint::Environment };
        let phase = situation.phase();
        let Situation { record, view, .. } = situation;
        let backend = value("backend")?.to_owned();
        Some(Self {
            status: Status { phase, booted, record, view },
            backend,
            events: Vec::new(),
            installed: [None, None],
            totals: Totals::default(),
        })
    }
}

/// Beside the lock: gone with the power, like it.
fn copy(settings: &Settings) -> PathBuf {
    settings.greengrass.lock.with_extension("status")
}

/// Bytes the copy may have.
const MAX_COPY: u64 = 4096;

fn installed(data: &Path, record: &Record) -> [Option<Installed>; 2] {
    [Slot::A, Slot::B].map(|slot| Installed::of(data, slot, record))
}

/// A word for a phase, and the slot that it is about.
pub fn phase_words(phase: Phase) -> (&'static str, Option<Slot>) {
    match phase {
        Phase::Idle => ("idle", None),
        Phase::Writing(slot) => ("writing", Some(slot)),
        Phase::Valid(slot) => ("valid", Some(slot)),
        Phase::Prepared(slot) => ("prepared", Some(slot)),
        Phase::Armed(slot, _) => ("armed", Some(slot)),
        Phase::Trial(slot, _) => ("trial", Some(slot)),
    }
}

/// Every word that [`phase_words`] has.
pub const PHASES: [&str; 6] = ["idle", "writing", "valid", "prepared", "armed", "trial"];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::boot::state::record::Image;

    /// A device that has had an update, and is fine.
    pub(crate) fn overview() -> Overview {
        let mut record = Record::fresh(Slot::A);
        for (index, version) in ["1.2.0", "1.1.0"].into_iter().enumerate() {
            record.slots[index] = Image {
                state: ImageState::Good,
                version: Image::stored_version(version),
                manifest: [index as u8 + 1; 32],
                transaction: 1,
                installed_at: 1_763_760_000,
            };
        }
        (record.installs, record.floor) = (2, 12);
        let view = View { ok: Some(Slot::A), ..View::LOST };
        Overview {
            status: Status { phase: Phase::Idle, booted: Slot::A, record, view },
            backend: "grub".to_owned(),
            events: Vec::new(),
            installed: [None, None],
            totals: Totals::default(),
        }
    }

    #[test]
    fn condition_tells_what_wants_somebody() {
        let fine = overview();
        assert_eq!((fine.condition(), fine.next()), (Condition::Settled, Slot::A));
        let mut armed = overview();
        armed.status.phase = Phase::Armed(Slot::B, 3);
        (armed.status.record.trial, armed.status.view.trial) = (Some(Slot::B), Some(Trial { slot: Slot::B, left: 3 }));
        assert_eq!((armed.condition(), armed.next()), (Condition::Underway, Slot::B));
        let mut trial = armed;
        (trial.status.booted, trial.status.phase) = (Slot::B, Phase::Trial(Slot::B, 2));
        assert_eq!((trial.condition(), trial.faults()), (Condition::Trial, vec![]));
        let mut bad = overview();
        bad.status.record.image_mut(Slot::B).state = ImageState::Bad;
        assert_eq!((bad.condition(), bad.faults()), (Condition::Degraded, vec![Fault::NoFallback(Slot::B)]));
        let mut lost = overview();
        lost.status.view = View::LOST;
        assert_eq!(lost.faults(), [Fault::Disagreement]);
        let mut unmeant = overview();
        unmeant.status.view.trial = Some(Trial { slot: Slot::B, left: 1 });
        assert_eq!(unmeant.faults(), [Fault::Disagreement]);
        let mut other = overview();
        other.status.booted = Slot::B;
        assert_eq!(other.faults(), [Fault::NotConfirmed(Slot::B)]);
    }

    #[test]
    fn copy_for_everybody_says_the_same_or_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.greengrass.lock = scratch.path().join("ota.lock");
        settings.greengrass.data_directory = scratch.path().join("data");
        assert_eq!(Overview::published(&settings), None);
        let mut overview = overview();
        overview.status.record.trial = Some(Slot::B);
        overview.status.phase = Phase::Armed(Slot::B, 3);
        overview.status.view.trial = Some(Trial { slot: Slot::B, left: 3 });
        overview.publish(&settings).unwrap();
        assert_eq!(Overview::published(&settings), Some(overview.clone()));
        let text = overview.encode();
        for end in 0..text.len() - 1 {
            assert_eq!(Overview::decode(&text[..end]), None, "{end}");
        }
    }
}
