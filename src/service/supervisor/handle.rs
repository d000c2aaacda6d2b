//! What others may ask the supervisor.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{DesiredSet, NotAdmitted};
use crate::base::token::Token;
use crate::sys::peer::Peer;
use crate::wire::lifecycle::StepError;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::state::{ComponentState, StatusCode};

/// Asks the supervisor; cheap to clone.
///
/// The mailbox is bounded: a full one makes the asker wait. Every call fails only when the daemon is going down.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Request>,
    news: broadcast::Sender<ComponentNews>,
}

impl Handle {
    /// Requests that may wait before an asker has to.
    pub const MAILBOX: usize = 64;
    /// News a slow reader may lag behind before it is told that it missed some.
    pub const NEWS: usize = 4096;

    pub(super) fn new(inbox: mpsc::Sender<Request>, news: broadcast::Sender<ComponentNews>) -> Self {
        Self { inbox, news }
    }

    /// A handle whose mailbox the test reads itself.
    #[cfg(test)]
    pub(crate) fn wired(inbox: mpsc::Sender<Request>, news: broadcast::Sender<ComponentNews>) -> Self {
        Self::new(inbox, news)
    }

    /// Makes `set` what shall run: starts, restarts, reinstalls and removes as the difference asks.
    /// Returns when the supervisor has taken the set, not when it has settled.
    pub async fn apply(&self, set: DesiredSet) -> Result<(), Refused> {
        self.ask(|reply| Request::Apply { set: Box::new(set), reply }).await
    }

    /// Waits until every named component (those not desired any more count) has reached what was last asked of it,
    /// or one of them is BROKEN. Dropping the future withdraws the question.
    pub async fn settled(&self, tracked: Vec<ComponentName>) -> Result<Settlement, Refused> {
        self.ask(|reply| Request::Settled { tracked, reply }).await
    }

    /// Runs the Bootstrap step of a component that need not be desired yet; the answer is its exit code.
    pub async fn bootstrap(
        &self,
        name: ComponentName,
        component: super::Component,
    ) -> Result<Result<i32, BootstrapFault>, Refused> {
        self.ask(|reply| Request::Bootstrap { name, component: Box::new(component), reply }).await
    }

    pub async fn restart(&self, name: ComponentName) -> Result<(), Refused> {
        self.ask(|reply| Request::Restart { name, reply }).await?
    }

    pub async fn stop(&self, name: ComponentName) -> Result<(), Refused> {
        self.ask(|reply| Request::Stop { name, reply }).await?
    }

    pub async fn pause(&self, name: ComponentName) -> Result<(), Refused> {
        self.ask(|reply| Request::Pause { name, reply }).await?
    }

    pub async fn resume(&self, name: ComponentName) -> Result<(), Refused> {
        self.ask(|reply| Request::Resume { name, reply }).await?
    }

    /// A component reports its own state (IPC `UpdateState`): only RUNNING and ERRORED.
    pub async fn report(&self, name: ComponentName, state: ComponentState) -> Result<(), Refused> {
        self.ask(|reply| Request::Report { name, state, reply }).await?
    }

    pub async fn components(&self) -> Result<BTreeMap<ComponentName, ComponentStatus>, Refused> {
        self.ask(|reply| Request::Components { reply }).await
    }

    /// The component that was given this token as `SVCUID`. Says nothing of who shows it.
    pub async fn component_of(&self, token: Token) -> Result<Option<ComponentName>, Refused> {
        self.ask(|reply| Request::ComponentOf { token, reply }).await
    }

    /// The component in whose name `peer` may speak, because it shows `token` and is one of those who may have it.
    /// A refusal is in the log already, but for an unknown token.
    pub async fn admit(&self, token: Token, peer: Peer) -> Result<Result<ComponentName, NotAdmitted>, Refused> {
        self.ask(|reply| Request::Admit { token, peer, reply }).await
    }

    /// State changes from now on.
    pub fn news(&self) -> broadcast::Receiver<ComponentNews> {
        self.news.subscribe()
    }

    /// Stops every component, dependents first, and ends the supervisor. Returns when no process is left.
    pub async fn shut_down(&self) -> Result<(), Refused> {
        self.ask(|reply| Request::ShutDown { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(request(reply)).await.map_err(|_| Refused::GoingDown)?;
        answer.await.map_err(|_| Refused::GoingDown)
    }
}

/// What lies in the supervisor's mailbox.
#[derive(Debug)]
pub enum Request {
    Apply {
        set: Box<DesiredSet>,
        reply: oneshot::Sender<()>,
    },
    Settled {
        tracked: Vec<ComponentName>,
        reply: oneshot::Sender<Settlement>,
    },
    Bootstrap {
        name: ComponentName,
        component: Box<super::Component>,
        reply: oneshot::Sender<Result<i32, BootstrapFault>>,
    },
    Restart {
        name: ComponentName,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Stop {
        name: ComponentName,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Pause {
        name: ComponentName,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Resume {
        name: ComponentName,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Report {
        name: ComponentName,
        state: ComponentState,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Components {
        reply: oneshot::Sender<BTreeMap<ComponentName, ComponentStatus>>,
    },
    ComponentOf {
        token: Token,
        reply: oneshot::Sender<Option<ComponentName>>,
    },
    Admit {
        token: Token,
        peer: Peer,
        reply: oneshot::Sender<Result<ComponentName, NotAdmitted>>,
    },
    ShutDown {
        reply: oneshot::Sender<()>,
    },
}

/// Why a Bootstrap step has no exit code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BootstrapFault {
    #[error(transparent)]
    NotValid(#[from] StepError),
    #[error("it cannot be started: {0}")]
    NotStarted(String),
    #[error("it was ended by signal {0}")]
    Signal(i32),
    #[error("the kernel killed it for want of memory{}", limit.map_or_else(String::new, |kb| format!("; its limit is {kb} KB")))]
    OutOfMemory { limit: Option<u64> },
    #[error("it did not end within {} s", limit.as_secs_f64())]
    TimedOut { limit: Duration },
}

/// How the tracked components ended up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// Each is RUNNING or FINISHED as asked, or removed.
    Reached,
    /// At least one is BROKEN: name and reason of each.
    Broken(Vec<(ComponentName, String)>),
}

/// What the supervisor knows of one component.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    pub version: ComponentVersion,
    pub state: ComponentState,
    pub status_code: StatusCode,
    /// One sentence for ERRORED and BROKEN, else empty.
    pub reason: String,
    pub paused: bool,
    /// The process of the step in hand, if one runs.
    pub pid: Option<i32>,
}

/// One component changed state.
#[derive(Clone, PartialEq, Debug)]
pub struct ComponentNews {
    pub name: ComponentName,
    pub version: ComponentVersion,
    pub from: ComponentState,
    pub to: ComponentState,
    pub status_code: StatusCode,
    pub reason: String,
}

/// Why a request was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("the daemon is shutting down")]
    GoingDown,
    #[error("component {0} is not installed")]
    Unknown(ComponentName),
    #[error("component {name} is {state}: {why}")]
    WrongState { name: ComponentName, state: ComponentState, why: &'static str },
    #[error("component {name} cannot be paused: {why}")]
    CannotPause { name: ComponentName, why: String },
}
