//! Decides what is written, and in which order, when somebody asks for something; acts never. What a boot asks for is
//! in `machine/boot.rs`.

mod boot;

pub use boot::{Boot, Verdict, on_boot};

use std::fmt;

use crate::slot::Slot;

use super::backend::{CommitPoint, MOST_TRIES, View};
use super::record::{Image, ImageState, Reason, Record, Visit};
use super::ring::What;

/// All that a decision is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Situation {
    pub record: Record,
    pub view: View,
    /// The slot that the boot loader started.
    pub booted: Slot,
    pub commit_point: CommitPoint,
}

/// How far an update is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Idle,
    /// An installation into it has begun.
    Writing(Slot),
    /// Installed, and not to be tried yet.
    Valid(Slot),
    /// To be tried, but the boot loader was not told: arm again, or cancel.
    Prepared(Slot),
    /// The next boot is its trial.
    Armed(Slot, u8),
    /// It runs, to be confirmed or rolled back; so many more boots are left to it.
    Trial(Slot, u8),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => write!(f, "nothing is under way"),
            Self::Writing(slot) => write!(f, "slot {} is being written", slot.name()),
            Self::Valid(slot) => write!(f, "slot {} is installed, and not to be tried yet", slot.name()),
            Self::Prepared(slot) => write!(f, "slot {} is to be tried, and the boot loader was not told", slot.name()),
            Self::Armed(slot, left) => write!(f, "slot {} boots next, on trial, {left} times at most", slot.name()),
            Self::Trial(slot, left) => {
                write!(f, "slot {} runs on trial, and {left} more boots are left to it", slot.name())
            }
        }
    }
}

/// What shall be installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub version: String,
    /// SHA-256 of its manifest.
    pub manifest: [u8; 32],
    /// Of this installation.
    pub transaction: u64,
    /// Its own level; one below the floor is refused.
    pub level: u64,
    /// What the floor becomes at least, once it is committed.
    pub floor: u64,
    /// The generation of the keys that it is signed with.
    pub key_epoch: u32,
}

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Begin to write the slot that does not run.
    Install(Candidate),
    /// It is written, flushed and read back.
    Written,
    /// Try it from the next boot on.
    Arm { tries: u8, deployment: [u8; 36] },
    /// The slot that runs on trial is good. Asked again, or where the boot loader counts each boot, it is told so.
    Confirm,
    /// The slot that runs on trial is not.
    Rollback(Reason),
    /// Forget what was installed, or call off the trial before it begins.
    Cancel,
    /// A slot that does not run shall not be used.
    MarkBad(Slot),
    /// The slot that is not confirmed shall boot once, and the confirmed one after it.
    Visit,
}

/// What is to be done, in this order; when one fails, the rest is not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    Write(Box<Record>),
    SetTrial(Slot, u8),
    SetConfirmed(Slot),
    /// Not to be fallen back to while it is being written.
    Disable(Slot),
    ForgetFailed,
    /// Diagnostics: it may fail.
    Log(What, Slot, u8, Reason),
    Reboot,
}

/// Why it is not done. Nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the slot that runs is not the confirmed one")]
    NotConfirmed,
    #[error("record and boot loader do not agree yet; the next boot settles it")]
    Unsettled,
    #[error("an update is on its way: {0}")]
    Busy(Phase),
    #[error("its level is below the floor, {0}")]
    BelowFloor(u64),
    #[error("its keys are older than generation {0}")]
    OldKeys(u32),
    #[error("nothing is being installed")]
    NothingWritten,
    #[error("slot {} holds nothing that could be tried: it is {}", .0.name(), .1.name())]
    NotBootable(Slot, ImageState),
    #[error("{0} tries are not 1 to {MOST_TRIES}")]
    Tries(u8),
    #[error("no slot is on trial")]
    NoTrial,
    #[error("slot {} runs", .0.name())]
    Runs(Slot),
}

impl Situation {
    pub fn phase(&self) -> Phase {
        if let Some(target) = self.record.trial {
            let told = self.view.trial.filter(|trial| trial.slot == target);
            return match told {
                _ if self.booted == target => Phase::Trial(target, told.map_or(0, |trial| trial.left)),
                Some(trial) => Phase::Armed(target, trial.left),
                None => Phase::Prepared(target),
            };
        }
        let target = self.target();
        match self.record.image(target).state {
            ImageState::Writing => Phase::Writing(target),
            ImageState::Valid => Phase::Valid(target),
            _ => Phase::Idle,
        }
    }

    /// Where an update goes: the slot that is not confirmed.
    pub fn target(&self) -> Slot {
        self.record.ok.other()
    }

    /// Whether this very candidate was already begun, and how far it got.
    pub fn found(&self, candidate: &Candidate) -> Option<ImageState> {
        let image = self.record.image(self.target());
        let same = image.manifest == candidate.manifest && candidate.manifest != [0; 32];
        same.then_some(image.state)
    }

    /// Decides. `now` is in seconds since 1970.
    pub fn on(&self, event: Event, now: u64) -> Result<Vec<Effect>, Refusal> {
        match event {
            Event::Install(candidate) => self.install(&candidate),
            Event::Written => self.written(now),
            Event::Arm { tries, deployment } => self.arm(tries, deployment),
            Event::Confirm => self.confirm(now),
            Event::Rollback(reason) => self.rollback(reason),
            Event::Cancel => self.cancel(),
            Event::MarkBad(slot) => self.mark_bad(slot),
            Event::Visit => self.visit(),
        }
    }

    /// Step 1: from here on the target is unusable, whatever is in it.
    fn install(&self, candidate: &Candidate) -> Result<Vec<Effect>, Refusal> {
        let Record { ok, floor, key_epoch, .. } = self.record;
        if self.booted != ok {
            return Err(Refusal::NotConfirmed);
        }
        match self.phase() {
            Phase::Idle | Phase::Writing(_) | Phase::Valid(_) => {}
            busy => return Err(Refusal::Busy(busy)),
        }
        if self.view.ok != Some(ok) || self.view.trial.is_some() || self.view.failed.is_some() {
            return Err(Refusal::Unsettled);
        }
        if candidate.key_epoch < key_epoch {
            return Err(Refusal::OldKeys(key_epoch));
        }
        // Whoever stole old keys may have raised the floor as high as it goes; new keys begin anew.
        if candidate.key_epoch == key_epoch && candidate.level < floor {
            return Err(Refusal::BelowFloor(floor));
        }
        let target = self.target();
        if matches!(self.found(candidate), Some(ImageState::Writing | ImageState::Valid)) {
            return Ok(vec![Effect::Disable(target)]);
        }
        let mut next = self.record.clone();
        *next.image_mut(target) = Image {
            state: ImageState::Writing,
            version: Image::stored_version(&candidate.version),
            manifest: candidate.manifest,
            transaction: candidate.transaction,
            installed_at: 0,
        };
        next.levels[target.index()] = candidate.level;
        next.next_floor = candidate.floor;
        next.next_key_epoch = candidate.key_epoch;
        Ok(vec![write(next), Effect::Disable(target)])
    }

    /// Step 5: the slot holds all of it.
    fn written(&self, now: u64) -> Result<Vec<Effect>, Refusal> {
        let target = match self.phase() {
            Phase::Writing(target) => target,
            // Said again.
            Phase::Valid(_) => return Ok(vec![]),
            _ => return Err(Refusal::NothingWritten),
        };
        let mut next = self.record.clone();
        let image = next.image_mut(target);
        image.state = ImageState::Valid;
        image.installed_at = now;
        Ok(vec![write(next)])
    }

    /// Steps 7 and 8. A good slot can be armed, too: that is the way back to the former version.
    fn arm(&self, tries: u8, deployment: [u8; 36]) -> Result<Vec<Effect>, Refusal> {
        if !(1..=MOST_TRIES).contains(&tries) {
            return Err(Refusal::Tries(tries));
        }
        if self.booted != self.record.ok {
            return Err(Refusal::NotConfirmed);
        }
        let target = self.target();
        let mut next = self.record.clone();
        match self.record.image(target).state {
            ImageState::Valid => {}
            ImageState::Good => {
                let level = self.record.levels[target.index()];
                if level < self.record.floor {
                    return Err(Refusal::BelowFloor(self.record.floor));
                }
                (next.next_floor, next.next_key_epoch) = (self.record.floor, self.record.key_epoch);
            }
            state => return Err(Refusal::NotBootable(target, state)),
        }
        (next.trial, next.left, next.max) = (Some(target), tries, tries);
        (next.last_reason, next.visit) = (Reason::None, Visit::None);
        next.deployment = deployment;
        let mut effects = Vec::new();
        if next != self.record {
            effects.push(write(next));
        }
        effects.push(Effect::SetTrial(target, tries));
        Ok(effects)
    }

    /// Steps 13 and 14.
    fn confirm(&self, now: u64) -> Result<Vec<Effect>, Refusal> {
        match self.phase() {
            Phase::Trial(target, _) => Ok(vec![
                Effect::SetConfirmed(target),
                write(committed(&self.record, target, now)),
                Effect::Log(What::Committed, target, 0, Reason::None),
            ]),
            _ if self.booted == self.record.ok && self.view.spent => Ok(vec![Effect::SetConfirmed(self.booted)]),
            _ if self.booted == self.record.ok => Ok(vec![]),
            _ => Err(Refusal::NoTrial),
        }
    }

    /// Step R2; R1 follows at the next boot.
    fn rollback(&self, reason: Reason) -> Result<Vec<Effect>, Refusal> {
        let Phase::Trial(target, left) = self.phase() else { return Err(Refusal::NoTrial) };
        let log = Effect::Log(What::RolledBack, target, left, reason);
        Ok(match self.commit_point {
            CommitPoint::Environment => {
                let next = Record { last_reason: reason, ..self.record.clone() };
                vec![write(next), Effect::SetConfirmed(self.record.ok), Effect::Reboot]
            }
            CommitPoint::Record => vec![write(rolled_back(&self.record, target, reason)), log, Effect::Reboot],
        })
    }

    fn cancel(&self) -> Result<Vec<Effect>, Refusal> {
        match self.phase() {
            Phase::Idle => Ok(vec![]),
            Phase::Writing(target) | Phase::Valid(target) if target == self.booted => Err(Refusal::Runs(target)),
            Phase::Writing(target) | Phase::Valid(target) => {
                let mut next = self.record.clone();
                *next.image_mut(target) = Image { state: ImageState::Empty, ..Image::default() };
                Ok(vec![write(next)])
            }
            Phase::Prepared(_) | Phase::Armed(..) => Ok(match self.commit_point {
                CommitPoint::Environment => {
                    let meant = Record { last_reason: Reason::Cancelled, ..self.record.clone() };
                    vec![
                        write(meant),
                        Effect::SetConfirmed(self.record.ok),
                        write(called_off(&self.record, Reason::Cancelled)),
                        Effect::ForgetFailed,
                    ]
                }
                CommitPoint::Record => vec![write(called_off(&self.record, Reason::Cancelled))],
            }),
            Phase::Trial(target, _) => Err(Refusal::Runs(target)),
        }
    }

    fn mark_bad(&self, slot: Slot) -> Result<Vec<Effect>, Refusal> {
        if slot == self.booted || slot == self.record.ok {
            return Err(Refusal::Runs(slot));
        }
        match self.phase() {
            Phase::Idle | Phase::Writing(_) | Phase::Valid(_) => {}
            busy => return Err(Refusal::Busy(busy)),
        }
        let mut next = self.record.clone();
        next.image_mut(slot).state = ImageState::Bad;
        Ok(vec![write(next)])
    }

    /// A single try that nobody confirms. Where the boot loader knows no slots, whoever asks mounts it at once.
    fn visit(&self) -> Result<Vec<Effect>, Refusal> {
        if self.booted != self.record.ok {
            return Err(Refusal::NotConfirmed);
        }
        if let busy @ (Phase::Prepared(_) | Phase::Armed(..) | Phase::Trial(..)) = self.phase() {
            return Err(Refusal::Busy(busy));
        }
        if self.view.ok != Some(self.record.ok) || self.view.trial.is_some() || self.view.failed.is_some() {
            return Err(Refusal::Unsettled);
        }
        let target = self.target();
        match self.record.image(target).state {
            ImageState::Valid | ImageState::Good | ImageState::Unknown => {}
            state => return Err(Refusal::NotBootable(target, state)),
        }
        if self.record.levels[target.index()] < self.record.floor {
            return Err(Refusal::BelowFloor(self.record.floor));
        }
        let meant = write(Record { visit: Visit::Meant, ..self.record.clone() });
        Ok(match self.commit_point {
            CommitPoint::Environment => vec![meant, Effect::SetTrial(target, 1), Effect::Reboot],
            CommitPoint::Record => vec![meant],
        })
    }
}

fn write(record: Record) -> Effect {
    Effect::Write(Box::new(record))
}

/// Step 14: the trial went well.
fn committed(record: &Record, slot: Slot, now: u64) -> Record {
    let mut next = record.clone();
    next.ok = slot;
    (next.trial, next.left, next.last_reason, next.repaired) = (None, 0, Reason::None, false);
    next.image_mut(slot).state = ImageState::Good;
    let other = next.image_mut(slot.other());
    if matches!(other.state, ImageState::Valid | ImageState::Unknown) {
        other.state = ImageState::Good;
    }
    if record.next_key_epoch > record.key_epoch {
        (next.key_epoch, next.floor) = (record.next_key_epoch, record.next_floor);
    } else {
        next.floor = record.floor.max(record.next_floor);
    }
    next.trusted_time = record.trusted_time.max(now);
    next.installs = record.installs.saturating_add(1);
    next
}

/// Step R1: it did not.
fn rolled_back(record: &Record, slot: Slot, reason: Reason) -> Record {
    let mut next = called_off(record, reason);
    next.image_mut(slot).state = ImageState::Bad;
    next.rollbacks = record.rollbacks.saturating_add(1);
    next
}

/// Nothing is on trial any more; what was stays installed.
fn called_off(record: &Record, reason: Reason) -> Record {
    Record { trial: None, left: 0, last_reason: reason, ..record.clone() }
}

#[cfg(test)]
mod tests;
