//! The loop: one deployment at a time, and everybody's questions meanwhile.

use std::future::{Future, pending};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::course::{self, Desk, End, Exit, Ground, Note, Start};
use super::desired::desired_set;
use super::failure::Failure;
use super::handle::{Refused, Request};
use super::own_update::OwnUpdates;
use super::state::{Cancelled, Deployment, Docket, InHand, Stage};
use crate::base::clock::Timestamp;
use crate::base::report::Report;
use crate::wire::deployment::{DeploymentRecord, LocalDeploymentRequest};
use crate::wire::deployment_error::ErrorCode;
use crate::wire::name::DeploymentId;
use crate::wire::state::{DeploymentStatus, DetailedStatus};

pub(super) struct Task {
    pub(super) ground: Arc<Ground>,
    pub(super) docket: Docket,
    pub(super) inbox: mpsc::Receiver<Request>,
    pub(super) revision: watch::Sender<u64>,
    pub(super) exit: mpsc::Sender<Exit>,
    desk: Desk,
    notes: mpsc::Receiver<Note>,
    progress: String,
}

/// What goes on beside the mailbox: a deployment's course, or tidying up after one.
type Work = Pin<Box<dyn Future<Output = End> + Send>>;

impl Task {
    pub(super) fn new(
        ground: Arc<Ground>,
        docket: Docket,
        inbox: mpsc::Receiver<Request>,
        revision: watch::Sender<u64>,
        exit: mpsc::Sender<Exit>,
    ) -> Self {
        let (sender, notes) = mpsc::channel(NOTES);
        Self { ground, docket, inbox, revision, exit, desk: Desk(sender), notes, progress: String::new() }
    }

    /// First goes on with what was in hand when the daemon ended, then serves.
    pub(super) async fn run(mut self) {
        let mut work = self.resume().await;
        // Once the daemon is about to leave, nothing new is begun.
        let mut leaving = false;
        loop {
            if work.is_none() && !leaving {
                work = self.docket.begin().map(|in_hand| self.work(in_hand, Start::Fresh));
                if work.is_some() {
                    self.changed("starting");
                }
            }
            tokio::select! {
                biased;
                Some(note) = self.notes.recv() => self.take(note).await,
                end = next(&mut work) => {
                    work = None;
                    match end {
                        End::Tidied => {}
                        End::Done(details) => {
                            if let Some(system) = &self.ground.system {
                                system.free();
                            }
                            let status = details.detailed_status;
                            self.end(details).await;
                            work = Some(self.tidy(status));
                        }
                        End::Leave(exit) => {
                            leaving = true;
                            self.changed("waiting for the restart a Bootstrap step asked for");
                            // The receiver is the daemon's main; without one there is nobody to restart it.
                            let _ = self.exit.send(exit).await;
                        }
                        End::GoingDown => leaving = true,
                    }
                }
                request = self.inbox.recv() => match request {
                    Some(request) => self.answer(request, &mut work).await,
                    None => return,
                },
            }
        }
    }

    async fn resume(&mut self) -> Option<Work> {
        let in_hand = self.docket.in_hand().cloned();
        if in_hand.as_ref().is_none_or(|in_hand| in_hand.stage == Stage::Preparing) {
            // Components run as they did; if the supervisor is gone already, so are we.
            let _ = self.ground.supervisor.apply(desired_set(&self.ground.config.snapshot())).await;
        }
        let Some(in_hand) = in_hand else {
            settle(self.ground.own.clone()).await;
            return None;
        };
        // One that has changed nothing yet waits for the end of a trial.
        if let Some(system) = self.ground.system.as_ref().filter(|_| in_hand.stage != Stage::Preparing) {
            // Before anybody judges the new system by what runs now.
            system.busy(&in_hand.deployment.id);
        }
        tracing::info!(deployment = %in_hand.deployment.id, "Going on with the deployment that was in hand.");
        self.changed("going on after a restart");
        Some(self.work(in_hand, Start::Resumed))
    }

    fn work(&self, in_hand: InHand, start: Start) -> Work {
        tracing::info!(deployment = %in_hand.deployment.id, "Deployment started.");
        Box::pin(course::run(Arc::clone(&self.ground), in_hand, start, self.desk.clone()))
    }

    fn tidy(&self, status: DetailedStatus) -> Work {
        let ground = Arc::clone(&self.ground);
        Box::pin(async move {
            ground.preparation.tidy(ground.config.snapshot(), status).await;
            settle(ground.own.clone()).await;
            End::Tidied
        })
    }

    async fn take(&mut self, note: Note) {
        match note {
            Note::Progress(text) => self.changed(&text),
            Note::Enter { stage, reply } => {
                self.docket.enter(stage);
                let written = self.ground.ledger.write(self.docket.clone()).await;
                let codes = [ErrorCode::IoError, ErrorCode::IoWriteError];
                // A course that is not there any more needs no answer.
                let _ = reply.send(written.map_err(|e| Failure::coded(&codes, &e)));
            }
        }
    }

    async fn end(&mut self, details: crate::wire::deployment::DeploymentStatusDetails) {
        let id = self.docket.in_hand().map(|in_hand| in_hand.deployment.id.clone());
        let id = id.as_ref().map(tracing::field::display);
        let status = match details.detailed_status {
            DetailedStatus::Successful => {
                tracing::info!(deployment = id, "Deployment succeeded.");
                DeploymentStatus::Succeeded
            }
            DetailedStatus::Rejected => DeploymentStatus::Rejected,
            _ => {
                tracing::error!(deployment = id, cause = details.failure_cause, "Deployment failed.");
                DeploymentStatus::Failed
            }
        };
        self.docket.end(status, Some(details));
        self.write().await;
        self.changed("");
    }

    async fn answer(&mut self, request: Request, work: &mut Option<Work>) {
        // An asker that went away needs no answer.
        match request {
            Request::Submit { request, reply } => drop(reply.send(self.submit(*request).await)),
            Request::Cancel { id, reply } => drop(reply.send(self.cancel(&id, work).await)),
            Request::Status { id, reply } => {
                let found = self.records().into_iter().find(|record| record.deployment_id == id);
                drop(reply.send(found.ok_or(Refused::Unknown(id))));
            }
            Request::List { reply } => drop(reply.send(self.records())),
        }
    }

    async fn submit(&mut self, request: LocalDeploymentRequest) -> Result<DeploymentId, Refused> {
        check(&request).map_err(Refused::NotValid)?;
        let id =
            DeploymentId::parse(&uuid::Uuid::new_v4().to_string()).map_err(|e| Refused::NotValid(e.to_string()))?;
        let mut docket = self.docket.clone();
        docket.submit(Deployment { id: id.clone(), created_on: Timestamp::now(), request })?;
        let written = self.ground.ledger.write(docket.clone()).await;
        written.map_err(|e| Refused::NotRecorded(Report(&e).to_string()))?;
        self.docket = docket;
        self.changed(&self.progress.clone());
        Ok(id)
    }

    async fn cancel(&mut self, id: &DeploymentId, work: &mut Option<Work>) -> Result<(), Refused> {
        let mut docket = self.docket.clone();
        let cancelled = docket.cancel(id)?;
        // Nobody is told of a cancellation that a restart would take back.
        let written = self.ground.ledger.write(docket.clone()).await;
        written.map_err(|e| Refused::NotRecorded(Report(&e).to_string()))?;
        self.docket = docket;
        if cancelled == Cancelled::InHand {
            *work = None;
            // What the dropped course still had to say is about nothing any more.
            while self.notes.try_recv().is_ok() {}
            self.ground.updates.passed(id);
        }
        tracing::info!(deployment = %id, "Deployment cancelled.");
        self.changed("");
        Ok(())
    }

    /// A docket that cannot be written is tried again with the next change; until then a crash repeats work.
    async fn write(&self) {
        if let Err(fault) = self.ground.ledger.write(self.docket.clone()).await {
            tracing::error!(cause = %Report(&fault), "The docket of deployments cannot be written.");
        }
    }

    fn records(&self) -> Vec<DeploymentRecord> {
        self.docket.records(&self.progress)
    }

    fn changed(&mut self, progress: &str) {
        self.progress = progress.into();
        self.revision.send_modify(|revision| *revision += 1);
    }
}

/// No deployment needs another version of the daemon now.
async fn settle(own: OwnUpdates) {
    // It only ends early when the daemon does.
    let settled = tokio::task::spawn_blocking(move || own.settle()).await;
    if let Ok(Err(fault)) = settled {
        tracing::warn!(cause = %Report(&fault), "Former versions of the daemon cannot be removed.");
    }
}

async fn next(work: &mut Option<Work>) -> End {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

/// What can be told from the request alone.
fn check(request: &LocalDeploymentRequest) -> Result<(), String> {
    if request.group.as_str().contains(':') {
        return Err(format!("the group name {:?} contains a colon", request.group.as_str()));
    }
    if request.group.as_str().starts_with('_') {
        return Err(format!("the group name {:?} begins with an underscore", request.group.as_str()));
    }
    if let Some(name) = request.remove.iter().find(|name| request.add.contains_key(*name)) {
        return Err(format!("{name} shall be both added and removed"));
    }
    for (what, directory) in [("recipe", &request.recipe_directory), ("artifact", &request.artifact_directory)] {
        if let Some(directory) = directory.as_ref().filter(|directory| !Path::new(directory).is_absolute()) {
            return Err(format!("the {what} directory {directory:?} is not an absolute path"));
        }
    }
    Ok(())
}

/// Notes a course may have on the desk before it waits.
const NOTES: usize = 16;
