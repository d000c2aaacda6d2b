//! A device's life until it is at rest: power on, boot loader, `gg-init`, then what the product wants of it.

use crate::slot::Slot;
use crate::state::machine::{Candidate, Phase, Verdict};
use crate::state::medium::SECTOR;
use crate::state::record::{ImageState, Reason, Record, Visit};
use crate::state::ring::Ring;
use crate::state::slots::{Moment, Progress, Slots, SlotsError, Then};

use super::device::{DATA, RING, RING_SECTORS, SLOT_SECTORS, content, loadable, place, version};
use super::disk::{Disk, Region};
use super::loader::{Loader, store};

/// What becomes of an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destiny {
    Good,
    /// It never gets so far as to say anything.
    Hangs,
    /// It comes up, and its health checks fail.
    Unhealthy,
    /// The boot loader cannot read it.
    Garbage,
    /// Somebody calls it off before the reboot.
    Cancelled,
    /// Somebody wants to see it once, and does not have it tried.
    Visited,
}

impl Destiny {
    pub const ALL: [Self; 6] =
        [Self::Good, Self::Hangs, Self::Unhealthy, Self::Garbage, Self::Cancelled, Self::Visited];
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) loader: Loader,
    pub(crate) destiny: Destiny,
    /// The version that shall run in the end.
    pub(crate) wanted: u8,
}

/// How it ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The slot that runs at rest, and its version.
    pub(crate) running: Option<Slot>,
    pub(crate) version: Option<u8>,
    /// A slot that was booted although it is not complete.
    pub(crate) incomplete: Option<Slot>,
    pub(crate) boots: u32,
    visits: u32,
    pub(crate) data_is_whole: bool,
    pub(crate) record: Option<Record>,
    pub(crate) error: Option<String>,
}

/// More boots than any of these takes.
const PATIENCE: u32 = 40;

/// Lives until nothing is left to do.
pub(crate) fn live(disk: &Disk, plan: Plan) -> Outcome {
    run(disk, plan, None, true)
}

/// The same for a device of which nobody wants anything, whose boot loader starts this slot at first.
pub(crate) fn settle(disk: &Disk, plan: Plan, booted: Option<Slot>) -> Outcome {
    run(disk, plan, booted, false)
}

fn run(disk: &Disk, plan: Plan, mut forced: Option<Slot>, wants: bool) -> Outcome {
    let mut outcome = Outcome { data_is_whole: true, ..Outcome::default() };
    let data = disk.sector(DATA);
    while outcome.boots < PATIENCE {
        outcome.boots += 1;
        let started = plan.loader.start(disk);
        let Some(started) = forced.take().or(started) else {
            // It stands still, and somebody pulls the plug.
            continue;
        };
        match boot(disk, plan, started, wants, &mut outcome) {
            Ok(Next::Rest(slot)) => {
                outcome.running = Some(slot);
                outcome.version = version(disk, slot);
                break;
            }
            Ok(Next::Again) => {}
            Err(cause) => {
                outcome.error = Some(cause.to_string());
                break;
            }
        }
    }
    // Written and flushed by the product at each boot that got so far; nothing else may touch it.
    outcome.data_is_whole = disk.sector(DATA)[8..] == data[8..];
    outcome.record = store(disk).load().record;
    outcome
}

enum Next {
    Again,
    Rest(Slot),
}

fn open(disk: &Disk, plan: Plan, booted: Slot) -> Slots<'static, Region> {
    let ring = Ring::in_file(disk.region(RING), (RING_SECTORS * SECTOR) as u64);
    Slots::new(store(disk), plan.loader.backend(disk), Some(ring), booted)
}

fn boot(disk: &Disk, plan: Plan, started: Slot, wants: bool, outcome: &mut Outcome) -> Result<Next, SlotsError> {
    let mut booted = started;
    let slots = open(disk, plan, booted);
    let (mut verdict, mut then) = slots.settle(Moment::at(1))?;
    // Only where the boot loader knows no slots can it be that this one cannot be mounted.
    if loadable(disk, booted).is_none() && then == Then::GoOn {
        if let Verdict::Trial(..) = verdict {
            let (Then::GoOn | Then::Reboot) = slots.rollback(Reason::Unreadable, 1)?;
            return Ok(Next::Again);
        }
        booted = booted.other();
        (verdict, then) = open(disk, plan, booted).settle(Moment::at(1))?;
    }
    if then == Then::Reboot {
        return Ok(Next::Again);
    }
    if version(disk, booted).is_none() {
        outcome.incomplete = Some(booted);
    }
    let slots = open(disk, plan, booted);
    if let Verdict::Visit(_) = verdict {
        // The daemon asks once more, and nothing may come of it.
        return match slots.settle(Moment::at(1))? {
            (again, Then::GoOn) if again == verdict => Ok(Next::Again),
            _ => Ok(Next::Rest(booted)),
        };
    }
    if let Verdict::Trial(..) = verdict {
        let running = version(disk, booted);
        let destiny = if running == Some(plan.wanted) { plan.destiny } else { Destiny::Good };
        return match destiny {
            Destiny::Hangs => Ok(Next::Again),
            Destiny::Unhealthy => slots.rollback(Reason::Health, 1).map(|_| Next::Again),
            Destiny::Cancelled | Destiny::Visited => slots.rollback(Reason::Asked, 1).map(|_| Next::Again),
            Destiny::Good | Destiny::Garbage => {
                slots.confirm(2)?;
                Ok(Next::Rest(booted))
            }
        };
    }
    // Boot loaders that count each boot are told that this one went well.
    slots.confirm(2)?;
    if !wants || version(disk, booted) == Some(plan.wanted) {
        return Ok(Next::Rest(booted));
    }
    want(disk, plan, &slots, booted, outcome)
}

/// What the installer does when this version shall run.
fn want(
    disk: &Disk,
    plan: Plan,
    slots: &Slots<'_, Region>,
    booted: Slot,
    outcome: &mut Outcome,
) -> Result<Next, SlotsError> {
    let status = slots.status()?;
    let manifest = [plan.wanted; 32];
    let image = *status.record.image(booted.other());
    let failed = image.manifest == manifest && image.state == ImageState::Bad;
    let called_off = plan.destiny == Destiny::Cancelled
        && image.manifest == manifest
        && image.state == ImageState::Valid
        && status.record.last_reason == Reason::Cancelled;
    if failed || called_off && status.phase == Phase::Valid(booted.other()) {
        return Ok(Next::Rest(booted));
    }
    let is_prepared = matches!(status.phase, Phase::Prepared(_)) && image.manifest == manifest;
    if matches!(status.phase, Phase::Armed(..) | Phase::Prepared(_)) && !is_prepared {
        slots.cancel(3)?;
    }
    if !is_prepared {
        let candidate = Candidate {
            version: format!("{}.0", plan.wanted),
            manifest,
            transaction: u64::from(plan.wanted),
            level: 0,
            floor: 0,
            key_epoch: 0,
        };
        let planned = slots.plan_install(candidate, 3)?;
        if planned.progress != Progress::Complete {
            write_slot(disk, plan, planned.target);
            slots.mark_written(4)?;
        }
    }
    if plan.destiny == Destiny::Visited {
        // Who asked was asked for once; a cut is followed by another who wants to see it.
        if outcome.visits > 0 {
            return Ok(Next::Rest(booted));
        }
        outcome.visits += 1;
        if slots.visit(5)? == Then::GoOn && version(disk, booted.other()).is_none() {
            outcome.incomplete = Some(booted.other());
        }
        return Ok(Next::Again);
    }
    slots.arm(plan.loader.counts_to(), [b'd'; 36], 5)?;
    if plan.destiny == Destiny::Cancelled {
        slots.cancel(6)?;
        return Ok(Next::Rest(booted));
    }
    Ok(Next::Again)
}

/// Step 2 and 3: the superblock comes last, behind a flush of its own.
fn write_slot(disk: &Disk, plan: Plan, slot: Slot) {
    for sector in 1..SLOT_SECTORS {
        let mut bytes = content(plan.wanted, sector);
        if plan.destiny == Destiny::Garbage && sector == 1 {
            bytes = [0xee; SECTOR];
        }
        disk.write_sector(place(slot) + sector, bytes);
    }
    disk.flush();
    disk.write_sector(place(slot), content(plan.wanted, 0));
    disk.flush();
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { running, version, boots, error, .. } = self;
        write!(f, "runs {running:?} version {version:?} after {boots} boots, error {error:?}")?;
        let Some(record) = &self.record else { return write!(f, ", no record") };
        let Record { ok, trial, last_reason, installs, rollbacks, .. } = record;
        let states = record.slots.map(|image| image.state);
        write!(f, ", ok {ok:?} trial {trial:?} {states:?} {last_reason:?} {installs}+{rollbacks}-")
    }
}

impl Outcome {
    /// O6: the record, which the cloud is told from, says what happened.
    pub(crate) fn is_told_right(&self, plan: Plan, cuts: u32) -> bool {
        let Some(record) = &self.record else { return false };
        if self.error.is_some() || record.trial.is_some() || Some(record.ok) != self.running {
            return false;
        }
        let counts = (record.installs, record.rollbacks);
        match plan.destiny {
            Destiny::Good if self.version == Some(plan.wanted) => {
                record.image(record.ok).state == ImageState::Good && counts == (1, 0)
            }
            Destiny::Good => counts == (0, 1) || cuts > 2 && self.has_given_way(plan.loader),
            Destiny::Hangs | Destiny::Garbage => {
                counts == (0, 1) && !matches!(record.last_reason, Reason::None | Reason::Health)
            }
            Destiny::Unhealthy => {
                // With each try cut before the checks were done, the tries are spent.
                counts == (0, 1) && matches!(record.last_reason, Reason::Health | Reason::TriesSpent)
            }
            Destiny::Visited => {
                counts == (0, 0)
                    && record.image(record.ok.other()).state == ImageState::Valid
                    && record.visit == Visit::None
            }
            Destiny::Cancelled => counts == (0, 0) || counts == (0, 1) && record.last_reason != Reason::None,
        }
    }

    /// The version was kept, and two boots of it in a row were cut before they were told good: where a boot loader gives one
    /// try, that looks as if it came up no more.
    fn has_given_way(&self, loader: Loader) -> bool {
        let Some(record) = &self.record else { return false };
        loader.counts_to() == 1
            && (record.installs, record.rollbacks, record.last_reason) == (1, 0, Reason::Unreadable)
            && record.image(record.ok.other()).state == ImageState::Bad
    }
}
