//! How each step begins, what follows from its end, and what an error leads to.

use std::time::Instant;

use super::blame::Blame;
use super::event::{Effect, End, NotStarted, Order, Ticket};
use super::tally::{Judgement, Origin};
use super::unit::{Hand, Phase, Want, Work};
use super::{Alarm, Life, Machine, Mode};
use crate::wire::lifecycle::{Lifecycle, Step, StepError, StepName};
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Skipped,
    Exited(End),
    NotStarted(NotStarted),
    TimedOut,
}

/// What became of the wish to begin a step.
enum Beginning {
    InHand,
    /// The recipe has no such step.
    Absent,
    NotValid(StepError),
}

impl Machine {
    pub(super) fn install(&mut self, name: &ComponentName, now: Instant) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.touched = true;
        match self.begin(name, StepName::Install) {
            Beginning::InHand => {}
            Beginning::Absent => self.installed(name),
            Beginning::NotValid(error) => self.fail(name, Origin::New, Blame::not_valid(&error), now),
        }
    }

    /// Ends an Install nobody waits for any more.
    pub(super) fn clear_away(&mut self, name: &ComponentName) {
        self.enter(name, Phase::New(None), Blame::none());
        self.end_tree(name);
    }

    pub(super) fn begin_startup(&mut self, name: &ComponentName, now: Instant) {
        match self.begin(name, StepName::Startup) {
            Beginning::InHand => {}
            Beginning::Absent => self.begin_run(name, now),
            Beginning::NotValid(error) => self.fail(name, Origin::Starting, Blame::not_valid(&error), now),
        }
    }

    /// Run is used only where Startup is absent or skipped.
    fn begin_run(&mut self, name: &ComponentName, now: Instant) {
        match self.begin(name, StepName::Run) {
            Beginning::InHand => {}
            Beginning::Absent => self.nothing_to_run(name),
            Beginning::NotValid(error) => self.fail(name, Origin::Starting, Blame::not_valid(&error), now),
        }
    }

    /// Goes to STOPPING with the Shutdown step of what was started.
    pub(super) fn stop(&mut self, name: &ComponentName, after: Option<Origin>) {
        if let Some(unit) = self.units.get_mut(name)
            && after.is_none()
        {
            let left = if matches!(unit.phase, Phase::Starting(_)) { Origin::Starting } else { Origin::Running };
            unit.tally.clear(left);
        }
        self.enter(name, Phase::Stopping { work: None, after }, Blame::none());
        self.shut_down_step(name);
    }

    /// Begins Uninstall, or goes at once if there is nothing to undo.
    pub(super) fn leave(&mut self, name: &ComponentName) {
        let touched = self.units.get(name).is_some_and(|unit| unit.touched);
        self.enter(name, Phase::Uninstalling(None), Blame::none());
        if !touched || !matches!(self.begin(name, StepName::Uninstall), Beginning::InHand) {
            self.end_tree_or_pass(name);
        }
    }

    /// The process of a step lives: from here its time counts.
    pub(super) fn begun(&mut self, name: &ComponentName, ticket: Ticket, pid: i32, now: Instant) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(hand) = unit.hand_mut().filter(|hand| hand.ticket == ticket) else { return };
        let step = hand.step;
        hand.pid = Some(pid);
        hand.deadline = hand.limit.and_then(|limit| now.checked_add(limit));
        if let Some(deadline) = hand.deadline {
            self.alarms.insert((deadline, ticket, Alarm::Timeout), name.clone());
        }
        unit.populated = true;
        if step == StepName::Run
            && let Phase::Starting(hand) = &mut unit.phase
        {
            let hand = hand.take();
            self.enter_running(name, hand, now + Self::STEADY);
            self.alarms.insert((now + Self::STEADY, ticket, Alarm::Steady), name.clone());
        }
    }

    /// A step ended, in whatever way; a ticket nobody holds is an answer to something given up.
    pub(super) fn step_over(&mut self, name: &ComponentName, ticket: Ticket, over: &Over, now: Instant) {
        let Some(unit) = self.units.get(name) else { return };
        let Some(hand) = unit.hand().filter(|hand| hand.ticket == ticket) else { return };
        let step = hand.step;
        let went_well = matches!(over, Over::Skipped | Over::Exited(End::Code(0)));
        let blame = blame_for(hand, over);
        if let Some(deadline) = hand.deadline {
            self.alarms.remove(&(deadline, ticket, Alarm::Timeout));
        }
        if *over == Over::TimedOut {
            self.effects.push(Effect::EndStep { name: name.clone(), ticket });
        }
        let Some(unit) = self.units.get_mut(name) else { return };
        match (step, &mut unit.phase) {
            (StepName::Install, _) if went_well => self.installed(name),
            (StepName::Install, _) => self.fail(name, Origin::New, blame, now),
            (StepName::Startup, Phase::Starting(hand)) if *over == Over::Skipped => {
                *hand = None;
                self.begin_run(name, now);
            }
            (StepName::Startup, Phase::Starting(_)) if went_well => self.enter_running(name, None, now),
            (StepName::Startup, Phase::Running { hand, .. }) if went_well => *hand = None,
            (StepName::Run, Phase::Starting(_)) if went_well => self.nothing_to_run(name),
            (StepName::Run, Phase::Running { .. }) if went_well => self.stop(name, None),
            (StepName::Startup | StepName::Run, Phase::Starting(_)) => self.fail(name, Origin::Starting, blame, now),
            (StepName::Startup | StepName::Run, _) => self.fail(name, Origin::Running, blame, now),
            (StepName::Shutdown, Phase::Stopping { .. }) if *over == Over::TimedOut => {
                self.fail(name, Origin::Stopping, blame, now);
            }
            (StepName::Recover, _) => self.recovered(name),
            // Whatever they answered, the way out goes on.
            (StepName::Shutdown | StepName::Uninstall | StepName::Bootstrap, _) => self.end_tree_or_pass(name),
        }
    }

    /// No process of the component is left.
    pub(super) fn tree_ended(&mut self, name: &ComponentName, ticket: Ticket) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.ending() == Some(ticket) {
            unit.populated = false;
            self.pass(name);
        }
    }

    /// A report from outside; what a state does not accept is dropped, as the reference nucleus does.
    pub(super) fn reported(&mut self, name: &ComponentName, state: ComponentState, now: Instant) {
        let Some(unit) = self.units.get_mut(name) else { return };
        match (&mut unit.phase, state) {
            (Phase::New(Some(Work::Step(_))), ComponentState::Errored) => {
                self.fail(name, Origin::New, Blame::reported(StepName::Install), now);
            }
            (Phase::Starting(hand), ComponentState::Running) => {
                // Only who lives can say so.
                let Some(hand) = hand.take_if(|hand| hand.pid.is_some()) else { return };
                if let Some(deadline) = hand.deadline {
                    // The time limit was for becoming RUNNING.
                    self.alarms.remove(&(deadline, hand.ticket, Alarm::Timeout));
                }
                self.enter_running(name, Some(Hand { deadline: None, ..hand }), now);
            }
            (Phase::Starting(_), ComponentState::Errored) => {
                self.fail(name, Origin::Starting, Blame::reported(StepName::Startup), now);
            }
            (Phase::Running { .. }, ComponentState::Errored) => {
                self.fail(name, Origin::Running, Blame::reported(StepName::Run), now);
            }
            (Phase::Starting(_) | Phase::Running { .. }, ComponentState::Finished) => self.stop(name, None),
            // Once the tree is being ended its end is awaited: what began meanwhile would be ended with it.
            (Phase::Stopping { work: Some(Work::Step(_)), .. }, ComponentState::Errored) => {
                self.fail(name, Origin::Stopping, Blame::reported(StepName::Shutdown), now);
            }
            _ => {}
        }
    }

    fn installed(&mut self, name: &ComponentName) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.tally.clear(Origin::New);
        }
        self.enter(name, Phase::Installed, Blame::none());
    }

    fn enter_running(&mut self, name: &ComponentName, hand: Option<Hand>, steady_at: Instant) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.tally.clear(Origin::Starting);
        }
        self.enter(name, Phase::Running { hand, steady_at }, Blame::none());
    }

    /// A component with neither Startup nor Run, or with both skipped, has done all it ever does.
    fn nothing_to_run(&mut self, name: &ComponentName) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.tally.clear(Origin::Starting);
            if unit.wants.front() == Some(&Want::Running) {
                unit.wants.pop_front();
            }
        }
        self.enter(name, Phase::Finished, Blame::none());
        self.let_go(name);
    }

    /// ERRORED, or BROKEN at the third error in a row.
    pub(super) fn fail(&mut self, name: &ComponentName, origin: Origin, blame: Blame, now: Instant) {
        let open = self.mode == Mode::Open;
        let Some(unit) = self.units.get_mut(name) else { return };
        let reset = unit.current().lifecycle.error_reset_time;
        if open && unit.tally.add(origin, now, reset) == Judgement::Broken {
            if unit.wants.front() != Some(&Want::New) && !unit.is_leaving() {
                unit.wants.clear();
            }
            self.enter(name, Phase::Broken(None), blame.at_last());
            return match origin {
                Origin::Starting | Origin::Running => self.shut_down_step(name),
                Origin::New | Origin::Stopping => self.end_tree_or_pass(name),
            };
        }
        if unit.wants.is_empty() && origin != Origin::Stopping {
            unit.want(&[Want::Running]);
        }
        self.enter(name, Phase::Errored { origin, work: None }, blame);
        if !open || !matches!(self.begin(name, StepName::Recover), Beginning::InHand) {
            self.recovered(name);
        }
    }

    pub(super) fn recovered(&mut self, name: &ComponentName) {
        let Some(Phase::Errored { origin, .. }) = self.units.get(name).map(|unit| &unit.phase) else { return };
        match *origin {
            from @ (Origin::Starting | Origin::Running) => self.stop(name, Some(from)),
            Origin::New | Origin::Stopping => self.end_tree_or_pass(name),
        }
    }

    fn shut_down_step(&mut self, name: &ComponentName) {
        if !matches!(self.begin(name, StepName::Shutdown), Beginning::InHand) {
            self.end_tree_or_pass(name);
        }
    }

    /// Has the tree ended; where no process was ever made, that has happened.
    fn end_tree_or_pass(&mut self, name: &ComponentName) {
        if self.units.get(name).is_some_and(|unit| unit.populated) {
            self.end_tree(name);
        } else {
            self.pass(name);
        }
    }

    fn end_tree(&mut self, name: &ComponentName) {
        let ticket = Ticket(self.number());
        if let Some(unit) = self.units.get_mut(name) {
            unit.set_work(Work::Tree(ticket));
            self.effects.push(Effect::EndTree { name: name.clone(), ticket });
        }
    }

    /// From a phase whose processes have all ended to the next.
    fn pass(&mut self, name: &ComponentName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let landing = || match unit.wants.front() {
            Some(Want::Running | Want::Installed) => Phase::Installed,
            Some(Want::New) => Phase::New(None),
            Some(Want::Finished | Want::Gone) | None => Phase::Finished,
        };
        let blame = unit.blame.clone();
        match &unit.phase {
            Phase::New(_) | Phase::Errored { origin: Origin::New, .. } => {
                self.enter(name, Phase::New(None), Blame::none());
            }
            Phase::Stopping { .. } | Phase::Errored { .. } => {
                let next = landing();
                self.enter(name, next, Blame::none());
            }
            Phase::Broken(_) => self.enter(name, Phase::Broken(None), blame),
            Phase::Uninstalling(_) if unit.is_leaving() => return self.gone(name),
            // Wanted again while it was uninstalled.
            Phase::Uninstalling(_) => self.enter(name, Phase::New(None), Blame::none()),
            Phase::Installed | Phase::Starting(_) | Phase::Running { .. } | Phase::Finished => return,
        }
        self.let_go(name);
    }

    /// Its processes have ended: what was held for them is not needed any more.
    fn let_go(&mut self, name: &ComponentName) {
        if self.units.get_mut(name).is_some_and(|unit| unit.held.take().is_some()) {
            self.relink_after_end(name);
        }
    }

    fn relink_after_end(&mut self, name: &ComponentName) {
        self.relink(name);
        self.stir(name);
    }

    fn gone(&mut self, name: &ComponentName) {
        let Some(unit) = self.units.remove(name) else { return };
        for need in &unit.linked {
            if let Some(dependents) = self.dependents.get_mut(need) {
                dependents.remove(name);
                if dependents.is_empty() {
                    self.dependents.remove(need);
                }
            }
            self.stir(need);
        }
        self.moved.insert(name.clone());
        self.effects.push(Effect::Forget(name.clone()));
        self.stir_dependents(name, false);
    }

    /// Puts a step in hand, if the component has it.
    fn begin(&mut self, name: &ComponentName, step: StepName) -> Beginning {
        let ticket = Ticket(self.number());
        let Some(unit) = self.units.get_mut(name) else { return Beginning::Absent };
        let life = match &unit.held {
            Some(held) => held.life.clone(),
            None => Life { component: unit.wanted.clone(), surroundings: self.surroundings.clone() },
        };
        let what = match step_of(&life.component.lifecycle, step) {
            None => return Beginning::Absent,
            Some(Err(error)) => return Beginning::NotValid(error.clone()),
            Some(Ok(what)) => what.clone(),
        };
        unit.set_work(Work::Step(Hand {
            ticket,
            step,
            pid: None,
            limit: what.timeout.or(step.default_timeout()),
            deadline: None,
        }));
        let state = unit.state();
        self.effects.push(Effect::Begin(Box::new(Order { name: name.clone(), ticket, step, what, life, state })));
        Beginning::InHand
    }
}

fn blame_for(hand: &Hand, over: &Over) -> Blame {
    match over {
        Over::Skipped => Blame::none(),
        Over::Exited(end) => Blame::exit(hand.step, *end),
        Over::NotStarted(why) => Blame::not_started(hand.step, why),
        Over::TimedOut => Blame::timeout(hand.step, hand.limit.unwrap_or_default()),
    }
}

fn step_of(lifecycle: &Lifecycle, step: StepName) -> Option<Result<&Step, &StepError>> {
    match step {
        StepName::Bootstrap => {
            lifecycle.bootstrap.as_ref().map(|found| found.as_ref().map(|bootstrap| &bootstrap.step))
        }
        StepName::Install => lifecycle.install.as_ref().map(Result::as_ref),
        StepName::Startup => lifecycle.startup.as_ref().map(Result::as_ref),
        StepName::Run => lifecycle.run.as_ref().map(Result::as_ref),
        StepName::Shutdown => lifecycle.shutdown.as_ref().map(Result::as_ref),
        StepName::Recover => lifecycle.recover.as_ref().map(Result::as_ref),
        StepName::Uninstall => lifecycle.uninstall.as_ref().map(Result::as_ref),
    }
}
