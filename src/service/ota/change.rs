//! What somebody asks of the slots by hand, or by the health checks: which of the machine's events that is now, said in
//! the log of the fleet. The caller holds the lock on the slots.

use std::fmt;
use std::path::Path;

use super::events::{Event, tell};
use super::installed::Installed;
use crate::boot::slot::Slot;
use crate::boot::state::backend::MOST_TRIES;
use crate::boot::state::device::DeviceSlots;
use crate::boot::state::machine::Phase;
use crate::boot::state::record::{ImageState, Reason};
use crate::boot::state::slots::{SlotsError, Status, Then};
use crate::wire::bundle::policy::DEFAULT_TRIES;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The slot that runs is good.
    Commit,
    /// Back to the former version: gives up the trial that runs, or arms the slot with the former version.
    Rollback(Reason),
    /// Calls off what has not begun.
    Cancel,
    /// The slot that runs is good; or is this other one?
    Good(Slot),
    /// Not to be used. The slot that runs cannot be left at once: that is a rollback.
    Bad(Slot),
    /// To be booted next.
    Active(Slot),
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub did: Did,
    /// Which slot it is about.
    pub slot: Slot,
    /// What is left to do.
    pub then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Did {
    /// It was so already.
    Nothing,
    Committed,
    /// The former slot boots next.
    GaveUp,
    /// It boots next, on trial, so often at most.
    Armed(u8),
    Cancelled,
    MarkedBad,
}

impl Did {
    /// As it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Committed => "committed",
            Self::GaveUp => "gave-up",
            Self::Armed(_) => "armed",
            Self::Cancelled => "cancelled",
            Self::MarkedBad => "marked-bad",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot.name();
        match self.did {
            Did::Nothing => write!(f, "slot {slot}: nothing to do"),
            Did::Committed => write!(f, "slot {slot} is confirmed"),
            Did::GaveUp => write!(f, "slot {slot} is given up; slot {} boots next", self.slot.other().name()),
            Did::Armed(tries) => write!(f, "slot {slot} boots next, on trial, {tries} times at most"),
            Did::Cancelled => write!(f, "slot {slot}: called off"),
            Did::MarkedBad => write!(f, "slot {slot} is bad until it is installed anew"),
        }
    }
}

/// Why it is not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Slots(#[from] SlotsError),
    #[error("slot {} was given up, and the next boot leaves it; reboot", .0.name())]
    GivenUp(Slot),
    #[error("slot {} waits for its trial, which has not begun: `greengrass ota cancel` calls it off", .0.name())]
    TrialAhead(Slot),
    #[error("slot {slot} holds an update that was never tried: `greengrass ota mark active {slot}`", slot = .0.name())]
    NeverTried(Slot),
    #[error("there is no former version: slot {} is {}", .0.name(), .1.name())]
    NoFormer(Slot, ImageState),
    #[error("slot {slot} does not run; only a trial shows that it is good: `greengrass ota mark active {slot}`", slot = .0.name())]
    DoesNotRun(Slot),
}

/// Does it. `data` is where it stands what was installed; `now` is in seconds since 1970.
pub fn change(slots: &DeviceSlots, data: &Path, wanted: Change, now: u64) -> Result<Outcome, ChangeError> {
    let change = Changing { slots, data, status: slots.status()?, now };
    match wanted {
        Change::Commit => change.commit(),
        Change::Rollback(reason) => change.rollback(reason),
        Change::Cancel => change.cancel(),
        Change::Good(slot) => change.good(slot),
        Change::Bad(slot) => change.bad(slot),
        Change::Active(slot) => change.active(slot),
    }
}

struct Changing<'a> {
    slots: &'a DeviceSlots,
    data: &'a Path,
    status: Status,
    now: u64,
}

impl Changing<'_> {
    fn commit(&self) -> Result<Outcome, ChangeError> {
        let Status { phase, booted, record, view } = &self.status;
        let is_trial = matches!(phase, Phase::Trial(..));
        if is_trial && view.trial.is_none() && record.last_reason != Reason::None {
            return Err(ChangeError::GivenUp(*booted));
        }
        self.slots.confirm(self.now)?;
        if !is_trial {
            return Ok(done(Did::Nothing, *booted));
        }
        self.tell(Event::Committed, *booted, Reason::None);
        Ok(done(Did::Committed, *booted))
    }

    fn rollback(&self, reason: Reason) -> Result<Outcome, ChangeError> {
        let Status { phase, booted, record, .. } = &self.status;
        let other = booted.other();
        match *phase {
            Phase::Trial(slot, _) => {
                let then = self.slots.rollback(reason, self.now)?;
                self.tell(Event::GivenUp, slot, reason);
                Ok(Outcome { did: Did::GaveUp, slot, then })
            }
            Phase::Prepared(slot) | Phase::Armed(slot, _) => Err(ChangeError::TrialAhead(slot)),
            Phase::Valid(slot) => Err(ChangeError::NeverTried(slot)),
            Phase::Writing(_) | Phase::Idle => match record.image(other).state {
                ImageState::Good => self.arm(other),
                state => Err(ChangeError::NoFormer(other, state)),
            },
        }
    }

    fn cancel(&self) -> Result<Outcome, ChangeError> {
        self.slots.cancel(self.now)?;
        match self.status.phase {
            Phase::Idle | Phase::Trial(..) => Ok(done(Did::Nothing, self.status.booted.other())),
            Phase::Writing(slot) | Phase::Valid(slot) | Phase::Prepared(slot) | Phase::Armed(slot, _) => {
                self.tell(Event::Cancelled, slot, Reason::Cancelled);
                Ok(done(Did::Cancelled, slot))
            }
        }
    }

    fn good(&self, slot: Slot) -> Result<Outcome, ChangeError> {
        match self.status.record.image(slot).state {
            _ if slot == self.status.booted => self.commit(),
            ImageState::Good => Ok(done(Did::Nothing, slot)),
            _ => Err(ChangeError::DoesNotRun(slot)),
        }
    }

    fn bad(&self, slot: Slot) -> Result<Outcome, ChangeError> {
        if slot == self.status.booted {
            return self.rollback(Reason::Asked);
        }
        if matches!(self.status.phase, Phase::Prepared(_) | Phase::Armed(..)) {
            self.cancel()?;
        }
        self.slots.mark_bad(slot, self.now)?;
        self.tell(Event::MarkedBad, slot, Reason::Asked);
        Ok(done(Did::MarkedBad, slot))
    }

    fn active(&self, slot: Slot) -> Result<Outcome, ChangeError> {
        let is_running = slot == self.status.booted;
        match self.status.phase {
            Phase::Prepared(_) | Phase::Armed(..) if is_running => self.cancel(),
            Phase::Armed(..) => Ok(done(Did::Nothing, slot)),
            _ if is_running => Ok(done(Did::Nothing, slot)),
            Phase::Trial(..) => self.rollback(Reason::Asked),
            _ => self.arm(slot),
        }
    }

    fn arm(&self, slot: Slot) -> Result<Outcome, ChangeError> {
        let tries = self.tries(slot);
        self.slots.arm(tries, [0; 36], self.now)?;
        tell(Event::Armed, &[("slot", &slot.name()), ("version", &self.version(slot)), ("tries", &tries)]);
        Ok(done(Did::Armed(tries), slot))
    }

    /// As many as were asked for when it was installed.
    fn tries(&self, slot: Slot) -> u8 {
        let known = Installed::of(self.data, slot, &self.status.record).map_or(0, |known| known.tries);
        if (1..=MOST_TRIES).contains(&known) { known } else { DEFAULT_TRIES }
    }

    fn version(&self, slot: Slot) -> String {
        self.status.record.image(slot).version()
    }

    fn tell(&self, event: Event, slot: Slot, reason: Reason) {
        tell(event, &[("slot", &slot.name()), ("version", &self.version(slot)), ("reason", &reason.name())]);
    }
}

fn done(did: Did, slot: Slot) -> Outcome {
    Outcome { did, slot, then: Then::GoOn }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::boot::state::device::{Kind, open_files};
    use crate::boot::state::grubenv;
    use crate::boot::state::machine::Candidate;
    use crate::boot::state::slots::Moment;
    use crate::boot::state::variables::Variables;

    /// Where nothing is known of what was installed.
    fn nothing() -> &'static Path {
        Path::new("/nonexistent")
    }

    /// A device that keeps its state in files, with slot a running.
    fn device() -> tempfile::TempDir {
        let scratch = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        let path = scratch.path().join("grubenv");
        fs::write(&path, grubenv::encode(&variables).unwrap()).unwrap();
        fs::File::open(&path).unwrap().sync_all().unwrap();
        let _ = open(scratch.path(), Slot::A).settle(Moment::at(1)).unwrap();
        scratch
    }

    fn open(path: &Path, booted: Slot) -> DeviceSlots {
        open_files(Kind::Grub, &path.join("state"), &path.join("grubenv"), booted).unwrap()
    }

    fn install(slots: &DeviceSlots) {
        let candidate =
            Candidate { version: "2".into(), manifest: [2; 32], transaction: 1, level: 0, floor: 0, key_epoch: 0 };
        slots.plan_install(candidate, 2).unwrap();
        slots.mark_written(3).unwrap();
    }

    /// What each change does, or does not.
    fn said(slots: &DeviceSlots, wanted: Change) -> String {
        change(slots, nothing(), wanted, 9)
            .map_or_else(|error| error.to_string(), |outcome| format!("{:?}", outcome.did))
    }

    #[test]
    fn update_is_armed_tried_committed_and_gone_back_from_by_hand() {
        let scratch = device();
        let a = open(scratch.path(), Slot::A);
        assert_eq!(said(&a, Change::Commit), "Nothing");
        assert_eq!(said(&a, Change::Cancel), "Nothing");
        assert!(said(&a, Change::Rollback(Reason::Asked)).contains("slot b is unknown"));
        install(&a);
        assert!(said(&a, Change::Rollback(Reason::Asked)).contains("mark active b"));
        assert!(said(&a, Change::Good(Slot::B)).contains("does not run"));
        assert_eq!(said(&a, Change::Active(Slot::B)), "Armed(3)");
        assert_eq!(said(&a, Change::Active(Slot::B)), "Nothing");
        assert!(said(&a, Change::Rollback(Reason::Asked)).contains("cancel"));
        let b = open(scratch.path(), Slot::B);
        assert!(matches!(change(&b, nothing(), Change::Cancel, 9), Err(ChangeError::Slots(SlotsError::Refused(_)))));
        assert_eq!(said(&b, Change::Active(Slot::B)), "Nothing");
        assert_eq!(said(&b, Change::Good(Slot::B)), "Committed");
        assert_eq!(said(&b, Change::Commit), "Nothing");
        assert_eq!(said(&b, Change::Good(Slot::A)), "Nothing");
        assert_eq!(said(&b, Change::Rollback(Reason::Asked)), "Armed(3)");
        assert_eq!(said(&b, Change::Active(Slot::B)), "Cancelled");
        assert_eq!(said(&b, Change::Bad(Slot::A)), "MarkedBad");
        assert!(said(&b, Change::Bad(Slot::B)).contains("slot a is bad"));
    }

    #[test]
    fn slot_that_is_armed_by_hand_has_the_tries_of_its_bundle() {
        let scratch = device();
        let a = open(scratch.path(), Slot::A);
        install(&a);
        let own = "02".repeat(32);
        for (tries, is_own, armed) in [(5, true, 5), (5, false, 3), (0, true, 3), (200, true, 3)] {
            let mut installed = Installed { tries, ..Installed::default() };
            installed.bundle.hash = own[if is_own { 0.. } else { 2.. }].to_owned();
            installed.write(scratch.path(), Slot::B).unwrap();
            let done = change(&a, scratch.path(), Change::Active(Slot::B), 9).unwrap();
            assert_eq!((done.did, a.status().unwrap().record.max), (Did::Armed(armed), armed));
            let _ = change(&a, scratch.path(), Change::Cancel, 9).unwrap();
        }
    }

    #[test]
    fn trial_that_was_given_up_is_not_committed_any_more() {
        let scratch = device();
        install(&open(scratch.path(), Slot::A));
        assert_eq!(said(&open(scratch.path(), Slot::A), Change::Active(Slot::B)), "Armed(3)");
        let b = open(scratch.path(), Slot::B);
        assert_eq!(change(&b, nothing(), Change::Rollback(Reason::Asked), 9).unwrap().then, Then::Reboot);
        assert!(said(&b, Change::Commit).contains("given up"));
        assert_eq!(said(&b, Change::Active(Slot::A)), "GaveUp");
        let a = open(scratch.path(), Slot::A);
        let _ = a.settle(Moment::at(10)).unwrap();
        let status = a.status().unwrap();
        assert_eq!((status.phase, status.record.rollbacks), (Phase::Idle, 1));
        assert_eq!(status.record.image(Slot::B).state, ImageState::Bad);
        let reasons: Vec<_> = a.events().iter().map(|event| event.reason).collect();
        assert!(reasons.contains(&Reason::Asked), "{reasons:?}");
    }

    #[test]
    fn update_that_waits_is_called_off_before_its_slot_is_bad() {
        let scratch = device();
        let a = open(scratch.path(), Slot::A);
        install(&a);
        assert_eq!(said(&a, Change::Active(Slot::B)), "Armed(3)");
        assert_eq!(said(&a, Change::Bad(Slot::B)), "MarkedBad");
        assert_eq!(a.status().unwrap().record.image(Slot::B).state, ImageState::Bad);
        assert_eq!(a.status().unwrap().view.trial, None);
    }
}
