//! The loop: owns the machine, does its effects, waits for processes, time and requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::admit::admit;
use super::bootstrap::{self, Bootstrap};
use super::environment::Identity;
use super::handle::{BootstrapFault, ComponentNews, Handle, Refused, Request, Settlement};
use super::jail::{Running, StepId};
use super::rim::{self, Begun, Rim, ToBegin};
use super::state::{Ask, Effect, Event, Life, Machine, NotStarted, Order, Question, Surroundings, Ticket};
use super::tokens::Tokens;
use super::{Component, DesiredSet};
use crate::base::report::Report;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// How long a component's processes get between SIGTERM and SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long everything may take to stop when the daemon goes down; what is left then is killed.
const CLOSING: Duration = Duration::from_secs(30);

/// How long killed processes may take to be gone before we leave without having seen it.
const KILLING: Duration = Duration::from_secs(10);

/// How often thawing is tried before the component is restarted instead.
const THAWS: usize = 3;

pub(super) struct Task {
    machine: Machine,
    rim: Rim,
    tokens: Tokens,
    requests: mpsc::Receiver<Request>,
    news: broadcast::Sender<ComponentNews>,
    /// Everything awaited: one entry per living step and per tree being ended.
    jobs: JoinSet<Done>,
    /// Steps to begin, one per turn of the loop: making a process blocks for milliseconds.
    to_begin: VecDeque<Box<Order>>,
    living: BTreeMap<Ticket, StepId>,
    askers: BTreeMap<Question, oneshot::Sender<Settlement>>,
    last_question: Question,
    /// What the last set gives to steps outside of it.
    surroundings: Surroundings,
    bootstraps: BTreeSet<ComponentName>,
    course: Course,
    /// The machine has come to its end.
    at_rest: bool,
}

/// Whether the daemon goes on.
#[derive(Debug)]
enum Course {
    On,
    Closing { deadline: Instant, closers: Vec<oneshot::Sender<()>> },
}

/// What an awaited thing says when it is over.
#[derive(Debug)]
enum Done {
    Event(Event),
    /// A step's directories are ready for it, or cannot be.
    Prepared {
        order: Box<Order>,
        result: Result<(), NotStarted>,
    },
    BootstrapPrepared {
        order: bootstrap::Order,
        result: Result<(), NotStarted>,
    },
    /// A process set that had been given up is gone.
    StepEnded,
    Bootstrapped {
        name: ComponentName,
    },
}

impl Task {
    pub(super) fn new(
        rim: Rim,
        identity: Identity,
        requests: mpsc::Receiver<Request>,
        news: broadcast::Sender<ComponentNews>,
    ) -> Self {
        Self {
            machine: Machine::default(),
            rim,
            tokens: Tokens::default(),
            requests,
            news,
            jobs: JoinSet::new(),
            to_begin: VecDeque::new(),
            living: BTreeMap::new(),
            askers: BTreeMap::new(),
            last_question: 0,
            surroundings: Surroundings { identity, ..Surroundings::default() },
            bootstraps: BTreeSet::new(),
            course: Course::On,
            at_rest: false,
        }
    }

    /// Ends when all components rest after a request to shut down, or after the last handle is gone.
    pub(super) async fn run(mut self) {
        loop {
            let alarm = self.machine.next_alarm().map(Instant::from_std);
            let deadline = match &self.course {
                Course::On => None,
                Course::Closing { deadline, .. } => Some(*deadline),
            };
            tokio::select! {
                request = self.requests.recv(), if !self.requests.is_closed() || deadline.is_none() => {
                    match request {
                        Some(request) => self.take(request),
                        None => self.close(None),
                    }
                }
                Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => self.done(done),
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => self.on(Event::Tick),
                () = std::future::ready(()), if !self.to_begin.is_empty() => {
                    self.begin_next();
                    tokio::task::yield_now().await;
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => self.at_rest = true,
            }
            if self.at_rest {
                return self.leave().await;
            }
        }
    }

    fn take(&mut self, request: Request) {
        // An asker that has gone away does not need the answer.
        match request {
            Request::Apply { set, reply } => {
                if self.apply(set).is_ok() {
                    let _ = reply.send(());
                }
            }
            Request::Settled { tracked, reply } => self.settle(tracked, reply),
            Request::Bootstrap { name, component, reply } => self.bootstrap(name, *component, reply),
            Request::Restart { name, reply } => drop(reply.send(self.ask(Ask::Restart(name)))),
            Request::Stop { name, reply } => drop(reply.send(self.ask(Ask::Stop(name)))),
            Request::Pause { name, reply } => drop(reply.send(self.pause(&name))),
            Request::Resume { name, reply } => drop(reply.send(self.resume(&name))),
            Request::Report { name, state, reply } => drop(reply.send(self.report(name, state))),
            Request::Components { reply } => drop(reply.send(self.machine.statuses())),
            Request::ComponentOf { token, reply } => drop(reply.send(self.tokens.component_of(&token).cloned())),
            Request::Admit { token, peer, reply } => {
                drop(reply.send(admit(&self.tokens, &self.rim.jail, &token, peer)));
            }
            Request::ShutDown { reply } => self.close(Some(reply)),
        }
    }

    fn done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Event(event)) => {
                if let Event::Exited { ticket, .. } = &event {
                    self.living.remove(ticket);
                }
                self.on(event);
            }
            Ok(Done::Prepared { order, result: Ok(()) }) => self.to_begin.push_back(order),
            Ok(Done::Prepared { order, result: Err(why) }) => {
                self.on(Event::NotStarted { name: order.name, ticket: order.ticket, why });
            }
            Ok(Done::BootstrapPrepared { order, result }) => self.begin_bootstrap(order, result),
            Ok(Done::Bootstrapped { name }) => {
                self.bootstraps.remove(&name);
                if !self.machine.knows(&name) {
                    self.forget(&name);
                }
            }
            // A job is never aborted, and a panic ends the daemon.
            Ok(Done::StepEnded) | Err(_) => {}
        }
    }

    /// Refused when going down: the next start gets the set again.
    fn apply(&mut self, set: Box<DesiredSet>) -> Result<(), Refused> {
        self.surroundings = Surroundings::of(&set);
        self.ask(Ask::Apply(set))
    }

    fn settle(&mut self, tracked: Vec<ComponentName>, reply: oneshot::Sender<Settlement>) {
        for (question, _) in self.askers.extract_if(.., |_, asker| asker.is_closed()) {
            self.machine.withdraw(question);
        }
        if !matches!(self.course, Course::On) {
            return;
        }
        self.last_question += 1;
        self.askers.insert(self.last_question, reply);
        let effects = self.machine.settle(self.last_question, tracked, now());
        self.act(effects);
    }

    fn ask(&mut self, ask: Ask) -> Result<(), Refused> {
        let effects = self.machine.ask(ask, now())?;
        self.act(effects);
        Ok(())
    }

    fn pause(&mut self, name: &ComponentName) -> Result<(), Refused> {
        self.ask(Ask::Pause(name.clone()))?;
        let cannot = |why| Refused::CannotPause { name: name.clone(), why };
        self.rim.jail.freeze(name).map_err(|error| cannot(Report(&error).to_string()))?;
        self.machine.set_paused(name, true);
        Ok(())
    }

    /// A component that cannot be thawed is restarted: it must not stay frozen for ever.
    fn resume(&mut self, name: &ComponentName) -> Result<(), Refused> {
        self.ask(Ask::Resume(name.clone()))?;
        if !self.machine.is_paused(name) {
            return Ok(());
        }
        if (0..THAWS).any(|_| self.rim.jail.thaw(name).is_ok()) {
            self.machine.set_paused(name, false);
            return Ok(());
        }
        tracing::warn!(component = %name, "The component cannot be resumed and is restarted.");
        self.ask(Ask::Restart(name.clone()))
    }

    fn report(&mut self, name: ComponentName, state: ComponentState) -> Result<(), Refused> {
        if !self.machine.knows(&name) {
            return Err(Refused::Unknown(name));
        }
        if !matches!(state, ComponentState::Running | ComponentState::Errored) {
            return Err(Refused::WrongState { name, state, why: "only RUNNING and ERRORED can be reported" });
        }
        self.on(Event::Reported { name, state });
        Ok(())
    }

    fn bootstrap(
        &mut self,
        name: ComponentName,
        component: Component,
        reply: oneshot::Sender<Result<i32, BootstrapFault>>,
    ) {
        self.bootstraps.insert(name.clone());
        let life = Life { component: Arc::new(component), surroundings: Arc::new(self.surroundings.clone()) };
        self.begin_bootstrap(bootstrap::Order { name, life, reply }, Ok(()));
    }

    /// The asker hears that the daemon goes down when its order is dropped unanswered.
    fn begin_bootstrap(&mut self, order: bootstrap::Order, ready: Result<(), NotStarted>) {
        let token = self.tokens.of(&order.name);
        let begun = match ready {
            Ok(()) => bootstrap::begin(&self.rim, &order.name, &order.life, &token),
            Err(why) => Ok(Bootstrap::not_started(why)),
        };
        let jail = self.rim.jail.clone();
        match begun {
            Err(unprepared) => drop(self.jobs.spawn(async move {
                let result = rim::prepare(unprepared).await;
                Done::BootstrapPrepared { order, result }
            })),
            Ok(begun) => drop(self.jobs.spawn(async move {
                let bootstrap::Order { name, reply, .. } = order;
                let _ = reply.send(bootstrap::finish(begun, &jail, &name).await);
                Done::Bootstrapped { name }
            })),
        }
    }

    fn on(&mut self, event: Event) {
        let effects = self.machine.on(event, now());
        self.act(effects);
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Begin(order) => self.to_begin.push_back(order),
                Effect::EndStep { name, ticket } => self.end_step(name, ticket),
                Effect::EndTree { name, ticket } => self.end_tree(name, ticket),
                Effect::Thaw(name) => {
                    if let Err(error) = self.rim.jail.thaw(&name) {
                        tracing::warn!(component = %name, error = %Report(&error), "Cannot thaw the component before it stops.");
                    }
                }
                Effect::Limit { name, limits } => {
                    if let Err(error) = self.rim.jail.set_limits(&name, limits) {
                        tracing::warn!(component = %name, error = %Report(&error), "Cannot apply the resource limits.");
                    }
                }
                Effect::Forget(name) => {
                    if !self.bootstraps.contains(&name) {
                        self.forget(&name);
                    }
                }
                Effect::Tell(news) => self.tell(news),
                Effect::Answer { question, settlement } => {
                    if let Some(asker) = self.askers.remove(&question) {
                        let _ = asker.send(settlement);
                    }
                }
                Effect::Closed => self.at_rest = true,
            }
        }
    }

    /// Begins the next step that is still wanted.
    fn begin_next(&mut self) {
        let Some(order) = self.to_begin.pop_front() else { return };
        if !self.machine.awaits(&order.name, order.ticket) {
            return;
        }
        let token = self.tokens.of(&order.name);
        let Order { name, ticket, step, what, life, state } = &*order;
        let begun = self.rim.begin(&ToBegin { name, step: *step, what, life, state: *state, token: &token });
        let (name, ticket) = (name.clone(), *ticket);
        match begun {
            Begun::Unprepared(unprepared) => drop(self.jobs.spawn(async move {
                let result = rim::prepare(unprepared).await;
                Done::Prepared { order, result }
            })),
            Begun::Living(running) => {
                let pid = running.pid;
                self.watch(name.clone(), ticket, running);
                self.on(Event::Begun { name, ticket, pid });
            }
            Begun::Skipped => self.on(Event::Skipped { name, ticket }),
            Begun::NotStarted(why) => self.on(Event::NotStarted { name, ticket, why }),
        }
    }

    fn watch(&mut self, name: ComponentName, ticket: Ticket, running: Running) {
        self.living.insert(ticket, running.id);
        self.jobs.spawn(async move {
            let end = running.wait().await.into();
            Done::Event(Event::Exited { name, ticket, end })
        });
    }

    fn end_step(&mut self, name: ComponentName, ticket: Ticket) {
        let Some(step) = self.living.get(&ticket).copied() else { return };
        let jail = self.rim.jail.clone();
        self.jobs.spawn(async move {
            jail.end_step(&name, step, GRACE).await;
            Done::StepEnded
        });
    }

    fn end_tree(&mut self, name: ComponentName, ticket: Ticket) {
        let jail = self.rim.jail.clone();
        self.jobs.spawn(async move {
            jail.end_all(&name, GRACE).await;
            Done::Event(Event::TreeEnded { name, ticket })
        });
    }

    fn forget(&mut self, name: &ComponentName) {
        self.tokens.forget(name);
        if let Err(error) = self.rim.jail.remove(name) {
            tracing::warn!(component = %name, error = %Report(&error), "Cannot clear away what was made for the component.");
        }
    }

    fn tell(&mut self, news: ComponentNews) {
        let ComponentNews { name, version, from, to, status_code, reason } = &news;
        match to {
            ComponentState::Broken => {
                tracing::error!(component = %name, %version, %from, ?status_code, reason, "The component is BROKEN.");
            }
            ComponentState::Errored => {
                tracing::warn!(component = %name, %version, %from, ?status_code, reason, "The component is ERRORED.");
            }
            _ => tracing::info!(component = %name, %version, %from, %to, "The component changed state."),
        }
        self.rim.jail.note_state(name, *to);
        // Nobody has to listen.
        let _ = self.news.send(news);
    }

    fn close(&mut self, closer: Option<oneshot::Sender<()>>) {
        match &mut self.course {
            Course::Closing { closers, .. } => {
                closers.extend(closer);
            }
            Course::On => {
                self.course =
                    Course::Closing { deadline: Instant::now() + CLOSING, closers: closer.into_iter().collect() };
                self.askers.clear();
                match self.machine.ask(Ask::Close, now()) {
                    Ok(effects) => self.act(effects),
                    Err(_) => self.at_rest = true,
                }
            }
        }
    }

    /// Ends what still lives, awaits every job, and answers who asked for the end.
    async fn leave(mut self) {
        self.requests.close();
        let names: BTreeSet<ComponentName> =
            self.machine.populated().into_iter().chain(self.bootstraps.clone()).collect();
        if let Course::Closing { deadline, .. } = &self.course {
            // Past the deadline there is no more time for SIGTERM.
            let grace = GRACE.min(deadline.saturating_duration_since(Instant::now()));
            if grace.is_zero() {
                let count = names.len();
                tracing::warn!(count, "Components that did not stop within {} s are killed.", CLOSING.as_secs());
            }
            let mut ends = JoinSet::new();
            for name in names {
                let jail = self.rim.jail.clone();
                ends.spawn(async move { jail.end_all(&name, grace).await });
            }
            let all = async {
                while ends.join_next().await.is_some() {}
                while self.jobs.join_next().await.is_some() {}
            };
            if timeout(grace + KILLING, all).await.is_err() {
                tracing::error!("Some processes did not end even when killed.");
            }
        }
        if let Course::Closing { closers, .. } = self.course {
            for closer in closers {
                let _ = closer.send(());
            }
        }
    }
}

/// The time as the machine takes it.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl Handle {
    /// The two ends of a mailbox.
    pub(super) fn open() -> (Self, mpsc::Receiver<Request>, broadcast::Sender<ComponentNews>) {
        let (inbox, requests) = mpsc::channel(Self::MAILBOX);
        let (news, _) = broadcast::channel(Self::NEWS);
        (Self::new(inbox, news.clone()), requests, news)
    }
}
