//! How the health checks and deployments hear of each other, whichever is there.

use std::sync::Arc;

use tokio::sync::watch;

/// How the trial stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// This boot is none, or it was confirmed.
    Kept,
    OnTrial,
    /// Given up: the machine is about to start again, with the former version.
    Leaving,
}

/// What deployments say of the components.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Hold {
    #[default]
    Free,
    /// They are being changed: what runs now is not what will.
    Busy(String),
    /// A deployment failed on the new version, and wants it gone.
    GivenUp(String),
}

/// For who waits for the end of a trial; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    standing: watch::Receiver<Standing>,
    hold: Arc<watch::Sender<Hold>>,
}

/// For who decides.
#[derive(Debug)]
pub struct Seat {
    pub standing: watch::Sender<Standing>,
    pub hold: watch::Receiver<Hold>,
}

/// Both ends; only the latest word of each counts.
pub fn channel(standing: Standing) -> (Handle, Seat) {
    let (tell, hear) = watch::channel(standing);
    let (hold, holding) = watch::channel(Hold::Free);
    (Handle { standing: hear, hold: Arc::new(hold) }, Seat { standing: tell, hold: holding })
}

impl Handle {
    pub fn say(&self, hold: Hold) {
        self.hold.send_replace(hold);
    }

    /// Takes a `Busy` back; what was given up stays so.
    pub fn free(&self) {
        self.hold.send_if_modified(|hold| {
            let is_busy = matches!(hold, Hold::Busy(_));
            if is_busy {
                *hold = Hold::Free;
            }
            is_busy
        });
    }

    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until the trial is over. Who decides may go down with the daemon: then this never returns.
    pub async fn over(&mut self) -> Standing {
        self.wait(|standing| *standing != Standing::OnTrial).await
    }

    /// Waits until the machine has to start again.
    pub async fn leaving(&mut self) {
        self.wait(|standing| *standing == Standing::Leaving).await;
    }

    async fn wait(&mut self, is_it: impl FnMut(&Standing) -> bool) -> Standing {
        let found = self.standing.wait_for(is_it).await.map(|standing| standing.clone()).ok();
        match found {
            Some(standing) => standing,
            None => std::future::pending().await,
        }
    }
}
