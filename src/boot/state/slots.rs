//! What an installer, the health checks and a person ask of the slots: reads both halves of the state, lets the machine
//! decide, and does what it says. Nothing is kept between two calls: what counts is on the disk.

use crate::slot::Slot;

use super::backend::{Backend, BackendError};
use super::machine::{self, Boot, Candidate, Effect, Event, Phase, Refusal, Situation};
use super::medium::Medium;
use super::record::{ImageState, Reason, Record};
use super::ring::{self, Ring};
use super::store::{Store, StoreError};

/// The state of the slots of this device.
pub struct Slots<'a, M> {
    store: Store<M>,
    backend: Box<dyn Backend + 'a>,
    ring: Option<Ring<M>>,
    booted: Slot,
}

/// What is known of the slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub phase: Phase,
    pub booted: Slot,
    pub record: Record,
    pub view: super::backend::View,
}

/// Where to write, and what of it is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    pub target: Slot,
    pub progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Write all of it.
    New,
    /// This very image was being written when it was cut: what is there may be used, once it is checked.
    Begun,
    /// This very image is there, complete.
    Complete,
}

/// What the caller has to do after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Then {
    GoOn,
    Reboot,
}

/// Why the machine came up, and when: for the events.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// In seconds since 1970, as the clock has it.
    pub now: u64,
    /// `watchdog`, `power`, or empty where the board does not tell.
    pub cause: &'a str,
}

impl Moment<'_> {
    pub fn at(now: u64) -> Self {
        Self { now, cause: "" }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    #[error("there is no slot-state record yet; the boot makes one")]
    NoRecord,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<M> std::fmt::Debug for Slots<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots")
            .field("backend", &self.backend.name())
            .field("booted", &self.booted)
            .finish_non_exhaustive()
    }
}

impl<'a, M: Medium> Slots<'a, M> {
    /// `booted` is the slot that the boot loader started.
    pub fn new(store: Store<M>, backend: Box<dyn Backend + 'a>, ring: Option<Ring<M>>, booted: Slot) -> Self {
        Self { store, backend, ring, booted }
    }

    pub fn status(&self) -> Result<Status, SlotsError> {
        let situation = self.situation()?;
        let phase = situation.phase();
        let Situation { record, view, booted, .. } = situation;
        Ok(Status { phase, booted, record, view })
    }

    /// What is known of the past, oldest first. No ring, no past.
    pub fn events(&self) -> Vec<ring::Event> {
        self.ring.as_ref().and_then(|ring| ring.events().ok()).unwrap_or_default()
    }

    /// What keeps the state of the boot loader.
    pub fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    /// Steps 0 and 1: may this be installed, and where. After it the target is marked as being written, before its
    /// first byte is. Refused while an update is on its way, below the floor, or with older keys.
    pub fn plan_install(&self, candidate: Candidate, now: u64) -> Result<Plan, SlotsError> {
        let situation = self.situation()?;
        let progress = match situation.found(&candidate) {
            Some(ImageState::Writing) => Progress::Begun,
            Some(ImageState::Valid) => Progress::Complete,
            _ => Progress::New,
        };
        self.ask(Event::Install(candidate), now).map(|_| ())?;
        Ok(Plan { target: situation.target(), progress })
    }

    /// Step 5: the target holds all of it: written, flushed, read back.
    pub fn mark_written(&self, now: u64) -> Result<(), SlotsError> {
        self.ask(Event::Written, now).map(|_| ())
    }

    /// Steps 7 and 8: the next boot is a trial, at most so many times. Called again it does what is left to do.
    /// A good former version is armed the same way: that is a rollback that somebody asks for.
    pub fn arm(&self, tries: u8, deployment: [u8; 36], now: u64) -> Result<(), SlotsError> {
        self.ask(Event::Arm { tries, deployment }, now).map(|_| ())
    }

    /// Steps 13 and 14: the slot that runs is good. Fine if it is known already.
    pub fn confirm(&self, now: u64) -> Result<(), SlotsError> {
        self.ask(Event::Confirm, now).map(|_| ())
    }

    /// Step R2: the slot that runs on trial is given up; the caller reboots.
    pub fn rollback(&self, reason: Reason, now: u64) -> Result<Then, SlotsError> {
        self.ask(Event::Rollback(reason), now)
    }

    /// Forgets what was installed, or calls off a trial that has not begun; the image then stays installed.
    pub fn cancel(&self, now: u64) -> Result<(), SlotsError> {
        self.ask(Event::Cancel, now).map(|_| ())
    }

    /// The slot that does not run is not to be used until it is installed anew.
    pub fn mark_bad(&self, slot: Slot, now: u64) -> Result<(), SlotsError> {
        self.ask(Event::MarkBad(slot), now).map(|_| ())
    }

    /// Boots the slot that is not confirmed once, with its own kernel where the boot loader can be told: then the
    /// caller reboots, else it mounts that slot. The boot after is the confirmed slot's again, whatever happens.
    pub fn visit(&self, now: u64) -> Result<Then, SlotsError> {
        self.ask(Event::Visit, now)
    }

    /// What this boot means, and settles it. An ordinary one writes nothing. Called once a boot, by PID 1, or by the
    /// daemon where PID 1 is not ours; a second time it finds it settled.
    pub fn settle(&self, moment: Moment<'_>) -> Result<(machine::Verdict, Then), SlotsError> {
        let record = self.store.load().record;
        let view = self.backend.read()?;
        let Boot { verdict, effects } =
            machine::on_boot(record.as_ref(), &view, self.booted, self.backend.commit_point(), moment.now);
        let then = self.act(effects, moment)?;
        Ok((verdict, then))
    }

    fn situation(&self) -> Result<Situation, SlotsError> {
        let record = self.store.load().record.ok_or(SlotsError::NoRecord)?;
        let (view, commit_point) = (self.backend.read()?, self.backend.commit_point());
        Ok(Situation { record, view, booted: self.booted, commit_point })
    }

    fn ask(&self, event: Event, now: u64) -> Result<Then, SlotsError> {
        let effects = self.situation()?.on(event, now)?;
        self.act(effects, Moment::at(now))
    }

    /// In order; what is behind a failure is not done, because it counts on what is before.
    fn act(&self, effects: Vec<Effect>, moment: Moment<'_>) -> Result<Then, SlotsError> {
        let mut then = Then::GoOn;
        for effect in effects {
            match effect {
                Effect::Write(record) => {
                    self.store.write(&record)?;
                }
                Effect::SetTrial(slot, tries) => self.backend.set_trial(slot, tries)?,
                Effect::SetConfirmed(slot) => self.backend.set_confirmed(slot)?,
                Effect::Disable(slot) => self.backend.disable(slot)?,
                Effect::ForgetFailed => self.backend.forget_failed()?,
                Effect::Log(what, slot, left, reason) => self.log(ring::Event {
                    number: 0,
                    seconds: moment.now,
                    what,
                    slot,
                    left,
                    reason,
                    cause: moment.cause.to_owned(),
                }),
                Effect::Reboot => then = Then::Reboot,
            }
        }
        Ok(then)
    }

    /// No update fails for want of a word about it.
    fn log(&self, event: ring::Event) {
        if let Some(ring) = &self.ring {
            let _ = ring.push(event);
        }
    }
}
