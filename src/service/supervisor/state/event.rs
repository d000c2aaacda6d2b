//! What the machine is told, and what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::service::supervisor::desired::{Component, DesiredSet, RunWithDefault};
use crate::service::supervisor::environment::Identity;
use crate::service::supervisor::handle::{ComponentNews, Settlement};
use crate::wire::lifecycle::{Step, StepName};
use crate::wire::name::ComponentName;
use crate::wire::run_with::SystemResourceLimits;
use crate::wire::state::ComponentState;

/// Names one begun thing, a step or the end of a tree, so that an answer that comes too late is known as such.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::service::supervisor) struct Ticket(pub(super) u64);

/// Names one question for a settlement.
pub(in crate::service::supervisor) type Question = u64;

/// What happened.
#[derive(Clone, Debug)]
pub(in crate::service::supervisor) enum Event {
    /// The process of a step lives.
    Begun { name: ComponentName, ticket: Ticket, pid: i32 },
    /// The step's `Skipif` held.
    Skipped { name: ComponentName, ticket: Ticket },
    /// No process could be made.
    NotStarted { name: ComponentName, ticket: Ticket, why: NotStarted },
    /// The process of a step ended.
    Exited { name: ComponentName, ticket: Ticket, end: End },
    /// No process of the component is left.
    TreeEnded { name: ComponentName, ticket: Ticket },
    /// Somebody, usually the component itself, says where it stands.
    Reported { name: ComponentName, state: ComponentState },
    /// Time went by: see [`super::Machine::next_alarm`].
    Tick,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::service::supervisor) enum End {
    Code(i32),
    Signal(i32),
    /// Killed for want of memory; the component's limit in KB, if it has one.
    OutOfMemory {
        limit: Option<u64>,
    },
}

/// Why there is no process, in words for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::service::supervisor) enum NotStarted {
    /// Neither the component nor the nucleus names a user, and the daemon is root.
    MissingRunWith(String),
    Io(String),
}

/// What to do. The order matters and must be kept.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::service::supervisor) enum Effect {
    /// Try the step's `Skipif`, then make its process; answered by `Begun`, `Skipped` or `NotStarted`.
    Begin(Box<Order>),
    /// End the process of one step, leaving the rest of the component alone; not answered.
    EndStep {
        name: ComponentName,
        ticket: Ticket,
    },
    /// End every process of the component; answered by `TreeEnded`.
    EndTree {
        name: ComponentName,
        ticket: Ticket,
    },
    Thaw(ComponentName),
    Limit {
        name: ComponentName,
        limits: SystemResourceLimits,
    },
    /// The component is gone: drop what is kept for it.
    Forget(ComponentName),
    Tell(ComponentNews),
    Answer {
        question: Question,
        settlement: Settlement,
    },
    /// Everything rests and nothing will start again.
    Closed,
}

/// One step to begin.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::service::supervisor) struct Order {
    pub(in crate::service::supervisor) name: ComponentName,
    pub(in crate::service::supervisor) ticket: Ticket,
    pub(in crate::service::supervisor) step: StepName,
    pub(in crate::service::supervisor) what: Step,
    pub(in crate::service::supervisor) life: Life,
    pub(in crate::service::supervisor) state: ComponentState,
}

/// A component and its surroundings as they were when it was begun: its end belongs to the same version.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::service::supervisor) struct Life {
    pub(in crate::service::supervisor) component: Arc<Component>,
    pub(in crate::service::supervisor) surroundings: Arc<Surroundings>,
}

/// What all components of a set share.
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::service::supervisor) struct Surroundings {
    pub(in crate::service::supervisor) environment: BTreeMap<String, String>,
    pub(in crate::service::supervisor) identity: Identity,
    pub(in crate::service::supervisor) run_with_default: RunWithDefault,
}

impl Surroundings {
    pub(in crate::service::supervisor) fn of(set: &DesiredSet) -> Self {
        Self {
            environment: set.environment.clone(),
            identity: set.identity.clone(),
            run_with_default: set.run_with_default.clone(),
        }
    }
}
