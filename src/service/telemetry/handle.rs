//! What others may ask of the telemetry.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};

use super::sample::Sample;
use crate::wire::name::ComponentName;

/// Asks the telemetry; cheap to clone.
///
/// The mailbox is bounded: a full one makes the asker wait.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Put>,
}

impl Handle {
    /// Puts that may wait before an asker has to.
    pub const MAILBOX: usize = 16;

    pub(super) fn new(inbox: mpsc::Sender<Put>) -> Self {
        Self { inbox }
    }

    /// Keeps `samples` of `component`, taken now: all of them, or none. When this returns they survive a power cut.
    pub async fn put(&self, component: ComponentName, samples: Vec<Sample>) -> Result<(), PutError> {
        let (reply, answer) = oneshot::channel();
        let put = Put { component, samples, time: SystemTime::now(), reply };
        self.inbox.send(put).await.map_err(|_| PutError::GoingDown)?;
        answer.await.map_err(|_| PutError::GoingDown)?
    }
}

/// What lies in the mailbox.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) component: ComponentName,
    pub(super) samples: Vec<Sample>,
    pub(super) time: SystemTime,
    pub(super) reply: oneshot::Sender<Result<(), PutError>>,
}

/// Why metrics were not kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PutError {
    #[error("the daemon is shutting down")]
    GoingDown,
    #[error("cannot store the metrics of {component}")]
    Store {
        component: ComponentName,
        #[source]
        cause: Arc<std::io::Error>,
    },
}
