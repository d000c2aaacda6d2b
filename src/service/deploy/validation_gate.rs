//! The validation gate: a component that subscribed judges its configuration before a deployment changes it.
//!
//! One subscription of a component is asked: the oldest that lives. The verdict may come on any connection of the
//! component, and counts until the time of the question is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::update_gate::TooManySubscriptions;
use crate::wire::name::{ComponentName, DeploymentId};

/// Shared between the deployment service, which asks, and the doors of components, which subscribe and report.
#[derive(Clone, Debug, Default)]
pub struct ValidationGate {
    shared: Arc<Mutex<Shared>>,
}

/// A configuration to judge; the verdict goes to [`ValidationGate::report`].
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal {
    pub deployment: DeploymentId,
    /// `services.<name>.configuration` as it would be.
    pub configuration: Value,
}

/// What a component says of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accepted,
    /// With what it says about it, of which [`ValidationGate::MESSAGE`] characters are kept.
    Rejected {
        message: Option<String>,
    },
}

/// Why a verdict does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReportError {
    #[error("deployment {deployment} is not waiting for a report of {component}, or not any more")]
    NothingPending { component: ComponentName, deployment: DeploymentId },
}

/// Why a configuration is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Objection {
    #[error("{component} rejected its configuration{}", said(message.as_deref()))]
    Rejected { component: ComponentName, message: Option<String> },
    #[error("{component} did not report within {} s whether its configuration is valid", patience.as_secs())]
    TimedOut { component: ComponentName, patience: Duration },
    #[error("{component} ended its subscription before it reported whether its configuration is valid")]
    Gone { component: ComponentName },
    #[error("{component} cannot be asked whether its configuration is valid: it does not read its events")]
    Deaf { component: ComponentName },
}

#[derive(Debug, Default)]
struct Shared {
    /// Oldest first.
    subscribers: BTreeMap<ComponentName, Vec<mpsc::Sender<Proposal>>>,
    /// Where verdicts go; each counts once, and only while somebody waits for it.
    pending: BTreeMap<(ComponentName, DeploymentId), oneshot::Sender<Verdict>>,
}

impl ValidationGate {
    /// Proposals one subscriber may leave unread; with more it cannot be asked.
    pub const MAILBOX: usize = 2;
    /// Characters of a rejection's message that go into the record of the deployment.
    pub const MESSAGE: usize = 1024;
    /// The longest a verdict is waited for, whatever a deployment says. It keeps points in time in range.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// From now on the receiver is given what the component's configuration would become, until it is dropped. While
    /// an older subscription of the component lives, that one is asked instead.
    pub fn subscribe(&self, component: ComponentName) -> Result<mpsc::Receiver<Proposal>, TooManySubscriptions> {
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

    /// The component's verdict on what `deployment` would make of its configuration.
    pub fn report(
        &self,
        component: &ComponentName,
        deployment: &DeploymentId,
        verdict: Verdict,
    ) -> Result<(), ReportError> {
        let reply = self.lock().pending.remove(&(component.clone(), deployment.clone()));
        let sent = reply.map(|reply| reply.send(verdict));
        let nothing = || ReportError::NothingPending { component: component.clone(), deployment: deployment.clone() };
        sent.ok_or_else(nothing)?.map_err(|_| nothing())
    }

    /// Whether somebody would be asked for this component.
    pub(super) fn is_subscribed(&self, component: &ComponentName) -> bool {
        let mut shared = self.lock();
        shared.forget_gone();
        shared.subscribers.contains_key(component)
    }

    /// Asks each component about its configuration, all at once, and returns every objection. One that did not
    /// subscribe has none. Dropping the future takes the question back.
    pub(super) async fn pass(
        &self,
        deployment: &DeploymentId,
        configurations: BTreeMap<ComponentName, Value>,
        patience: Duration,
    ) -> Vec<Objection> {
        let deadline = Instant::now() + patience.min(Self::LONGEST);
        let mut objections = Vec::new();
        let mut questions = Vec::new();
        for (component, configuration) in configurations {
            match self.ask(&component, deployment, configuration) {
                Asked::Question(question) => questions.push((component, question)),
                Asked::NotSubscribed => {}
                Asked::Deaf => objections.push(Objection::Deaf { component }),
            }
        }
        for (component, question) in questions {
            match timeout_at(deadline, question.answered()).await {
                Ok(Some(Verdict::Accepted)) => {}
                Ok(Some(Verdict::Rejected { message })) => {
                    let message = message.map(|message| message.chars().take(Self::MESSAGE).collect());
                    objections.push(Objection::Rejected { component, message });
                }
                Ok(None) => objections.push(Objection::Gone { component }),
                Err(_) => objections.push(Objection::TimedOut { component, patience }),
            }
        }
        objections
    }

    fn ask(&self, component: &ComponentName, deployment: &DeploymentId, configuration: Value) -> Asked {
        let mut shared = self.lock();
        shared.forget_gone();
        let Some(subscriber) = shared.subscribers.get(component).and_then(|all| all.first()).cloned() else {
            return Asked::NotSubscribed;
        };
        let proposal = Proposal { deployment: deployment.clone(), configuration };
        if subscriber.try_send(proposal).is_err() {
            return Asked::Deaf;
        }
        let (reply, answer) = oneshot::channel();
        shared.pending.insert((component.clone(), deployment.clone()), reply);
        Asked::Question(Question { answer, subscriber })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Also the questions nobody waits for any more.
    fn forget_gone(&mut self) {
        self.subscribers.retain(|_, subscribers| {
            subscribers.retain(|subscriber| !subscriber.is_closed());
            !subscribers.is_empty()
        });
        self.pending.retain(|_, reply| !reply.is_closed());
    }
}

enum Asked {
    Question(Question),
    NotSubscribed,
    Deaf,
}

struct Question {
    answer: oneshot::Receiver<Verdict>,
    subscriber: mpsc::Sender<Proposal>,
}

impl Question {
    /// `None` when the subscriber went away first.
    async fn answered(self) -> Option<Verdict> {
        tokio::select! {
            biased;
            verdict = self.answer => verdict.ok(),
            () = self.subscriber.closed() => None,
        }
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
