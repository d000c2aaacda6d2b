//! What others may ask of deployments.

use tokio::sync::{mpsc, oneshot, watch};

use super::inbox::{self, DirectoryError};
use super::update_gate::UpdateGate;
use super::validation_gate::ValidationGate;
use crate::store::paths::Paths;
use crate::wire::deployment::{DeploymentRecord, LocalDeploymentRequest};
use crate::wire::name::DeploymentId;

/// Asks the deployment service; cheap to clone. A full mailbox makes the asker wait.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Request>,
    revision: watch::Receiver<u64>,
    updates: UpdateGate,
    validations: ValidationGate,
    paths: Paths,
}

impl Handle {
    /// Requests that may wait before an asker has to.
    pub const MAILBOX: usize = 16;

    pub(super) fn new(
        inbox: mpsc::Sender<Request>,
        revision: watch::Receiver<u64>,
        updates: UpdateGate,
        validations: ValidationGate,
        paths: Paths,
    ) -> Self {
        Self { inbox, revision, updates, validations, paths }
    }

    /// A handle whose mailbox the test reads itself.
    #[cfg(test)]
    pub(crate) fn wired(inbox: mpsc::Sender<Request>, revision: watch::Receiver<u64>) -> Self {
        Self::new(inbox, revision, UpdateGate::default(), ValidationGate::default(), Paths::new("/nowhere".into()))
    }

    /// Looks at the directories of a request now, rather than when its turn comes. They may still change until then.
    pub async fn look(&self, request: &LocalDeploymentRequest) -> Result<(), DirectoryError> {
        let (paths, request) = (self.paths.clone(), request.clone());
        // It only ends early when the daemon does; then nothing is taken in anyway.
        tokio::task::spawn_blocking(move || inbox::look(&paths, &request)).await.unwrap_or(Ok(()))
    }

    /// Queues a deployment. When this returns the queue on disk holds it: a power cut loses nothing from here.
    pub async fn submit(&self, request: LocalDeploymentRequest) -> Result<DeploymentId, Refused> {
        self.ask(|reply| Request::Submit { request: Box::new(request), reply }).await?
    }

    /// Withdraws a queued deployment, or stops the one in hand as long as it has not begun to change components.
    pub async fn cancel(&self, id: DeploymentId) -> Result<(), Refused> {
        self.ask(|reply| Request::Cancel { id, reply }).await?
    }

    pub async fn status(&self, id: DeploymentId) -> Result<DeploymentRecord, Refused> {
        self.ask(|reply| Request::Status { id, reply }).await?
    }

    /// Newest first.
    pub async fn list(&self) -> Result<Vec<DeploymentRecord>, Refused> {
        self.ask(|reply| Request::List { reply }).await
    }

    /// Changes whenever a record does: wait for it, then ask `status` again.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }

    /// Where components ask to be told before they are changed.
    pub fn updates(&self) -> &UpdateGate {
        &self.updates
    }

    /// Where components ask to judge their configuration before it is changed.
    pub fn validations(&self) -> &ValidationGate {
        &self.validations
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(request(reply)).await.map_err(|_| Refused::GoingDown)?;
        answer.await.map_err(|_| Refused::GoingDown)
    }
}

/// What lies in the deployment service's mailbox.
#[derive(Debug)]
pub enum Request {
    Submit { request: Box<LocalDeploymentRequest>, reply: oneshot::Sender<Result<DeploymentId, Refused>> },
    Cancel { id: DeploymentId, reply: oneshot::Sender<Result<(), Refused>> },
    Status { id: DeploymentId, reply: oneshot::Sender<Result<DeploymentRecord, Refused>> },
    List { reply: oneshot::Sender<Vec<DeploymentRecord>> },
}

/// Why a request was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("the daemon is shutting down")]
    GoingDown,
    #[error("there is no deployment {0}")]
    Unknown(DeploymentId),
    #[error("deployment {0} has ended")]
    Ended(DeploymentId),
    #[error("deployment {0} is already changing components and cannot be cancelled")]
    TooLate(DeploymentId),
    #[error("{0} deployments wait already: let some finish or cancel them")]
    QueueFull(usize),
    #[error("the request is not valid: {0}")]
    NotValid(String),
    #[error("the deployment cannot be recorded: {0}")]
    NotRecorded(String),
}
