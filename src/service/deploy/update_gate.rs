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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::subscription::{Book, Sink, TooManySubscriptions};
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

/// A component listens; ended by dropping it. If it was the last one to hear a question, nobody waits for the answer.
#[must_use = "dropping it ends the subscription"]
#[derive(Debug)]
pub struct UpdateSubscription {
    gate: UpdateGate,
    component: ComponentName,
    number: u64,
}

#[derive(Debug, Default)]
struct Shared {
    book: Book<Notice>,
    /// The deployment asked about last: kept when its time is over, to tell a late answer from a wrong one.
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    deployment: DeploymentId,
    /// The end of the deployment has been told.
    over: bool,
    pending: BTreeMap<ComponentName, Pending>,
}

/// A component that was asked.
#[derive(Debug)]
struct Pending {
    /// The subscriptions that heard the question.
    told: BTreeSet<u64>,
    /// Takes one answer, while somebody waits for it; dropped without, there will be none.
    reply: oneshot::Sender<Duration>,
}

impl UpdateGate {
    /// The longest deferral granted at once; who wants more is asked again then. It keeps points in time in range.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// A place among those that are told; it says where.
    pub fn subscribe(&self, component: ComponentName) -> Result<UpdateSubscription, TooManySubscriptions> {
        let number = self.lock().book.add(&component)?;
        Ok(UpdateSubscription { gate: self.clone(), component, number })
    }

    /// Answers the question about `deployment`, for all connections of the component; zero means: go on.
    pub fn defer(
        &self,
        component: &ComponentName,
        deployment: &DeploymentId,
        deferral: Duration,
    ) -> Result<(), DeferError> {
        let mut shared = self.lock();
        if !shared.book.has(component) {
            return Err(DeferError::NotSubscribed { component: component.clone() });
        }
        let Some(round) = shared.round.as_mut().filter(|round| round.deployment == *deployment) else {
            return Err(DeferError::UnknownDeployment { deployment: deployment.clone() });
        };
        let too_late = || DeferError::TooLate { component: component.clone(), deployment: deployment.clone() };
        let Pending { reply, .. } = round.pending.remove(component).ok_or_else(too_late)?;
        reply.send(deferral).map_err(|_| too_late())
    }

    /// Returns when nobody asks for more time. Each round waits `patience` for the answers; without subscribers it is
    /// over at once. Dropping the future takes the question back.
    pub(super) async fn pass(&self, deployment: &DeploymentId, restarting: bool, patience: Duration) {
        loop {
            let asked = Instant::now();
            let deadline = asked + patience.min(Self::LONGEST);
            let mut longest = Duration::ZERO;
            for (component, answer) in self.ask(deployment, restarting) {
                if let Ok(Ok(deferral)) = timeout_at(deadline, answer).await
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
        let notice = Notice::After { deployment: deployment.clone() };
        for component in shared.book.components() {
            // One that cannot take it has missed more than this.
            shared.book.tell(component, &notice).for_each(drop);
        }
    }

    fn ask(&self, deployment: &DeploymentId, restarting: bool) -> Vec<(ComponentName, oneshot::Receiver<Duration>)> {
        let mut shared = self.lock();
        let notice = Notice::Before { deployment: deployment.clone(), restarting };
        let mut answers = Vec::new();
        let mut pending = BTreeMap::new();
        for component in shared.book.components() {
            let told: BTreeSet<u64> = shared.book.tell(component, &notice).collect();
            if told.is_empty() {
                tracing::warn!(%component, %deployment, "The component does not read its notices and is not asked.");
                continue;
            }
            let (reply, answer) = oneshot::channel();
            pending.insert(component.clone(), Pending { told, reply });
            answers.push((component.clone(), answer));
        }
        shared.round = Some(Round { deployment: deployment.clone(), over: false, pending });
        answers
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UpdateSubscription {
    /// From now on the sink is told of every update.
    pub fn listen(self, sink: Arc<dyn Sink<Notice>>) -> Self {
        self.gate.lock().book.listen(&self.component, self.number, sink);
        self
    }
}

impl Drop for UpdateSubscription {
    fn drop(&mut self) {
        let mut shared = self.gate.lock();
        shared.book.remove(&self.component, self.number);
        let Some(round) = &mut shared.round else { return };
        if let Some(pending) = round.pending.get_mut(&self.component) {
            pending.told.remove(&self.number);
            if pending.told.is_empty() {
                round.pending.remove(&self.component);
            }
        }
    }
}

#[cfg(test)]
impl UpdateGate {
    pub(super) fn hear(&self, component: &str) -> Listener<UpdateSubscription, Notice> {
        let (sender, inbox) = tokio::sync::mpsc::channel(ROOM);
        let subscription = self.subscribe(ComponentName::parse(component).unwrap()).unwrap();
        Listener { _subscription: subscription.listen(Arc::new(Channel(sender))), inbox }
    }
}

#[cfg(test)]
use super::subscription::listening::{Channel, Listener, ROOM};

#[cfg(test)]
mod tests;
