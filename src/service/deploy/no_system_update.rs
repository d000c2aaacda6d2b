//! In the place of `system_update` where `greengrass ota` is left out: a deployment brings none.

use super::course::{Desk, Exit, Halt};
use crate::service::supervisor::Component;
use crate::wire::name::DeploymentId;

/// Nothing has this type.
#[derive(Clone, Debug)]
pub enum SystemUpdates {}

#[derive(PartialEq, Eq)]
#[expect(dead_code, reason = "what would be found with updates")]
pub(super) enum Found {
    Nothing,
    Brought,
    Leave(Exit),
    RolledBack(String),
}

#[derive(PartialEq, Eq)]
#[expect(dead_code, reason = "what would be decided with updates")]
pub(super) enum Verdict {
    Kept,
    Leaving,
}

impl SystemUpdates {
    pub(super) async fn find(&self, _: &DeploymentId) -> Result<Found, Halt> {
        match *self {}
    }

    pub(super) async fn claim(&self, _: &DeploymentId) -> Result<bool, Halt> {
        match *self {}
    }

    pub(super) fn introduce(&self, _: &DeploymentId, _: &mut Component) {
        match *self {}
    }

    pub(super) async fn watch(&self, _: &DeploymentId, _: &Desk, _: &str) -> Halt {
        match *self {}
    }

    pub(super) fn is_on_trial(&self) -> bool {
        match *self {}
    }

    pub(super) fn busy(&self, _: &DeploymentId) {
        match *self {}
    }

    pub(super) fn free(&self) {
        match *self {}
    }

    pub(super) async fn verdict(&self) -> Verdict {
        match *self {}
    }

    pub(super) async fn give_up(&self, _: &DeploymentId, _: &str) -> Verdict {
        match *self {}
    }
}
