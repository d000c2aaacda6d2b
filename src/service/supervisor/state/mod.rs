//! The lifecycle of all components as one pure machine: an event and the time in, effects out.
//!
//! It owns every component because the decisions span them: who waits for whom, who restarts with whom.
//! An event costs what it touches: the component, its neighbours, the questions that track it.

mod advance;
mod blame;
mod event;
mod order;
mod orders;
mod settle;
mod steps;
mod tally;
mod unit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use event::{Effect, End, Event, Life, NotStarted, Order, Question, Surroundings, Ticket};
pub(super) use orders::Ask;

use super::desired::DesiredSet;
use super::handle::{ComponentNews, ComponentStatus};
use crate::wire::name::ComponentName;
use blame::Blame;
use unit::{Phase, Unit};

/// Every component that is wanted, and every one that is not wanted any more but not gone yet.
#[derive(Debug, Default)]
pub(super) struct Machine {
    units: BTreeMap<ComponentName, Unit>,
    /// Who has a HARD dependency on whom, by wish or by what still runs.
    dependents: BTreeMap<ComponentName, BTreeSet<ComponentName>>,
    set: DesiredSet,
    surroundings: Arc<Surroundings>,
    alarms: BTreeMap<(Instant, Ticket, Alarm), ComponentName>,
    /// Units that may be able to go on.
    stirred: VecDeque<ComponentName>,
    /// Units whose settlement may have changed.
    moved: BTreeSet<ComponentName>,
    questions: BTreeMap<Question, settle::Open>,
    effects: Vec<Effect>,
    last_number: u64,
    mode: Mode,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Mode {
    #[default]
    Open,
    /// All go to rest; those before the cursor are known to rest already.
    Closing {
        cursor: Option<ComponentName>,
    },
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Alarm {
    /// The step in hand has taken too long.
    Timeout,
    /// The Run process has lived long enough to count as settled.
    Steady,
}

impl Machine {
    /// A Run process counts as settled when it has lived this long. The reference nucleus looks once a second, and
    /// so sees a script that fails at once three times as BROKEN, not as RUNNING; this is what remains of that second.
    pub(super) const STEADY: Duration = Duration::from_millis(250);

    /// Decides what follows from what happened.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        match event {
            Event::Begun { name, ticket, pid } => self.begun(&name, ticket, pid, now),
            Event::Skipped { name, ticket } => self.step_over(&name, ticket, &steps::Over::Skipped, now),
            Event::NotStarted { name, ticket, why } => {
                self.step_over(&name, ticket, &steps::Over::NotStarted(why), now);
            }
            Event::Exited { name, ticket, end } => self.step_over(&name, ticket, &steps::Over::Exited(end), now),
            Event::TreeEnded { name, ticket } => self.tree_ended(&name, ticket),
            Event::Reported { name, state } => self.reported(&name, state, now),
            Event::Tick => self.ring(now),
        }
        self.finish(now)
    }

    /// When `Tick` is due, if nothing happens before.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first_key_value().map(|((due, _, _), _)| *due)
    }

    /// Whether an answer with this ticket is still awaited.
    pub(super) fn awaits(&self, name: &ComponentName, ticket: Ticket) -> bool {
        self.units.get(name).and_then(Unit::hand).is_some_and(|hand| hand.ticket == ticket)
    }

    /// Whether the component is wanted, or on its way out.
    pub(super) fn knows(&self, name: &ComponentName) -> bool {
        self.units.contains_key(name)
    }

    pub(super) fn is_paused(&self, name: &ComponentName) -> bool {
        self.units.get(name).is_some_and(|unit| unit.paused)
    }

    pub(super) fn statuses(&self) -> BTreeMap<ComponentName, ComponentStatus> {
        self.units.iter().map(|(name, unit)| (name.clone(), status_of(unit))).collect()
    }

    /// Components that may have living processes.
    pub(super) fn populated(&self) -> Vec<ComponentName> {
        self.units.iter().filter(|(_, unit)| unit.populated).map(|(name, _)| name.clone()).collect()
    }

    /// Lets every stirred unit go on as far as it can, answers who asked, hands out the effects.
    fn finish(&mut self, now: Instant) -> Vec<Effect> {
        while let Some(name) = self.stirred.pop_front() {
            self.advance(&name, now);
        }
        self.answer_questions(now);
        self.close_if_at_rest();
        std::mem::take(&mut self.effects)
    }

    fn ring(&mut self, now: Instant) {
        while let Some(entry) = self.alarms.first_entry()
            && entry.key().0 <= now
        {
            let ((_, ticket, alarm), name) = entry.remove_entry();
            match alarm {
                Alarm::Timeout => self.step_over(&name, ticket, &steps::Over::TimedOut, now),
                Alarm::Steady => {
                    self.moved.insert(name);
                }
            }
        }
    }

    /// The one place where a phase changes: news, alarms and neighbours follow from it.
    fn enter(&mut self, name: &ComponentName, phase: Phase, blame: Blame) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let (from, was_bearable) = (unit.state(), unit.is_bearable());
        if let Some(hand) = unit.hand()
            && let Some(deadline) = hand.deadline
        {
            self.alarms.remove(&(deadline, hand.ticket, Alarm::Timeout));
        }
        unit.phase = phase;
        if let Some(hand) = unit.hand()
            && let Some(deadline) = hand.deadline
        {
            self.alarms.insert((deadline, hand.ticket, Alarm::Timeout), name.clone());
        }
        unit.blame = blame;
        if unit.paused && !matches!(unit.phase, Phase::Running { .. }) {
            unit.paused = false;
            self.effects.push(Effect::Thaw(name.clone()));
        }
        let (to, is_bearable) = (unit.state(), unit.is_bearable());
        if from != to {
            self.effects.push(Effect::Tell(ComponentNews {
                name: name.clone(),
                version: unit.current().version.clone(),
                from,
                to,
                status_code: unit.blame.code,
                reason: unit.blame.reason.clone(),
            }));
        }
        self.moved.insert(name.clone());
        self.stir(name);
        self.stir_dependents(name, was_bearable && !is_bearable);
    }

    fn stir(&mut self, name: &ComponentName) {
        self.stirred.push_back(name.clone());
    }

    /// Tells the dependents that something changed; those that run on what was lost go back and wait.
    fn stir_dependents(&mut self, name: &ComponentName, lost: bool) {
        let Some(dependents) = self.dependents.get(name) else { return };
        let place = self.units.get(name).map_or(0, |unit| unit.place);
        let mut to_stir = Vec::new();
        for dependent in dependents {
            let Some(unit) = self.units.get_mut(dependent) else { continue };
            let runs_on_it = unit.place > place && unit.held.as_ref().is_some_and(|held| held.needs.contains(name));
            if lost && runs_on_it && !unit.is_going() {
                unit.want(&[unit::Want::Installed, unit::Want::Running]);
                to_stir.push(dependent.clone());
            } else if matches!(unit.phase, Phase::Installed) {
                to_stir.push(dependent.clone());
            }
        }
        self.stirred.extend(to_stir);
    }

    /// Fits the lists of dependents to what the unit wants and holds now.
    fn relink(&mut self, name: &ComponentName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let mut needs = unit::needs_of(&unit.wanted);
        if let Some(held) = &unit.held {
            needs.extend(held.needs.iter().cloned());
        }
        let before = std::mem::replace(&mut unit.linked, needs.clone());
        for lost in before.difference(&needs) {
            if let Some(dependents) = self.dependents.get_mut(lost) {
                dependents.remove(name);
                if dependents.is_empty() {
                    self.dependents.remove(lost);
                }
            }
        }
        for gained in needs.difference(&before) {
            self.dependents.entry(gained.clone()).or_default().insert(name.clone());
        }
        // A dependency on its way out may have waited for this unit alone.
        self.stirred.extend(before);
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn close_if_at_rest(&mut self) {
        use std::ops::Bound::{Included, Unbounded};
        let Mode::Closing { cursor } = &self.mode else { return };
        let from = cursor.as_ref().map_or(Unbounded, Included);
        let restless = self.units.range((from, Unbounded)).find(|(_, unit)| !unit.is_at_rest());
        self.mode = match restless {
            Some((name, _)) => Mode::Closing { cursor: Some(name.clone()) },
            None => {
                self.effects.push(Effect::Closed);
                Mode::Closed
            }
        };
    }
}

fn status_of(unit: &Unit) -> ComponentStatus {
    ComponentStatus {
        version: unit.current().version.clone(),
        state: unit.state(),
        status_code: unit.blame.code,
        reason: unit.blame.reason.clone(),
        paused: unit.paused,
        pid: unit.hand().and_then(|hand| hand.pid),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod world;
