//! Where a component goes next: its phase against the list of what is wanted of it.

use std::time::Instant;

use super::blame::Blame;
use super::unit::{Held, Phase, Unit, Want, Work, needs_of};
use super::{Life, Machine, Mode};
use crate::wire::name::ComponentName;

impl Machine {
    /// Takes the steps that can be taken now; what must wait stirs the unit again.
    pub(super) fn advance(&mut self, name: &ComponentName, now: Instant) {
        let closing = self.mode != Mode::Open;
        loop {
            let Some(unit) = self.units.get_mut(name) else { return };
            unit.drop_reached();
            let leaving = unit.is_leaving();
            match (&unit.phase, unit.wants.front().copied()) {
                (Phase::New(None), Some(_)) if leaving => return self.leave(name),
                (Phase::New(None), Some(_)) if closing => unit.wants.clear(),
                (Phase::New(None), Some(_)) => return self.install(name, now),
                (Phase::New(Some(Work::Step(_))), want) if leaving || closing || want == Some(Want::New) => {
                    return self.clear_away(name);
                }
                (Phase::Installed, Some(Want::Running)) => {
                    if !self.may_start(name) {
                        return;
                    }
                    return self.start(name, now);
                }
                (Phase::Installed, Some(Want::New)) => self.enter(name, Phase::New(None), Blame::none()),
                (Phase::Installed, Some(Want::Finished)) => self.enter(name, Phase::Finished, Blame::none()),
                (Phase::Starting(_) | Phase::Running { .. }, Some(want)) if want != Want::Running => {
                    if !self.may_stop(name) {
                        return;
                    }
                    return self.stop(name, None);
                }
                (Phase::Finished, Some(Want::Running | Want::Installed)) => {
                    self.enter(name, Phase::Installed, Blame::none());
                }
                (Phase::Finished, Some(Want::New)) => self.enter(name, Phase::New(None), Blame::none()),
                (Phase::Broken(None), Some(Want::New)) => {
                    unit.tally = super::tally::Tally::default();
                    self.enter(name, Phase::New(None), Blame::none());
                }
                (Phase::Broken(None) | Phase::Installed | Phase::Finished, Some(_)) if leaving => {
                    return self.leave(name);
                }
                // Only a new deployment brings it back.
                (Phase::Broken(None), Some(_)) => unit.wants.clear(),
                _ => return,
            }
        }
    }

    /// Fixes what is started, then begins Startup or Run.
    fn start(&mut self, name: &ComponentName, now: Instant) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let life = Life { component: unit.wanted.clone(), surroundings: self.surroundings.clone() };
        unit.held = Some(Held { needs: needs_of(&unit.wanted), life });
        self.relink(name);
        self.enter(name, Phase::Starting(None), Blame::none());
        self.begin_startup(name, now);
    }

    /// Whether every HARD dependency is ready. One that is not in the set is not ours to wait for: the nucleus
    /// itself, a built-in service.
    fn may_start(&self, name: &ComponentName) -> bool {
        let Some(unit) = self.units.get(name) else { return false };
        needs_of(&unit.wanted).iter().all(|need| match self.units.get(need) {
            Some(dependency) if counts(dependency, unit) => dependency.is_ready(),
            _ => true,
        })
    }

    /// Whether no dependent is still to be stopped before this one. Only who goes for good waits.
    fn may_stop(&self, name: &ComponentName) -> bool {
        let Some(unit) = self.units.get(name) else { return false };
        if !unit.is_leaving() && self.mode == Mode::Open {
            return true;
        }
        let Some(dependents) = self.dependents.get(name) else { return true };
        !dependents.iter().filter_map(|dependent| self.units.get(dependent)).any(|dependent| {
            let runs_on_it = dependent.held.as_ref().is_some_and(|held| held.needs.contains(name));
            runs_on_it && dependent.place > unit.place && dependent.is_going()
        })
    }
}

/// Whether a unit waits for this dependency: one that leaves will not become ready, one later in line closes a circle.
pub(super) fn counts(dependency: &Unit, unit: &Unit) -> bool {
    !dependency.is_leaving() && dependency.place < unit.place
}
