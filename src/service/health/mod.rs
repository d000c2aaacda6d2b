//! Keeps a new version of the system, or gives it up: the trial of a slot, as the daemon lives it.
//!
//! ```text
//! boot report, doors, link, supervisor::news, health.d -> task -> state (pure) -> ota::trial: commit, or roll back and reboot
//! ```
//!
//! | level | holds when |
//! |---|---|
//! | mounts | root, data and the writable layer are what they should be |
//! | daemon | all doors are open |
//! | network | the cloud is reached |
//! | components | each is RUNNING or FINISHED, for a while |
//! | checks | every program in `health.d/required` ended with 0 |
//!
//! Commit when every required level holds at the same time; back at once when one fails or is not there in time.
//! On a boot that is no trial nothing of this exists. Killed in the middle, the daemon goes on with the trial when it
//! starts again: deadlines count from the start of the kernel, and starts are counted.

mod checks;
mod reached;
mod state;
mod task;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::base::report::Report;
use crate::service::ota::trial::{Found, Handle, OnTrial, Seat, Standing, Trials};
use crate::service::supervisor;
use crate::sys::clock;
use crate::wire::state::Link;

/// What the checks stand on.
#[derive(Debug)]
pub struct Neighbours {
    pub trials: Trials,
    pub supervisor: supervisor::Handle,
    pub link: watch::Receiver<Link>,
    pub seat: Seat,
}

/// What the daemon learns before it builds anything.
#[derive(Debug)]
pub struct Beginning {
    /// `None` on a device without slots.
    pub trials: Option<Trials>,
    pub boot: Boot,
}

/// What this boot asks of the daemon.
#[derive(Debug)]
pub enum Boot {
    Kept,
    OnTrial(Box<OnTrial>),
    /// The version that runs was given up: start the machine again.
    Leave,
}

impl Boot {
    pub fn standing(&self) -> Standing {
        match self {
            Self::Kept => Standing::Kept,
            Self::OnTrial(_) => Standing::OnTrial,
            Self::Leave => Standing::Leaving,
        }
    }
}

/// Looks what this boot is. A trial that is beyond help ends here, before the daemon does anything that may fail again.
pub async fn begin(conf: Option<PathBuf>) -> Beginning {
    let looked = spawn_blocking(move || {
        let trials = Trials::of_device(conf.as_deref());
        let found = trials.as_ref().map_or(Ok(Found::NoTrial), Trials::look)?;
        Ok((trials, found))
    });
    match looked.await {
        Ok(Ok((Some(trials), Found::Trial(trial)))) => {
            let boot = judge(&trials, trial).await;
            Beginning { trials: Some(trials), boot }
        }
        Ok(Ok((trials, Found::GivenUp))) => Beginning { trials, boot: Boot::Leave },
        Ok(Ok((trials, _))) => Beginning { trials, boot: Boot::Kept },
        Ok(Err::<_, crate::service::ota::trial::TrialError>(error)) => {
            // PID 1 keeps the deadline; without one nothing was on trial that we could know of.
            tracing::error!(error = %Report(&error), "Whether the system is on trial cannot be told.");
            Beginning { trials: None, boot: Boot::Kept }
        }
        Err(_) => Beginning { trials: None, boot: Boot::Kept },
    }
}

async fn judge(trials: &Trials, trial: Box<OnTrial>) -> Boot {
    let OnTrial { slot, version, starts, health, .. } = &*trial;
    tracing::warn!(slot = slot.name(), version, starts, "The system is on trial.");
    let late = clock::since_boot() >= health.deadline;
    let why = if late {
        Some(format!("daemon: not within {} s", health.deadline.as_secs()))
    } else {
        (*starts > health.starts).then(|| format!("daemon: it started {starts} times in one boot"))
    };
    match why {
        None => Boot::OnTrial(trial),
        Some(why) => match task::roll_back(trials, why).await {
            Standing::Leaving => Boot::Leave,
            Standing::Kept | Standing::OnTrial => Boot::Kept,
        },
    }
}

/// Starts the checks, once all doors are open and the components of this start are known to the supervisor. The task
/// ends when the trial does.
pub fn spawn(trial: Box<OnTrial>, neighbours: Neighbours) -> JoinHandle<()> {
    tokio::spawn(task::run(trial, neighbours))
}

/// Tells a boot loader that counts each boot that this one went well; others are told nothing. Begins it only: nobody waits.
pub fn tell_good_boot(trials: Trials) {
    drop(spawn_blocking(move || {
        if let Err(error) = trials.tell_good_boot() {
            tracing::error!(error = %Report(&error), "The boot loader cannot be told that the boot went well.");
        }
    }));
}

/// Notes from now on, on a system that is kept, when the cloud is reached.
pub fn note_cloud(trials: Trials, handle: Handle, link: watch::Receiver<Link>) -> JoinHandle<()> {
    tokio::spawn(reached::note(trials, handle, link))
}

/// Notes, before the components are stopped, which of them do not run: an update must not be given up for those.
pub async fn note_hopeless(trials: Trials, supervisor: &supervisor::Handle) {
    let Ok(components) = supervisor.components().await else { return };
    let names = task::hopeless(&components);
    // Without the note the new system is judged more strictly.
    let _ = spawn_blocking(move || trials.note_hopeless(&names)).await;
}

/// Between two attempts to write an end down.
const RETRY: Duration = Duration::from_secs(10);
