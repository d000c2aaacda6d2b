//! The docket: which deployments wait, which one is in hand and how far, how the last ones ended. Pure.
//!
//! | in hand, at a start after a crash | what follows |
//! |---|---|
//! | `Preparing` | it begins again: nothing a component sees has changed |
//! | `Bootstrapping` | the steps not done yet run, then activation |
//! | any, and its system was given up | the written snapshot is restored |
//! | `Activating` | the written plan is merged again, which changes nothing where it was merged already |
//! | `RollingBack` | the written snapshot is restored again |

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::handle::Refused;
use crate::base::clock::Timestamp;
use crate::wire::deployment::{DeploymentRecord, DeploymentStatusDetails, LocalDeploymentRequest};
use crate::wire::name::{ComponentName, DeploymentId};
use crate::wire::state::DeploymentStatus;

/// Everything that must survive a power cut, as it lies on disk.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Docket {
    queue: VecDeque<Deployment>,
    in_hand: Option<InHand>,
    /// Newest first.
    ended: VecDeque<DeploymentRecord>,
}

/// One deployment as it was asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    pub id: DeploymentId,
    pub created_on: Timestamp,
    pub request: LocalDeploymentRequest,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InHand {
    pub deployment: Deployment,
    pub stage: Stage,
}

/// How far a deployment is, as far as it matters after a crash.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Recipes are taken in, versions resolved, artifacts fetched.
    Preparing,
    /// The plan is written; Bootstrap steps run, `done` have.
    Bootstrapping {
        done: Vec<ComponentName>,
        /// On a device with slots, the one that runs: it may install a system whose first boot comes before it is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running: Option<ComponentName>,
    },
    /// The plan is written; configuration is merged, components settle.
    Activating,
    /// The configuration of before is restored, because of the failure.
    RollingBack { failure: Failure },
}

/// What a cancellation met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    /// It waited; it is ended now.
    Waiting,
    /// It was being prepared; it is ended now, its work must be dropped.
    InHand,
}

impl Docket {
    /// Deployments that may wait; more are refused.
    pub const QUEUE: usize = 32;
    /// Ended deployments that are remembered.
    pub const HISTORY: usize = 50;

    /// Changes memory only, as every method here: the caller writes.
    pub fn submit(&mut self, deployment: Deployment) -> Result<(), Refused> {
        if self.queue.len() >= Self::QUEUE {
            return Err(Refused::QueueFull(self.queue.len()));
        }
        self.queue.push_back(deployment);
        Ok(())
    }

    /// Takes the next deployment in hand, if none is.
    pub fn begin(&mut self) -> Option<InHand> {
        if self.in_hand.is_none() {
            let deployment = self.queue.pop_front()?;
            self.in_hand = Some(InHand { deployment, stage: Stage::Preparing });
            return self.in_hand.clone();
        }
        None
    }

    /// The deployment in hand: after a start, the one to go on with.
    pub fn in_hand(&self) -> Option<&InHand> {
        self.in_hand.as_ref()
    }

    pub fn enter(&mut self, stage: Stage) {
        if let Some(in_hand) = &mut self.in_hand {
            in_hand.stage = stage;
        }
    }

    /// Ends the deployment in hand.
    pub fn end(&mut self, status: DeploymentStatus, details: Option<DeploymentStatusDetails>) {
        if let Some(InHand { deployment, .. }) = self.in_hand.take() {
            self.remember(&deployment, status, details);
        }
    }

    pub fn cancel(&mut self, id: &DeploymentId) -> Result<Cancelled, Refused> {
        if let Some(at) = self.queue.iter().position(|waiting| waiting.id == *id) {
            if let Some(deployment) = self.queue.remove(at) {
                self.remember(&deployment, DeploymentStatus::Canceled, None);
            }
            return Ok(Cancelled::Waiting);
        }
        match &self.in_hand {
            Some(in_hand) if in_hand.deployment.id == *id => match in_hand.stage {
                Stage::Preparing => {
                    self.end(DeploymentStatus::Canceled, None);
                    Ok(Cancelled::InHand)
                }
                _ => Err(Refused::TooLate(id.clone())),
            },
            _ if self.ended.iter().any(|record| record.deployment_id == *id) => Err(Refused::Ended(id.clone())),
            _ => Err(Refused::Unknown(id.clone())),
        }
    }

    /// What is known of every deployment, newest first.
    pub fn records(&self, progress: &str) -> Vec<DeploymentRecord> {
        let waiting = self.queue.iter().rev().map(|deployment| record(deployment, DeploymentStatus::Queued, ""));
        let in_hand = self
            .in_hand
            .iter()
            .map(|InHand { deployment, .. }| record(deployment, DeploymentStatus::InProgress, progress));
        waiting.chain(in_hand).chain(self.ended.iter().cloned()).collect()
    }

    fn remember(
        &mut self,
        deployment: &Deployment,
        status: DeploymentStatus,
        details: Option<DeploymentStatusDetails>,
    ) {
        let mut record = record(deployment, status, "");
        record.details = details;
        self.ended.push_front(record);
        self.ended.truncate(Self::HISTORY);
    }
}

fn record(deployment: &Deployment, status: DeploymentStatus, progress: &str) -> DeploymentRecord {
    DeploymentRecord {
        deployment_id: deployment.id.clone(),
        group: deployment.request.group.clone(),
        status,
        created_on: deployment.created_on.0,
        progress: progress.into(),
        details: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(n: usize) -> Deployment {
        Deployment {
            id: DeploymentId::parse(&format!("d{n}")).unwrap(),
            created_on: Timestamp(n as u64),
            request: serde_json::from_value(json!({})).unwrap(),
        }
    }

    fn ids(docket: &Docket) -> Vec<String> {
        docket.records("").iter().map(|r| format!("{} {}", r.deployment_id, r.status)).collect()
    }

    #[test]
    fn docket_takes_one_at_a_time_in_order() {
        let mut docket = Docket::default();
        docket.submit(deployment(1)).unwrap();
        docket.submit(deployment(2)).unwrap();
        assert_eq!(docket.begin().unwrap().deployment.id.as_str(), "d1");
        assert_eq!(docket.begin(), None);
        assert_eq!(ids(&docket), ["d2 QUEUED", "d1 IN_PROGRESS"]);
        docket.end(DeploymentStatus::Succeeded, None);
        assert_eq!(docket.begin().unwrap().deployment.id.as_str(), "d2");
        assert_eq!(ids(&docket), ["d2 IN_PROGRESS", "d1 SUCCEEDED"]);
    }

    #[test]
    fn docket_refuses_when_the_queue_is_full() {
        let mut docket = Docket::default();
        for n in 0..Docket::QUEUE {
            docket.submit(deployment(n)).unwrap();
        }
        assert_eq!(docket.submit(deployment(99)), Err(Refused::QueueFull(Docket::QUEUE)));
    }

    #[test]
    fn docket_forgets_the_oldest_when_many_have_ended() {
        let mut docket = Docket::default();
        for n in 0..Docket::HISTORY + 5 {
            docket.submit(deployment(n)).unwrap();
            docket.begin();
            docket.end(DeploymentStatus::Succeeded, None);
        }
        assert_eq!(docket.records("").len(), Docket::HISTORY);
        assert_eq!(docket.records("")[0].deployment_id.as_str(), "d54");
    }

    #[test]
    fn cancel_answers_for_each_phase() {
        let mut docket = Docket::default();
        for n in 1..=3 {
            docket.submit(deployment(n)).unwrap();
        }
        docket.begin();
        let id = |n| deployment(n).id;
        assert_eq!(docket.cancel(&id(3)), Ok(Cancelled::Waiting));
        assert_eq!(docket.cancel(&id(3)), Err(Refused::Ended(id(3))));
        assert_eq!(docket.cancel(&id(9)), Err(Refused::Unknown(id(9))));
        assert_eq!(docket.cancel(&id(1)), Ok(Cancelled::InHand));
        docket.begin();
        for stage in [Stage::Bootstrapping { done: vec![], running: None }, Stage::Activating] {
            docket.enter(stage);
            assert_eq!(docket.cancel(&id(2)), Err(Refused::TooLate(id(2))));
        }
        assert_eq!(ids(&docket), ["d2 IN_PROGRESS", "d1 CANCELED", "d3 CANCELED"]);
    }

    #[test]
    fn docket_reads_back_what_it_wrote() {
        let mut docket = Docket::default();
        docket.submit(deployment(1)).unwrap();
        docket.submit(deployment(2)).unwrap();
        docket.begin();
        docket.enter(Stage::Bootstrapping { done: vec![ComponentName::parse("a").unwrap()], running: None });
        let text = serde_json::to_string(&docket).unwrap();
        assert_eq!(serde_json::from_str::<Docket>(&text).unwrap(), docket);
    }
}
