//! A world without processes, for the tests of the machine: it does the effects on paper and checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::service::supervisor::desired::{Component, RunWith};
use crate::service::supervisor::handle::{Refused, Settlement};
use crate::wire::lifecycle::{Lifecycle, Step, StepName};
use crate::wire::name::ComponentVersion;
use crate::wire::state::{ComponentState, DependencyType, StatusCode};

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Instant,
    /// Orders to begin that were not answered yet, oldest first.
    pub(super) asked: Vec<Order>,
    /// Living processes of steps.
    pub(super) living: BTreeMap<Ticket, Order>,
    /// Trees whose end was asked for.
    pub(super) trees: Vec<(ComponentName, Ticket)>,
    pub(super) news: Vec<(String, ComponentState, StatusCode, String)>,
    /// Every step ever begun, `name/Step`, in order.
    pub(super) begun: Vec<String>,
    pub(super) answers: BTreeMap<Question, Settlement>,
    pub(super) thawed: Vec<String>,
    pub(super) forgotten: Vec<String>,
    pub(super) limited: Vec<String>,
    pub(super) closed: bool,
    /// Hard dependencies that must be ready when a component runs; checked at each Startup and Run.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            machine: Machine::default(),
            now: Instant::now(),
            asked: Vec::new(),
            living: BTreeMap::new(),
            trees: Vec::new(),
            news: Vec::new(),
            begun: Vec::new(),
            answers: BTreeMap::new(),
            thawed: Vec::new(),
            forgotten: Vec::new(),
            limited: Vec::new(),
            closed: false,
            needs: BTreeMap::new(),
        }
    }

    pub(super) fn apply(&mut self, set: &DesiredSet) {
        self.ask(Ask::Apply(Box::new(set.clone()))).unwrap();
    }

    pub(super) fn ask(&mut self, ask: Ask) -> Result<(), Refused> {
        let effects = self.machine.ask(ask, self.now)?;
        self.take(effects);
        Ok(())
    }

    pub(super) fn on(&mut self, event: Event) {
        let effects = self.machine.on(event, self.now);
        self.take(effects);
    }

    pub(super) fn settle(&mut self, question: Question, tracked: &[&str]) -> Option<&Settlement> {
        let effects = self.machine.settle(question, tracked.iter().map(|text| name(text)).collect(), self.now);
        self.take(effects);
        self.answers.get(&question)
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.on(Event::Tick);
    }

    /// Makes the process of the oldest order not answered yet.
    pub(super) fn begin_next(&mut self) -> Option<(ComponentName, StepName, Ticket)> {
        while !self.asked.is_empty() {
            let order = self.asked.remove(0);
            if !self.machine.awaits(&order.name, order.ticket) {
                continue;
            }
            self.check_may_begin(&order);
            self.begun.push(format!("{}/{}", order.name, order.step));
            let (who, step, ticket) = (order.name.clone(), order.step, order.ticket);
            self.living.insert(ticket, order);
            self.on(Event::Begun { name: who.clone(), ticket, pid: i32::try_from(ticket.0).unwrap() });
            return Some((who, step, ticket));
        }
        None
    }

    /// Makes every process that is asked for and ends every tree, until nothing more is asked.
    pub(super) fn go(&mut self) {
        loop {
            if let Some((who, ticket)) = self.trees.pop() {
                self.end_tree(&who, ticket);
            } else if self.begin_next().is_none() {
                return;
            }
        }
    }

    pub(super) fn end_tree(&mut self, who: &ComponentName, ticket: Ticket) {
        let killed: Vec<Ticket> =
            self.living.iter().filter(|(_, order)| order.name == *who).map(|(ticket, _)| *ticket).collect();
        for ticket in killed {
            self.living.remove(&ticket);
            self.on(Event::Exited { name: who.clone(), ticket, end: End::Signal(15) });
        }
        self.on(Event::TreeEnded { name: who.clone(), ticket });
    }

    /// Ends the living step of a component, then goes as far as possible.
    pub(super) fn exit(&mut self, who: &str, step: StepName, code: i32) {
        let found = self.living.values().find(|order| order.name.as_str() == who && order.step == step);
        let ticket = found.unwrap_or_else(|| panic!("{who}/{step} does not live: {:?}", self.begun)).ticket;
        self.living.remove(&ticket);
        self.on(Event::Exited { name: name(who), ticket, end: End::Code(code) });
        self.go();
    }

    pub(super) fn state(&self, who: &str) -> ComponentState {
        self.machine.statuses()[&name(who)].state
    }

    pub(super) fn reason(&self, who: &str) -> (StatusCode, String) {
        let status = self.machine.statuses().remove(&name(who)).unwrap();
        (status.status_code, status.reason)
    }

    pub(super) fn lives(&self, who: &str, step: StepName) -> bool {
        self.living.values().any(|order| order.name.as_str() == who && order.step == step)
    }

    /// The states a component went through.
    pub(super) fn path(&self, who: &str) -> Vec<ComponentState> {
        self.news.iter().filter(|(name, ..)| name == who).map(|(_, to, ..)| *to).collect()
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Begin(order) => self.asked.push(*order),
                Effect::EndStep { ticket, .. } => drop(self.living.remove(&ticket)),
                Effect::EndTree { name, ticket } => self.trees.push((name, ticket)),
                Effect::Thaw(name) => self.thawed.push(name.to_string()),
                Effect::Limit { name, .. } => self.limited.push(name.to_string()),
                Effect::Forget(name) => {
                    assert!(!self.living.values().any(|order| order.name == name), "{name} left a process");
                    self.forgotten.push(name.to_string());
                }
                Effect::Tell(news) => {
                    assert_ne!(news.from, news.to, "{} is news of nothing", news.name);
                    if news.to == ComponentState::Starting {
                        self.check_needs(news.name.as_str(), &[ComponentState::Running, ComponentState::Finished]);
                    }
                    self.news.push((news.name.to_string(), news.to, news.status_code, news.reason));
                }
                Effect::Answer { question, settlement } => {
                    assert!(self.answers.insert(question, settlement).is_none(), "answered twice");
                }
                Effect::Closed => self.closed = true,
            }
        }
    }

    fn check_may_begin(&self, order: &Order) {
        let twin = self.living.values().find(|other| other.name == order.name && other.step == order.step);
        assert!(twin.is_none(), "two processes of {}/{}", order.name, order.step);
        if !matches!(order.step, StepName::Startup | StepName::Run) {
            return;
        }
        for other in self.living.values().filter(|other| other.name == order.name) {
            let life = (&other.life.component.version, &order.life.component.version);
            assert_eq!(life.0, life.1, "{} runs in two versions", order.name);
        }
        // A dependency that stops may take a component along that is already starting.
        self.check_needs(
            order.name.as_str(),
            &[ComponentState::Running, ComponentState::Finished, ComponentState::Stopping],
        );
    }

    fn check_needs(&self, who: &str, good: &[ComponentState]) {
        let statuses = self.machine.statuses();
        for need in self.needs.get(who).into_iter().flatten() {
            let state = statuses.get(&name(need)).map(|status| status.state);
            assert!(state.is_none_or(|state| good.contains(&state)), "{who} starts while {need} is {state:?}");
        }
    }
}

pub(super) fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

pub(super) fn step(script: &str) -> Step {
    Step { script: script.into(), requires_privilege: false, skipif: None, timeout: None, setenv: BTreeMap::new() }
}

/// A component with the named steps; the version goes into every script.
pub(super) fn component(version: &str, steps: &[StepName], needs: &[&str]) -> Component {
    let mut lifecycle = Lifecycle::default();
    for which in steps {
        let made = Some(Ok(step(&format!("{which} {version}"))));
        match which {
            StepName::Bootstrap => {}
            StepName::Install => lifecycle.install = made,
            StepName::Startup => lifecycle.startup = made,
            StepName::Run => lifecycle.run = made,
            StepName::Shutdown => lifecycle.shutdown = made,
            StepName::Recover => lifecycle.recover = made,
            StepName::Uninstall => lifecycle.uninstall = made,
        }
    }
    Component {
        version: ComponentVersion::parse(version).unwrap(),
        dependencies: needs.iter().map(|need| (name(need), DependencyType::Hard)).collect(),
        lifecycle: Arc::new(lifecycle),
        environment: BTreeMap::new(),
        run_with: RunWith::default(),
    }
}

pub(super) fn set(components: &[(&str, Component)]) -> DesiredSet {
    DesiredSet {
        components: components.iter().map(|(text, component)| (name(text), component.clone())).collect(),
        ..DesiredSet::default()
    }
}
