//! What a boot finds and settles: a trial that goes on, ended well or badly, or a half of the state that was lost.
//!
//! Whatever is found, the same boot over and over ends: each repair leaves a state that is not repaired again.

use crate::slot::Slot;
use crate::state::backend::{CommitPoint, Trial, View};
use crate::state::record::{ImageState, Reason, Record, Visit};
use crate::state::ring::What;

use super::{Effect, called_off, committed, rolled_back, write};

/// What is to be said and done about this boot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boot {
    pub verdict: Verdict,
    /// Empty on an ordinary boot.
    pub effects: Vec<Effect>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The confirmed slot runs, and nothing is to be done.
    Ordinary,
    /// There was no record; from now on there is.
    Fresh,
    /// The slot runs on trial: it must be confirmed in time. So many more boots are left to it.
    Trial(Slot, u8),
    /// The boot loader had it confirmed; the record says so now, too.
    Committed(Slot),
    /// Its trial ended without success, and the former one runs.
    RolledBack(Slot, Reason),
    /// It is to be tried, but the boot loader was never told: arm it again, or cancel.
    Prepared(Slot),
    /// The boot loader's environment was lost or said something else, and is as it should be again.
    Repaired,
    /// This slot should run and does not: install it anew.
    Degraded(Slot),
    /// This one runs because somebody wanted to see it once: neither on trial nor confirmed.
    Visit(Slot),
    /// The confirmed slot runs again after that.
    Visited(Slot),
    /// The confirmed slot runs again, and the other never came up: not to be loaded, hanging early, or cut.
    NotVisited(Slot),
}

impl Verdict {
    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Fresh => "fresh",
            Self::Trial(..) => "trial",
            Self::Committed(_) => "committed",
            Self::RolledBack(..) => "rolled-back",
            Self::Prepared(_) => "prepared",
            Self::Repaired => "repaired",
            Self::Degraded(_) => "degraded",
            Self::Visit(_) => "visit",
            Self::Visited(_) => "visited",
            Self::NotVisited(_) => "not-visited",
        }
    }

    /// With what it is about, as it stands in the boot report: `trial b 2`.
    pub fn describe(self) -> String {
        let name = self.name();
        match self {
            Self::Ordinary | Self::Fresh | Self::Repaired => name.to_owned(),
            Self::Trial(slot, left) => format!("{name} {} {left}", slot.name()),
            Self::RolledBack(slot, reason) => format!("{name} {} {}", slot.name(), reason.name()),
            Self::Committed(slot)
            | Self::Prepared(slot)
            | Self::Degraded(slot)
            | Self::Visit(slot)
            | Self::Visited(slot)
            | Self::NotVisited(slot) => format!("{name} {}", slot.name()),
        }
    }
}

/// Decides what this boot means. `booted` is the slot that the boot loader started, not one that a person asked for.
pub fn on_boot(record: Option<&Record>, view: &View, booted: Slot, commit_point: CommitPoint, now: u64) -> Boot {
    let Some(record) = record else { return fresh(view, booted) };
    if record.visit != Visit::None {
        return visit(record, view, booted, commit_point, now);
    }
    let Some(ok) = view.ok else { return lost(record, booted) };
    let found = Found { record, view, booted, now };
    match (record.trial, view.trial) {
        (None, None) if ok == record.ok => found.settled(),
        (None, None) => found.contradicted(),
        (None, Some(trial)) => found.unmeant(trial),
        (Some(target), Some(trial)) if trial.slot == target => found.on_trial(trial, commit_point),
        // The environment tries the confirmed slot: whoever wrote that knew nothing of us.
        (Some(_), Some(_)) => lost(record, booted),
        (Some(target), None) if ok == target => found.confirmed(target),
        (Some(target), None) => found.gone(target),
    }
}

/// The visit lasts as long as the boot loader has it as its one spent try: then what runs was meant, and nothing is to be
/// done but to say so. Any other boot is the end of it, and for the rest like all others.
fn visit(record: &Record, view: &View, booted: Slot, commit_point: CommitPoint, now: u64) -> Boot {
    let other = record.ok.other();
    let is_tried = view.trial.is_some_and(|trial| trial.slot == other) || commit_point == CommitPoint::Record;
    if booted == other && view.ok == Some(record.ok) && is_tried {
        // The boot after should know that somebody was here.
        let made = || write(Record { visit: Visit::Made, ..record.clone() });
        let effects = if record.visit == Visit::Meant { vec![made()] } else { vec![] };
        return Boot { verdict: Verdict::Visit(other), effects };
    }
    let over = Record { visit: Visit::None, ..record.clone() };
    let Boot { mut verdict, mut effects } = on_boot(Some(&over), view, booted, commit_point, now);
    if booted == over.ok && view.ok == Some(over.ok) {
        verdict = if record.visit == Visit::Made { Verdict::Visited(other) } else { Verdict::NotVisited(other) };
    }
    if !effects.iter().any(|effect| matches!(effect, Effect::Write(_))) {
        effects.push(write(over));
    }
    Boot { verdict, effects }
}

/// Neither copy of the record is whole: what runs is what is known.
fn fresh(view: &View, booted: Slot) -> Boot {
    let log = |slot| Effect::Log(What::Began, slot, 0, Reason::None);
    let mut record = Record::fresh(booted);
    match (view.ok, view.trial) {
        (Some(ok), Some(trial)) if trial.slot == booted && ok != booted => {
            record.ok = ok;
            (record.trial, record.left, record.max) = (Some(booted), trial.left, trial.left);
            record.image_mut(booted).state = ImageState::Valid;
            Boot { verdict: Verdict::Trial(booted, trial.left), effects: vec![write(record), log(booted)] }
        }
        (Some(ok), None) if ok == booted => Boot { verdict: Verdict::Fresh, effects: vec![write(record), log(booted)] },
        // Who arms a trial does so again.
        _ => Boot {
            verdict: Verdict::Fresh,
            effects: vec![write(record), Effect::SetConfirmed(booted), Effect::ForgetFailed, log(booted)],
        },
    }
}

/// Step E1: the boot loader lost its environment, and started what it starts then.
fn lost(record: &Record, booted: Slot) -> Boot {
    let mut effects = Vec::new();
    let mut next = record.clone();
    if let Some(target) = record.trial {
        // An image that destroys the environment must not be tried for ever.
        next = rolled_back(record, target, Reason::EnvironmentLost);
        effects.push(write(next.clone()));
        effects.push(Effect::Log(What::RolledBack, target, 0, Reason::EnvironmentLost));
    }
    let verdict = match record.trial {
        Some(target) => Verdict::RolledBack(target, Reason::EnvironmentLost),
        None => Verdict::Repaired,
    };
    effects.extend(restore(&next, booted));
    let verdict = if effects.contains(&Effect::SetConfirmed(next.ok)) { verdict } else { Verdict::Degraded(next.ok) };
    Boot { verdict, effects }
}

/// Has the boot loader start the confirmed slot again: now, unless that was tried before.
fn restore(record: &Record, booted: Slot) -> Vec<Effect> {
    let log = Effect::Log(What::Repaired, record.ok, 0, Reason::EnvironmentLost);
    if booted == record.ok {
        let mut effects = vec![Effect::SetConfirmed(booted), Effect::ForgetFailed, log];
        if record.repaired {
            effects.insert(0, write(Record { repaired: false, ..record.clone() }));
        }
        return effects;
    }
    if !record.repaired && is_trusted(record, record.ok) {
        let repaired = Record { repaired: true, ..record.clone() };
        return vec![Effect::SetConfirmed(record.ok), Effect::ForgetFailed, write(repaired), log, Effect::Reboot];
    }
    let adopted = Record { ok: booted, repaired: false, ..record.clone() };
    vec![write(adopted), Effect::SetConfirmed(booted), Effect::ForgetFailed]
}

/// Whether a slot may be the confirmed one.
fn is_trusted(record: &Record, slot: Slot) -> bool {
    matches!(record.image(slot).state, ImageState::Good | ImageState::Valid | ImageState::Unknown)
}

/// Both are there.
struct Found<'a> {
    record: &'a Record,
    view: &'a View,
    booted: Slot,
    now: u64,
}

impl Found<'_> {
    /// Nothing is on trial, and both name the same slot.
    fn settled(&self) -> Boot {
        let Self { record, view, booted, .. } = *self;
        if booted != record.ok && view.spent && !record.repaired && is_trusted(record, record.ok) {
            // A boot loader that counts each boot, and one was cut: that says nothing about the slot.
            return self.contradicted();
        }
        if booted != record.ok {
            return self.fallen_through();
        }
        let mut effects = Vec::new();
        if record.repaired {
            effects.push(write(Record { repaired: false, ..record.clone() }));
        }
        if view.failed.is_some() {
            effects.push(Effect::ForgetFailed);
        }
        Boot { verdict: Verdict::Ordinary, effects }
    }

    /// Step E2: the confirmed slot cannot be read, and the boot loader took the other.
    fn fallen_through(&self) -> Boot {
        let Self { record, booted, .. } = *self;
        let verdict = Verdict::Degraded(record.ok);
        if !is_trusted(record, booted) {
            // Not to be confirmed, but all there is.
            return Boot { verdict, effects: vec![] };
        }
        let mut next = Record { ok: booted, repaired: false, last_reason: Reason::Unreadable, ..record.clone() };
        next.image_mut(record.ok).state = ImageState::Bad;
        let log = Effect::Log(What::Degraded, record.ok, 0, Reason::Unreadable);
        Boot { verdict, effects: vec![write(next), Effect::SetConfirmed(booted), log] }
    }

    /// Nothing is on trial, and they name different slots: the record counts.
    fn contradicted(&self) -> Boot {
        let effects = restore(self.record, self.booted);
        let restored = effects.contains(&Effect::SetConfirmed(self.record.ok));
        let verdict = if restored { Verdict::Repaired } else { Verdict::Degraded(self.record.ok) };
        Boot { verdict, effects }
    }

    /// The boot loader tries a slot, and the record knows of no trial.
    fn unmeant(&self, trial: Trial) -> Boot {
        let Self { record, booted, .. } = *self;
        let target = trial.slot;
        if target == record.ok {
            return self.contradicted();
        }
        if booted == target && matches!(record.image(target).state, ImageState::Valid | ImageState::Good) {
            let mut next = record.clone();
            (next.trial, next.left, next.max) = (Some(target), trial.left, trial.left);
            return Boot { verdict: Verdict::Trial(target, trial.left), effects: vec![write(next)] };
        }
        let mut effects = vec![Effect::SetConfirmed(record.ok), Effect::ForgetFailed];
        if booted == target {
            effects.push(Effect::Reboot);
        }
        Boot { verdict: Verdict::Repaired, effects }
    }

    /// Both have the same slot on trial.
    fn on_trial(&self, trial: Trial, commit_point: CommitPoint) -> Boot {
        let Self { record, booted, .. } = *self;
        let Trial { slot: target, left } = trial;
        if record.last_reason == Reason::Cancelled {
            let mut effects = vec![
                Effect::SetConfirmed(record.ok),
                write(called_off(record, Reason::Cancelled)),
                Effect::ForgetFailed,
            ];
            if booted == target {
                effects.push(Effect::Reboot);
            }
            return Boot { verdict: Verdict::Ordinary, effects };
        }
        if booted == target {
            let log = Effect::Log(What::Tried, target, left, Reason::None);
            return Boot { verdict: Verdict::Trial(target, left), effects: vec![log] };
        }
        if left == 0 || commit_point == CommitPoint::Record {
            return self.rolled_back(target, Reason::TriesSpent);
        }
        if left < record.max {
            // A try was spent and the other slot runs: some boot loaders go on with that when they cannot load one.
            return self.rolled_back(target, Reason::Unreadable);
        }
        // It was to be this slot and is not: a boot loader that cannot count does not begin.
        let next = called_off(record, Reason::NotStarted);
        let log = Effect::Log(What::RolledBack, target, left, Reason::NotStarted);
        Boot {
            verdict: Verdict::RolledBack(target, Reason::NotStarted),
            effects: vec![write(next), Effect::SetConfirmed(record.ok), Effect::ForgetFailed, log],
        }
    }

    /// The boot loader has the slot on trial confirmed.
    fn confirmed(&self, target: Slot) -> Boot {
        let Self { record, booted, now, .. } = *self;
        if booted == target {
            let log = Effect::Log(What::Committed, target, 0, Reason::None);
            let effects = vec![write(committed(record, target, now)), log];
            return Boot { verdict: Verdict::Committed(target), effects };
        }
        self.rolled_back(target, Reason::Unreadable)
    }

    /// The boot loader knows of no trial, and has the former slot confirmed.
    fn gone(&self, target: Slot) -> Boot {
        let Self { record, view, booted, .. } = *self;
        if booted == target {
            // The confirmed one cannot be read, and this one may yet prove itself.
            return Boot { verdict: Verdict::Degraded(record.ok), effects: vec![] };
        }
        if record.last_reason == Reason::Cancelled {
            let effects = vec![write(called_off(record, Reason::Cancelled)), Effect::ForgetFailed];
            return Boot { verdict: Verdict::Ordinary, effects };
        }
        if view.failed == Some(target) {
            return self.rolled_back(target, Reason::TriesSpent);
        }
        Boot { verdict: Verdict::Prepared(target), effects: vec![] }
    }

    /// Step R1. Whoever gave it up wrote why; else it is for this reason.
    fn rolled_back(&self, target: Slot, reason: Reason) -> Boot {
        let record = self.record;
        let reason = if record.last_reason == Reason::None { reason } else { record.last_reason };
        let log = Effect::Log(What::RolledBack, target, 0, reason);
        let next = rolled_back(record, target, reason);
        Boot {
            verdict: Verdict::RolledBack(target, reason),
            effects: vec![write(next), Effect::SetConfirmed(record.ok), Effect::ForgetFailed, log],
        }
    }
}
