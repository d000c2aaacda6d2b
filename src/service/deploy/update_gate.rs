//! The update gate: components that subscribed are told before they are changed, and may ask for time.
//!
//! ```text
//! ask every component once -> wait for all answers, at most `patience`
//!     ^                           | somebody deferred                 | nobody did
//!     +-- sleep until the longest deferral, from the asking, is over -+     +-> go
//! ```
//!
//! A component has one answer to give, on whichever of its connections. One that has ended all its subscriptions, or
//! leaves its notices unread, has no objection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::wire::name::{ComponentName, DeploymentId};

/// Shared between the deployment service, which asks, and the doors of components, which subscribe and answer.
#[derive(Clone, Debug, Default)]
pub struct UpdateGate {
    shared: Arc<Mutex<Shared>>,
}

/// What a subscriber is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Components are about to change; the answer goes to [`UpdateGate::defer`].
    Before { deployment: DeploymentId, restarting: bool },
    /// The deployment has ended, or was withdrawn.
    After { deployment: DeploymentId },
}

/// Why a component's answer does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeferError {
    #[error("{component} is not subscribed to component updates")]
    NotSubscribed { component: ComponentName },
    #[error("deployment {deployment} is not waiting for an answer of {component}, or not any more")]
    TooLate { component: ComponentName, deployment: DeploymentId },
    #[error("no component has been asked about a deployment {deployment}")]
    UnknownDeployment { deployment: DeploymentId },
}

/// A component need not ask for the same thing so often.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{component} has {} subscriptions of this kind already", Self::MOST)]
pub struct TooManySubscriptions {
    pub(super) component: ComponentName,
}

impl TooManySubscriptions {
    /// Subscriptions of one kind that a component may have at a time, on all its connections.
    pub const MOST: usize = 64;
}

#[derive(Debug, Default)]
struct Shared {
    subscribers: BTreeMap<ComponentName, Vec<mpsc::Sender<Notice>>>,
    /// The deployment asked about last: kept when its time is over, to tell a late answer from a wrong one.
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    deployment: DeploymentId,
    /// The end of the deployment has been told.
    over: bool,
    /// Where answers go; each counts once, and only while somebody waits for it.
    pending: BTreeMap<ComponentName, oneshot::Sender<Duration>>,
}

/// A component that was asked: its answer, and the subscriptions that heard the question.
struct Question {
    answer: oneshot::Receiver<Duration>,
    told: Vec<mpsc::Sender<Notice>>,
}

impl UpdateGate {
    /// Notices one subscriber may leave unread; more are not kept for it, and a question among them goes unasked.
    pub const MAILBOX: usize = 4;
    /// The longest deferral granted at once; who wants more is asked again then. It keeps points in time in range.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// From now on the receiver is told of every update, until it is dropped.
    pub fn subscribe(&self, component: ComponentName) -> Result<mpsc::Receiver<Notice>, TooManySubscriptions> {
        let mut shared = self.lock();
        let subscribers = shared.subscribers.entry(component.clone()).or_default();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        if subscribers.len() >= TooManySubscriptions::MOST {
            return Err(TooManySubscriptions { component });
        }
        let (sender, receiver) = mpsc::channel(Self::MAILBOX);
        subscribers.push(sender);
        Ok(receiver)
    }

    /// Answers the question about `deployment`, for all connections of the component; zero means: go on.
    pub fn defer(
        &self,
        component: &ComponentName,
        deployment: &DeploymentId,
        deferral: Duration,
    ) -> Result<(), DeferError> {
        let mut shared = self.lock();
        shared.forget_gone();
        if !shared.subscribers.contains_key(component) {
            return Err(DeferError::NotSubscribed { component: component.clone() });
        }
        let Some(round) = shared.round.as_mut().filter(|round| round.deployment == *deployment) else {
            return Err(DeferError::UnknownDeployment { deployment: deployment.clone() });
        };
        let too_late = || DeferError::TooLate { component: component.clone(), deployment: deployment.clone() };
        let reply = round.pending.remove(component).ok_or_else(too_late)?;
        reply.send(deferral).map_err(|_| too_late())
    }

    /// Returns when nobody asks for more time. Each round waits `patience` for the answers; without subscribers it is
    /// over at once. Dropping the future takes the question back.
    pub(super) async fn pass(&self, deployment: &DeploymentId, restarting: bool, patience: Duration) {
        loop {
            let asked = Instant::now();
            let deadline = asked + patience.min(Self::LONGEST);
            let mut longest = Duration::ZERO;
            for (component, question) in self.ask(deployment, restarting) {
                if let Ok(Some(deferral)) = timeout_at(deadline, question.answered()).await
                    && !deferral.is_zero()
                {
                    tracing::info!(%component, %deployment, milliseconds = deferral.as_millis(), "Update deferred.");
                    longest = longest.max(deferral.min(Self::LONGEST));
                }
            }
            if longest.is_zero() {
                return;
            }
            sleep_until(asked + longest).await;
        }
    }

    /// Tells every subscriber that a deployment that passed here, or tried to, is over. Does nothing a second time,
    /// nor for a deployment that never asked.
    pub(super) fn passed(&self, deployment: &DeploymentId) {
        let mut shared = self.lock();
        let Some(round) = shared.round.as_mut().filter(|round| round.deployment == *deployment && !round.over) else {
            return;
        };
        round.over = true;
        round.pending.clear();
        shared.forget_gone();
        for subscriber in shared.subscribers.values().flatten() {
            // A full mailbox has older news than this.
            let _ = subscriber.try_send(Notice::After { deployment: deployment.clone() });
        }
    }

    fn ask(&self, deployment: &DeploymentId, restarting: bool) -> Vec<(ComponentName, Question)> {
        let mut shared = self.lock();
        shared.forget_gone();
        let notice = Notice::Before { deployment: deployment.clone(), restarting };
        let mut questions = Vec::new();
        let mut pending = BTreeMap::new();
        for (component, subscribers) in &shared.subscribers {
            let told = subscribers.iter().filter(|subscriber| subscriber.try_send(notice.clone()).is_ok());
            let told: Vec<_> = told.cloned().collect();
            if told.is_empty() {
                tracing::warn!(%component, %deployment, "The component does not read its notices and is not asked.");
                continue;
            }
            let (reply, answer) = oneshot::channel();
            pending.insert(component.clone(), reply);
            questions.push((component.clone(), Question { answer, told }));
        }
        shared.round = Some(Round { deployment: deployment.clone(), over: false, pending });
        questions
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn forget_gone(&mut self) {
        self.subscribers.retain(|_, subscribers| {
            subscribers.retain(|subscriber| !subscriber.is_closed());
            !subscribers.is_empty()
        });
    }
}

impl Question {
    /// The deferral asked for; `None` when all who heard the question went away.
    async fn answered(self) -> Option<Duration> {
        let Self { answer, told } = self;
        let gone = async {
            for subscriber in &told {
                subscriber.closed().await;
            }
        };
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            () = gone => None,
        }
    }
}

#[cfg(test)]
mod tests;
