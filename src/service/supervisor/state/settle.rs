//! Answers who waits for components to reach what was asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::advance::counts;
use super::event::{Effect, Question};
use super::unit::{Phase, needs_of};
use super::{Machine, Mode};
use crate::service::supervisor::handle::Settlement;
use crate::wire::name::ComponentName;

/// A question not answered yet.
#[derive(Debug)]
pub(super) struct Open {
    tracked: BTreeSet<ComponentName>,
    /// Those of the tracked that have not reached what was asked of them.
    missing: BTreeSet<ComponentName>,
}

/// Where one tracked component stands.
enum Verdict {
    OnItsWay,
    Reached,
    /// BROKEN, or waiting for one that is: the name and the reason of that one.
    Broken(ComponentName, String),
}

impl Machine {
    /// Asks to be told when every tracked component has settled, or one is BROKEN; the effect `Answer` tells.
    pub(in crate::service::supervisor) fn settle(
        &mut self,
        question: Question,
        tracked: Vec<ComponentName>,
        now: Instant,
    ) -> Vec<Effect> {
        let tracked: BTreeSet<ComponentName> = tracked.into_iter().collect();
        if tracked.is_empty() && self.mode == Mode::Open {
            // Nothing will ever move, so the answer would never be thought of again.
            self.effects.push(Effect::Answer { question, settlement: Settlement::Reached });
            return self.finish(now);
        }
        self.moved.extend(tracked.iter().cloned());
        self.questions.insert(question, Open { missing: tracked.clone(), tracked });
        self.finish(now)
    }

    /// Nobody waits for the answer any more.
    pub(in crate::service::supervisor) fn withdraw(&mut self, question: Question) {
        self.questions.remove(&question);
    }

    pub(super) fn answer_questions(&mut self, now: Instant) {
        let moved = std::mem::take(&mut self.moved);
        // A question about nothing is answered although nothing moves.
        let idle = moved.is_empty() && self.questions.values().all(|open| !open.tracked.is_empty());
        if self.questions.is_empty() || idle || self.mode != Mode::Open {
            return;
        }
        let gave_up = moved.iter().any(|name| self.units.get(name).is_some_and(|unit| unit.is_given_up()));
        let mut questions = std::mem::take(&mut self.questions);
        questions.retain(|question, open| match self.judge(open, &moved, gave_up, now) {
            None => true,
            Some(settlement) => {
                self.effects.push(Effect::Answer { question: *question, settlement });
                false
            }
        });
        self.questions = questions;
    }

    fn judge(
        &self,
        open: &mut Open,
        moved: &BTreeSet<ComponentName>,
        gave_up: bool,
        now: Instant,
    ) -> Option<Settlement> {
        let mut broken = BTreeMap::new();
        for name in moved.intersection(&open.tracked) {
            match self.verdict(name, now) {
                Verdict::Reached => drop(open.missing.remove(name)),
                Verdict::OnItsWay => drop(open.missing.insert(name.clone())),
                Verdict::Broken(who, reason) => drop(broken.insert(who, reason)),
            }
        }
        if gave_up || !broken.is_empty() {
            // One that broke may hold up others that did not move, and all of them are to be named.
            for name in &open.tracked {
                if let Verdict::Broken(who, reason) = self.verdict(name, now) {
                    broken.insert(who, reason);
                }
            }
        }
        if !broken.is_empty() {
            return Some(Settlement::Broken(broken.into_iter().collect()));
        }
        open.missing.is_empty().then_some(Settlement::Reached)
    }

    fn verdict(&self, name: &ComponentName, now: Instant) -> Verdict {
        let Some(unit) = self.units.get(name) else { return Verdict::Reached };
        match unit.phase {
            _ if unit.is_leaving() => Verdict::OnItsWay,
            Phase::Running { steady_at, .. } if unit.wants.is_empty() && steady_at <= now => Verdict::Reached,
            Phase::Finished if unit.wants.is_empty() => Verdict::Reached,
            Phase::Broken(_) if unit.is_given_up() => Verdict::Broken(name.clone(), unit.blame.reason.clone()),
            Phase::Installed => match self.given_up_below(name) {
                Some((who, reason)) => Verdict::Broken(who, reason),
                None => Verdict::OnItsWay,
            },
            _ => Verdict::OnItsWay,
        }
    }

    /// The BROKEN component that a waiting one waits for, at whatever distance: it will never come.
    fn given_up_below(&self, name: &ComponentName) -> Option<(ComponentName, String)> {
        let mut seen = BTreeSet::new();
        let mut to_see = vec![name.clone()];
        while let Some(name) = to_see.pop() {
            let Some(unit) = self.units.get(&name) else { continue };
            if unit.is_given_up() {
                return Some((name, unit.blame.reason.clone()));
            }
            if !matches!(unit.phase, Phase::Installed) {
                continue;
            }
            for need in needs_of(&unit.wanted) {
                if self.units.get(&need).is_some_and(|dependency| counts(dependency, unit)) && seen.insert(need.clone())
                {
                    to_see.push(need);
                }
            }
        }
        None
    }
}
