//! Updates of the system image that a deployment brings: the deployment stays in hand over the reboot, and ends as the
//! trial does. The slot-state record says which deployment an update belongs to, so nothing of it is kept here.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::course::{Desk, Exit, Halt};
use crate::base::report::Report;
use crate::service::ota::headway;
use crate::service::ota::trial::{Fate, Handle, Hold, Standing, TrialError, Trials, deployment_key};
use crate::service::supervisor::Component;
use crate::wire::name::DeploymentId;

/// What a course asks of the slots; cheap to clone.
#[derive(Clone, Debug)]
pub struct SystemUpdates {
    trials: Trials,
    handle: Handle,
}

/// Where a deployment that is gone on with finds its update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The deployment has brought none so far.
    Nothing,
    /// The new system runs.
    Brought,
    /// The new system is there, and the reboot into it is missing.
    Leave(Exit),
    /// The former system runs: why.
    RolledBack(String),
}

/// How the trial of a deployment's update ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Kept,
    /// The machine is about to start again, with the former system.
    Leaving,
}

impl SystemUpdates {
    pub fn new(trials: Trials, handle: Handle) -> Self {
        Self { trials, handle }
    }

    /// After a start.
    pub(super) async fn find(&self, id: &DeploymentId) -> Result<Found, Halt> {
        let id = id.clone();
        let found = self.ask("find", move |trials| match trials.fate(id.as_str())? {
            Fate::Armed if trials.ask_for_reboot()? => Ok(Found::Leave(Exit::Reboot)),
            Fate::Armed => {
                trials.cancel()?;
                Ok(Found::RolledBack("the device was asked to start again, and did not".to_owned()))
            }
            Fate::Unknown => Ok(Found::Nothing),
            Fate::OnTrial | Fate::Committed => Ok(Found::Brought),
            Fate::RolledBack(why) => Ok(Found::RolledBack(why)),
        });
        Ok(found.await?.unwrap_or(Found::Nothing))
    }

    /// After a step that asks for a reboot: what it has installed belongs to this deployment, whoever it told. Whether
    /// there is something.
    pub(super) async fn claim(&self, id: &DeploymentId) -> Result<bool, Halt> {
        let id = id.clone();
        let is_armed = self.ask("claim", move |trials| trials.claim(id.as_str())).await? != Some(false);
        if is_armed {
            tracing::info!("A new system is installed; its trial decides about the deployment.");
        }
        Ok(is_armed)
    }

    /// Lets a step know whose it is, and how to call us.
    pub(super) fn introduce(&self, id: &DeploymentId, component: &mut Component) {
        let own = &mut component.environment;
        // As the record has it: not each identifier fits.
        let key = deployment_key(id.as_str());
        let key = String::from_utf8_lossy(&key).trim_end_matches('\0').to_owned();
        own.insert("GREENGRASS_DEPLOYMENT_ID".to_owned(), key);
        if let Ok(binary) = std::env::current_exe() {
            own.insert("GREENGRASS_BINARY".to_owned(), binary.to_string_lossy().into_owned());
        }
        if let Some(conf) = self.trials.conf() {
            own.insert("GREENGRASS_OTA_CONF".to_owned(), conf.to_string_lossy().into_owned());
        }
    }

    /// Tells again and again how far the installation is that a step of this deployment has begun. Never ends.
    pub(super) async fn watch(&self, id: &DeploymentId, desk: &Desk, doing: &str) -> Halt {
        let Ok(Some(lock)) = self.ask("watch", Trials::lock).await else { return std::future::pending().await };
        let key = deployment_key(id.as_str());
        let mut told = None;
        loop {
            sleep(PERIOD).await;
            let lock = lock.clone();
            let Ok(found) = spawn_blocking(move || headway::percent(&lock, Some(&key))).await else {
                return Halt::GoingDown;
            };
            if let Some(percent) = found.filter(|_| found != told) {
                desk.progress(format!("{doing}: installing, {percent} %")).await;
                told = found;
            }
        }
    }

    pub(super) fn is_on_trial(&self) -> bool {
        self.handle.standing() == Standing::OnTrial
    }

    /// The components are not what they will be: no version is judged by them now.
    pub(super) fn busy(&self, id: &DeploymentId) {
        if self.is_on_trial() {
            self.handle.say(Hold::Busy(format!("deployment {id} changes components")));
        }
    }

    pub(super) fn free(&self) {
        self.handle.free();
    }

    /// Waits for the end of the trial; at once where this boot is none.
    pub(super) async fn verdict(&self) -> Verdict {
        self.free();
        match self.handle.clone().over().await {
            Standing::Leaving => Verdict::Leaving,
            Standing::Kept | Standing::OnTrial => Verdict::Kept,
        }
    }

    /// The deployment failed on the new system: they go together, unless it was kept already.
    pub(super) async fn give_up(&self, id: &DeploymentId, why: &str) -> Verdict {
        self.handle.say(Hold::GivenUp(format!("deployment {id}: {why}")));
        match self.handle.clone().over().await {
            Standing::Leaving => Verdict::Leaving,
            Standing::Kept | Standing::OnTrial => Verdict::Kept,
        }
    }

    /// A state that cannot be read is told, and is as none: the deployment must not stand still for it.
    async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        act: impl FnOnce(&Trials) -> Result<T, TrialError> + Send + 'static,
    ) -> Result<Option<T>, Halt> {
        let trials = self.trials.clone();
        match spawn_blocking(move || act(&trials)).await.map_err(|_| Halt::GoingDown)? {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                tracing::warn!(error = %Report(&error), "Cannot {what} the update of the system.");
                Ok(None)
            }
        }
    }
}

/// Between two looks at an installation.
const PERIOD: Duration = Duration::from_secs(1);
