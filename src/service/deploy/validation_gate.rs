//! The validation gate: a component that subscribed judges its configuration before a deployment changes it.
//!
//! One subscription of a component is asked: the oldest that lives. The verdict may come on any connection of the
//! component, and counts until the time of the question is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::subscription::{Book, Sink, TooManySubscriptions};
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

/// A component listens; ended by dropping it. A question that it heard has no answer then.
#[must_use = "dropping it ends the subscription"]
#[derive(Debug)]
pub struct ValidationSubscription {
    gate: ValidationGate,
    component: ComponentName,
    number: u64,
}

#[derive(Debug, Default)]
struct Shared {
    book: Book<Proposal>,
    pending: BTreeMap<(ComponentName, DeploymentId), Pending>,
}

/// A component that was asked.
#[derive(Debug)]
struct Pending {
    /// The subscription that heard the question.
    told: u64,
    /// Takes one verdict, while somebody waits for it; dropped without, there will be none.
    reply: oneshot::Sender<Verdict>,
}

impl ValidationGate {
    /// Characters of a rejection's message that go into the record of the deployment.
    pub const MESSAGE: usize = 1024;
    /// The longest a verdict is waited for, whatever a deployment says. It keeps points in time in range.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// A place among those that are asked; it says where. While an older one of the component lives, that is asked.
    pub fn subscribe(&self, component: ComponentName) -> Result<ValidationSubscription, TooManySubscriptions> {
        let number = self.lock().book.add(&component)?;
        Ok(ValidationSubscription { gate: self.clone(), component, number })
    }

    /// The component's verdict on what `deployment` would make of its configuration.
    pub fn report(
        &self,
        component: &ComponentName,
        deployment: &DeploymentId,
        verdict: Verdict,
    ) -> Result<(), ReportError> {
        let pending = self.lock().pending.remove(&(component.clone(), deployment.clone()));
        let sent = pending.map(|pending| pending.reply.send(verdict));
        let nothing = || ReportError::NothingPending { component: component.clone(), deployment: deployment.clone() };
        sent.ok_or_else(nothing)?.map_err(|_| nothing())
    }

    /// Whether somebody would be asked for this component.
    pub(super) fn is_subscribed(&self, component: &ComponentName) -> bool {
        self.lock().book.has(component)
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
                Asked::Question(answer) => questions.push((component, answer)),
                Asked::NotSubscribed => {}
                Asked::Deaf => objections.push(Objection::Deaf { component }),
            }
        }
        for (component, answer) in questions {
            match timeout_at(deadline, answer).await {
                Ok(Ok(Verdict::Accepted)) => {}
                Ok(Ok(Verdict::Rejected { message })) => {
                    let message = message.map(|message| message.chars().take(Self::MESSAGE).collect());
                    objections.push(Objection::Rejected { component, message });
                }
                Ok(Err(_)) => objections.push(Objection::Gone { component }),
                Err(_) => objections.push(Objection::TimedOut { component, patience }),
            }
        }
        objections
    }

    fn ask(&self, component: &ComponentName, deployment: &DeploymentId, configuration: Value) -> Asked {
        let mut shared = self.lock();
        // Those of a deployment that was cancelled.
        shared.pending.retain(|_, pending| !pending.reply.is_closed());
        let Some((told, sink)) = shared.book.of(component).next() else { return Asked::NotSubscribed };
        if !sink.offer(&Proposal { deployment: deployment.clone(), configuration }) {
            return Asked::Deaf;
        }
        let (reply, answer) = oneshot::channel();
        shared.pending.insert((component.clone(), deployment.clone()), Pending { told, reply });
        Asked::Question(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked {
    Question(oneshot::Receiver<Verdict>),
    NotSubscribed,
    Deaf,
}

impl ValidationSubscription {
    /// From now on the sink is given what the component's configuration would become.
    pub fn listen(self, sink: Arc<dyn Sink<Proposal>>) -> Self {
        self.gate.lock().book.listen(&self.component, self.number, sink);
        self
    }
}

impl Drop for ValidationSubscription {
    fn drop(&mut self) {
        let mut shared = self.gate.lock();
        shared.book.remove(&self.component, self.number);
        let heard = |component: &ComponentName, told| *component == self.component && told == self.number;
        shared.pending.retain(|(component, _), pending| !heard(component, pending.told));
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

#[cfg(test)]
impl ValidationGate {
    pub(super) fn hear(&self, component: &str) -> Listener<ValidationSubscription, Proposal> {
        let (sender, inbox) = tokio::sync::mpsc::channel(ROOM);
        let subscription = self.subscribe(ComponentName::parse(component).unwrap()).unwrap();
        Listener { _subscription: subscription.listen(Arc::new(Channel(sender))), inbox }
    }
}

#[cfg(test)]
use super::subscription::listening::{Channel, Listener, ROOM};

#[cfg(test)]
mod tests;
