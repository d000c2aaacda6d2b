//! The update gate: components that subscribed are told before they are changed, and may ask for time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::wire::name::DeploymentId;

/// Shared between the deployment service, which asks, and the doors of components, which subscribe.
#[derive(Clone, Debug, Default)]
pub struct UpdateGate {
    subscribers: Arc<Mutex<Vec<mpsc::Sender<Notice>>>>,
}

/// What a subscriber is told. A subscriber that drops `reply`, or its end of the channel, has nothing against it.
#[derive(Debug)]
pub enum Notice {
    /// Components are about to change; answer with how long to wait, zero to go on.
    Before { deployment: DeploymentId, restarting: bool, reply: oneshot::Sender<Duration> },
    /// They have changed, or the deployment has been withdrawn.
    After { deployment: DeploymentId },
}

impl UpdateGate {
    /// Notices one subscriber may leave unread; with more it counts as having no objection.
    pub const MAILBOX: usize = 4;
    /// The longest deferral granted at once.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// From now on the receiver is told of every update, until it is dropped.
    pub fn subscribe(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(Self::MAILBOX);
        self.lock().push(sender);
        receiver
    }

    /// Returns when nobody asks for more time. Each round waits `patience` for the answers; without subscribers it is
    /// over at once.
    pub(super) async fn pass(&self, deployment: &DeploymentId, restarting: bool, patience: Duration) {
        loop {
            let asked = Instant::now();
            let answers = self.tell(|reply| Notice::Before { deployment: deployment.clone(), restarting, reply });
            let mut longest = Duration::ZERO;
            for answer in answers {
                if let Ok(Ok(deferral)) = timeout_at(asked + patience.min(Self::LONGEST), answer).await {
                    longest = longest.max(deferral.min(Self::LONGEST));
                }
            }
            if longest.is_zero() {
                return;
            }
            sleep_until(asked + longest).await;
        }
    }

    /// Tells everyone who was asked that it is over.
    pub(super) fn passed(&self, deployment: &DeploymentId) {
        drop(self.tell(|_| Notice::After { deployment: deployment.clone() }));
    }

    fn tell(&self, notice: impl Fn(oneshot::Sender<Duration>) -> Notice) -> Vec<oneshot::Receiver<Duration>> {
        let mut subscribers = self.lock();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        let answers = subscribers.iter().filter_map(|subscriber| {
            let (reply, answer) = oneshot::channel();
            subscriber.try_send(notice(reply)).ok().map(|()| answer)
        });
        answers.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<mpsc::Sender<Notice>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> DeploymentId {
        DeploymentId::parse("d").unwrap()
    }

    #[tokio::test]
    async fn gate_is_open_when_nobody_subscribed_or_all_have_gone() {
        let gate = UpdateGate::default();
        gate.pass(&id(), false, Duration::MAX).await;
        drop(gate.subscribe());
        gate.pass(&id(), false, Duration::from_secs(3600)).await;
    }

    #[tokio::test]
    async fn gate_asks_again_after_the_longest_deferral() {
        let gate = UpdateGate::default();
        let mut first = gate.subscribe();
        let mut second = gate.subscribe();
        let answer = async |inbox: &mut mpsc::Receiver<Notice>, deferral| match inbox.recv().await {
            Some(Notice::Before { reply, .. }) => reply.send(deferral).unwrap(),
            other => panic!("{other:?}"),
        };
        let components = async {
            answer(&mut first, Duration::ZERO).await;
            answer(&mut second, Duration::from_millis(2)).await;
            answer(&mut first, Duration::ZERO).await;
            answer(&mut second, Duration::ZERO).await;
        };
        let id = id();
        tokio::join!(gate.pass(&id, false, Duration::from_secs(3600)), components);
        gate.passed(&id);
        assert!(matches!(first.recv().await, Some(Notice::After { .. })));
    }
}
