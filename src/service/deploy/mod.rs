//! Takes deployments, one at a time, from request to settled components, or back.
//!
//! ```text
//! Handle -> task (mailbox, docket) -> course (one deployment) -> prepare: inbox, resolve, shelf, fetch, plan
//!                                                             -> config::Handle, supervisor::Handle
//! ```
//!
//! | file | its thought |
//! |---|---|
//! | `state` | the docket: what waits, what is in hand and how far, how the last ones ended |
//! | `ledger` | the docket, the plan and the tree of before, on disk |
//! | `course` | the stages of one deployment, each on disk before it acts |
//! | `prepare` | all that happens before anything changes |
//! | `inbox`, `shelf`, `fetch` | local directories, stored recipes, artifacts |
//! | `resolve` | which version of which component: pure |
//! | `plan` | the target as edits of the configuration tree: pure, and the same when applied twice |
//! | `desired` | what the supervisor shall run, from the tree alone |
//! | `update_gate` | asks components before they are changed |
//! | `validation_gate` | lets components judge their configuration before it is changed |
//! | `subscription` | who wants to hear of that, by component |
//! | `tidy` | what the store need not keep |
//! | `own_update` | a new version of the daemon that the deployment brings |
//! | `system_update` | what became of the system image that the deployment brings |
//!
//! At a start the deployment in hand goes on where the docket says; without one the components of the tree are started.

mod course;
pub mod desired;
mod failure;
mod fetch;
mod handle;
mod inbox;
mod ledger;
mod own_update;
mod plan;
mod prepare;
pub mod resolve;
mod shelf;
mod state;
mod subscription;
#[cfg_attr(not(feature = "ota"), path = "no_system_update.rs")]
mod system_update;
mod task;
mod tidy;
mod update_gate;
mod validation_gate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use course::Exit;
pub use handle::{Handle, Refused, Request};
pub use inbox::DirectoryError;
pub use ledger::LedgerError;
pub use own_update::OwnUpdates;
pub use subscription::{Sink, TooManySubscriptions};
pub use system_update::SystemUpdates;
pub use update_gate::{DeferError, Notice, UpdateGate, UpdateSubscription};
pub use validation_gate::{Proposal, ReportError, ValidationGate, ValidationSubscription, Verdict};

use crate::net::http::{Client, Timeouts};
use crate::service::{config, supervisor};
use crate::store::paths::Paths;
use crate::wire::platform::PlatformAttributes;

/// What the service stands on.
#[derive(Clone, Debug)]
pub struct Neighbours {
    pub paths: Paths,
    pub config: config::Handle,
    pub supervisor: supervisor::Handle,
    pub platform: PlatformAttributes,
    /// Where a Bootstrap step's wish to restart goes; the daemon then shuts down and ends with [`Exit::code`].
    pub exit: mpsc::Sender<Exit>,
    /// `None` on a device without slots.
    pub updates: Option<SystemUpdates>,
    pub own: OwnUpdates,
}

/// Starts the service: it first goes on with what was in hand, and applies the components of the configuration tree.
/// It ends when every [`Handle`] is gone.
pub fn spawn(neighbours: Neighbours) -> Result<(Handle, JoinHandle<()>), LedgerError> {
    let Neighbours { paths, config, supervisor, platform, exit, updates: system, own } = neighbours;
    let (ledger, docket) = ledger::Ledger::load(&paths)?;
    let (updates, validations) = (UpdateGate::default(), ValidationGate::default());
    let ground = course::Ground {
        ledger,
        config,
        supervisor,
        preparation: prepare::Preparation::new(paths.clone(), platform, Client::new(Timeouts::default())),
        updates: updates.clone(),
        validations: validations.clone(),
        system,
        own,
    };
    let (sender, inbox) = mpsc::channel(Handle::MAILBOX);
    let (revision, watcher) = watch::channel(0);
    let task = task::Task::new(Arc::new(ground), docket, inbox, revision, exit);
    Ok((Handle::new(sender, watcher, updates, validations, paths), tokio::spawn(task.run())))
}
