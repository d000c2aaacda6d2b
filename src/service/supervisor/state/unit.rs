//! One component as the machine sees it: what is wanted of it, where it stands, what it has in hand.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blame::Blame;
use super::event::{Life, Ticket};
use super::tally::{Origin, Tally};
use crate::service::supervisor::desired::Component;
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentName;
use crate::wire::state::{ComponentState, DependencyType};

/// One entry of the list of states a component shall go through, the last of which it shall keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    New,
    Installed,
    Running,
    Finished,
    /// Uninstalled and forgotten.
    Gone,
}

#[derive(Debug)]
pub(super) struct Unit {
    /// What the set says now; the next install or start takes it.
    pub(super) wanted: Arc<Component>,
    pub(super) wants: VecDeque<Want>,
    pub(super) phase: Phase,
    /// Set from the moment a component is started until its processes have ended.
    pub(super) held: Option<Held>,
    pub(super) tally: Tally,
    /// Why the phase is ERRORED or BROKEN.
    pub(super) blame: Blame,
    pub(super) paused: bool,
    /// A process may live: set when one is made, cleared when the tree has ended.
    pub(super) populated: bool,
    /// Install was begun once, so there may be something for Uninstall to undo.
    pub(super) touched: bool,
    /// Place in line; see [`super::order`].
    pub(super) place: usize,
    /// The dependencies whose list of dependents names this unit.
    pub(super) linked: BTreeSet<ComponentName>,
}

/// The component that runs, which may be another version than the wanted one.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) life: Life,
    /// Its HARD dependencies.
    pub(super) needs: BTreeSet<ComponentName>,
}

/// Where a component stands, with what it waits for.
#[derive(Debug)]
pub(super) enum Phase {
    /// At rest, or installing, or clearing away what an Install that is not wanted any more left running.
    New(Option<Work>),
    /// Waits for its HARD dependencies.
    Installed,
    /// Startup is in hand, or Run is about to be.
    Starting(Option<Hand>),
    /// The Run process is in hand, or a Startup process that reported RUNNING before it ended, or nothing.
    Running {
        hand: Option<Hand>,
        steady_at: Instant,
    },
    /// Shutdown is in hand, then the tree is ended.
    Stopping {
        work: Option<Work>,
        after: Option<Origin>,
    },
    /// Recover is in hand, then perhaps the tree is ended.
    Errored {
        origin: Origin,
        work: Option<Work>,
    },
    /// At rest, or Shutdown is in hand, or the tree is being ended.
    Broken(Option<Work>),
    Finished,
    /// Uninstall is in hand, then the tree is ended.
    Uninstalling(Option<Work>),
}

#[derive(Debug)]
pub(super) enum Work {
    Step(Hand),
    /// The end of the tree is awaited.
    Tree(Ticket),
}

/// A step whose end is awaited.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) ticket: Ticket,
    pub(super) step: StepName,
    /// `None` until the process is made.
    pub(super) pid: Option<i32>,
    /// How long it may take.
    pub(super) limit: Option<Duration>,
    /// When it has taken too long; counted from the moment the process was made.
    pub(super) deadline: Option<Instant>,
}

impl Unit {
    pub(super) fn new(wanted: Arc<Component>) -> Self {
        Self {
            wanted,
            wants: VecDeque::from([Want::Running]),
            phase: Phase::New(None),
            held: None,
            tally: Tally::default(),
            blame: Blame::none(),
            paused: false,
            populated: false,
            touched: false,
            place: 0,
            linked: BTreeSet::new(),
        }
    }

    /// Replaces the list. A component that is already in the first state of it passes on at once.
    pub(super) fn want(&mut self, wants: &[Want]) {
        self.wants.clear();
        self.wants.extend(wants);
    }

    /// It will not come back.
    pub(super) fn is_leaving(&self) -> bool {
        self.wants.back() == Some(&Want::Gone)
    }

    /// It is on its way to another state, or soon will be.
    pub(super) fn is_going(&self) -> bool {
        self.wants.iter().any(|want| *want != Want::Running)
            || !matches!(self.phase, Phase::Starting(_) | Phase::Running { .. })
    }

    /// Takes off the list what has been reached.
    pub(super) fn drop_reached(&mut self) {
        while let Some(want) = self.wants.front() {
            let reached = match want {
                Want::New => matches!(self.phase, Phase::New(None)),
                Want::Installed => matches!(self.phase, Phase::Installed),
                Want::Running => matches!(self.phase, Phase::Running { .. }),
                Want::Finished => matches!(self.phase, Phase::Finished),
                Want::Gone => false,
            };
            if !reached {
                break;
            }
            self.wants.pop_front();
        }
    }

    /// Its dependents may start. A STOPPING one is not good enough to start upon, though good enough to go on with.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Running { .. } | Phase::Finished)
            && self.wants.iter().all(|want| *want == Want::Running)
    }

    /// Its dependents may go on.
    pub(super) fn is_bearable(&self) -> bool {
        match self.phase {
            Phase::Running { .. } | Phase::Finished => true,
            Phase::Stopping { after, .. } => after != Some(Origin::Starting),
            _ => false,
        }
    }

    /// Nothing is in hand; while the machine closes, nothing will be either.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::New(None) | Phase::Finished | Phase::Broken(None))
    }

    /// BROKEN with nobody having asked for another try.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.phase, Phase::Broken(_)) && self.wants.is_empty()
    }

    pub(super) fn state(&self) -> ComponentState {
        match self.phase {
            Phase::New(_) => ComponentState::New,
            Phase::Installed => ComponentState::Installed,
            Phase::Starting(_) => ComponentState::Starting,
            Phase::Running { .. } => ComponentState::Running,
            Phase::Stopping { .. } => ComponentState::Stopping,
            Phase::Errored { .. } => ComponentState::Errored,
            Phase::Broken(_) => ComponentState::Broken,
            // The word UNINSTALLING is never on a wire.
            Phase::Finished | Phase::Uninstalling(_) => ComponentState::Finished,
        }
    }

    /// The component whose steps run: the held one while there is one.
    pub(super) fn current(&self) -> &Arc<Component> {
        self.held.as_ref().map_or(&self.wanted, |held| &held.life.component)
    }

    pub(super) fn hand(&self) -> Option<&Hand> {
        match &self.phase {
            Phase::Starting(hand) | Phase::Running { hand, .. } => hand.as_ref(),
            other => match other.work() {
                Some(Work::Step(hand)) => Some(hand),
                _ => None,
            },
        }
    }

    pub(super) fn hand_mut(&mut self) -> Option<&mut Hand> {
        match &mut self.phase {
            Phase::Starting(hand) | Phase::Running { hand, .. } => hand.as_mut(),
            Phase::New(work)
            | Phase::Stopping { work, .. }
            | Phase::Errored { work, .. }
            | Phase::Broken(work)
            | Phase::Uninstalling(work) => match work {
                Some(Work::Step(hand)) => Some(hand),
                _ => None,
            },
            Phase::Installed | Phase::Finished => None,
        }
    }

    /// The tree whose end is awaited.
    pub(super) fn ending(&self) -> Option<Ticket> {
        match self.phase.work() {
            Some(Work::Tree(ticket)) => Some(*ticket),
            _ => None,
        }
    }

    /// Puts work into the phase; only phases that have work take it.
    pub(super) fn set_work(&mut self, new: Work) {
        match &mut self.phase {
            Phase::New(work)
            | Phase::Stopping { work, .. }
            | Phase::Errored { work, .. }
            | Phase::Broken(work)
            | Phase::Uninstalling(work) => *work = Some(new),
            Phase::Starting(hand) => {
                if let Work::Step(step) = new {
                    *hand = Some(step);
                }
            }
            Phase::Running { .. } | Phase::Installed | Phase::Finished => {}
        }
    }
}

impl Phase {
    fn work(&self) -> Option<&Work> {
        match self {
            Self::New(work)
            | Self::Stopping { work, .. }
            | Self::Errored { work, .. }
            | Self::Broken(work)
            | Self::Uninstalling(work) => work.as_ref(),
            Self::Installed | Self::Starting(_) | Self::Running { .. } | Self::Finished => None,
        }
    }
}

/// The HARD dependencies of a component.
pub(super) fn needs_of(component: &Component) -> BTreeSet<ComponentName> {
    let hard = component.dependencies.iter().filter(|(_, kind)| **kind == DependencyType::Hard);
    hard.map(|(name, _)| name.clone()).collect()
}
