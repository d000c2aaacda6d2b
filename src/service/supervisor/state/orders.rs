//! What others ask of the machine: a new set, and stop, restart, pause, close.

use std::sync::Arc;
use std::time::Instant;

use super::event::{Effect, Surroundings};
use super::unit::{Phase, Unit, Want, needs_of};
use super::{Machine, Mode, order};
use crate::service::supervisor::desired::{Component, DesiredSet};
use crate::service::supervisor::handle::Refused;
use crate::service::supervisor::plan::{self, Change};
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// A request that may be refused.
#[derive(Clone, Debug)]
pub(in crate::service::supervisor) enum Ask {
    Apply(Box<DesiredSet>),
    Restart(ComponentName),
    Stop(ComponentName),
    /// Whether it may be frozen now; [`Machine::set_paused`] tells that it was.
    Pause(ComponentName),
    Resume(ComponentName),
    /// Bring everything to rest, dependents first.
    Close,
}

impl Machine {
    pub(in crate::service::supervisor) fn ask(&mut self, ask: Ask, now: Instant) -> Result<Vec<Effect>, Refused> {
        match ask {
            Ask::Close => self.close(),
            _ if self.mode != Mode::Open => return Err(Refused::GoingDown),
            Ask::Apply(set) => self.apply(*set),
            Ask::Restart(name) => self.restart(&name)?,
            Ask::Stop(name) => self.stop_by_order(&name)?,
            Ask::Pause(name) => self.check_running(&name, "only a RUNNING component can be paused")?,
            Ask::Resume(name) => self.check_running(&name, "only a RUNNING component can be resumed")?,
        }
        Ok(self.finish(now))
    }

    /// Notes what the freezer did.
    pub(in crate::service::supervisor) fn set_paused(&mut self, name: &ComponentName, paused: bool) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.paused = paused;
        }
    }

    fn apply(&mut self, set: DesiredSet) {
        let plan = plan::difference(&self.set, &set);
        self.surroundings = Arc::new(Surroundings::of(&set));
        for (name, change) in &plan.changes {
            match set.components.get(name) {
                Some(component) => self.change(name, *change, component),
                None => self.remove(name),
            }
        }
        for (name, limits) in plan.limits {
            if self.units.get(&name).is_some_and(|unit| unit.populated) {
                self.effects.push(Effect::Limit { name, limits });
            }
        }
        self.set = set;
        self.retry_broken();
        self.line_up();
    }

    fn change(&mut self, name: &ComponentName, change: Change, component: &Component) {
        let wanted = Arc::new(component.clone());
        let Some(unit) = self.units.get_mut(name) else {
            self.units.insert(name.clone(), Unit::new(wanted));
            self.relink(name);
            return self.stir(name);
        };
        unit.wanted = wanted;
        match change {
            // `Add` of a component that is still on its way out brings it back.
            Change::Add | Change::Reinstall => {
                unit.tally = super::tally::Tally::default();
                unit.want(&[Want::New, Want::Running]);
            }
            Change::Restart => unit.want_restart(),
            Change::Adopt | Change::Remove => {
                if let Some(held) = &mut unit.held {
                    held.needs = needs_of(&unit.wanted);
                }
            }
        }
        self.relink(name);
        self.stir(name);
    }

    fn remove(&mut self, name: &ComponentName) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.want(&[Want::Finished, Want::Gone]);
            self.stir(name);
        }
    }

    /// A new set is a new try for what had been given up.
    fn retry_broken(&mut self) {
        let broken: Vec<ComponentName> =
            self.units.iter().filter(|(_, unit)| unit.is_given_up()).map(|(name, _)| name.clone()).collect();
        for name in broken {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.want(&[Want::New, Want::Running]);
            }
            self.stir(&name);
        }
    }

    /// Gives every component its place, and lets all go on that may have waited under the old order.
    fn line_up(&mut self) {
        let places = order::places(&self.units.iter().map(|(name, unit)| (name, &unit.linked)).collect());
        for (name, unit) in &mut self.units {
            unit.place = places.get(name).copied().unwrap_or_default();
            if !unit.wants.is_empty() {
                self.stirred.push_back(name.clone());
            }
        }
    }

    fn restart(&mut self, name: &ComponentName) -> Result<(), Refused> {
        let unit = self.present(name)?;
        if let Phase::Broken(_) = unit.phase {
            let why = "it failed too often and starts again only with a new deployment";
            return Err(Refused::WrongState { name: name.clone(), state: ComponentState::Broken, why });
        }
        unit.want_restart();
        self.stir(name);
        Ok(())
    }

    fn stop_by_order(&mut self, name: &ComponentName) -> Result<(), Refused> {
        let unit = self.present(name)?;
        if let Phase::Broken(_) = unit.phase {
            let why = "it does not run";
            return Err(Refused::WrongState { name: name.clone(), state: ComponentState::Broken, why });
        }
        unit.want(&[Want::Finished]);
        self.stir(name);
        Ok(())
    }

    fn close(&mut self) {
        if self.mode != Mode::Open {
            return;
        }
        self.mode = Mode::Closing { cursor: None };
        self.questions.clear();
        let names: Vec<ComponentName> = self.units.keys().cloned().collect();
        for name in names {
            let Some(unit) = self.units.get_mut(&name) else { continue };
            if !unit.is_leaving() {
                unit.want(&[Want::Finished]);
            }
            if let Some(hand) = unit.hand()
                && hand.step == StepName::Recover
            {
                // What it would have mended is not started again.
                self.effects.push(Effect::EndStep { name: name.clone(), ticket: hand.ticket });
                self.recovered(&name);
            }
            self.stir(&name);
        }
    }

    fn check_running(&mut self, name: &ComponentName, why: &'static str) -> Result<(), Refused> {
        let unit = self.present(name)?;
        let state = unit.state();
        if state == ComponentState::Running && !unit.is_going() {
            Ok(())
        } else {
            Err(Refused::WrongState { name: name.clone(), state, why })
        }
    }

    fn present(&mut self, name: &ComponentName) -> Result<&mut Unit, Refused> {
        match self.units.get_mut(name) {
            Some(unit) if !unit.is_leaving() => Ok(unit),
            _ => Err(Refused::Unknown(name.clone())),
        }
    }
}

impl Unit {
    /// A restart does not take back a reinstall that has been asked for but not begun.
    fn want_restart(&mut self) {
        match self.wants.front() {
            Some(Want::New) => self.want(&[Want::New, Want::Running]),
            _ => match self.phase {
                Phase::Broken(_) => self.want(&[Want::New, Want::Running]),
                _ => self.want(&[Want::Installed, Want::Running]),
            },
        }
    }
}
