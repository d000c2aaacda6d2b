//! The trial of a new system in one life of the daemon; nothing, where updates are left out.

use tokio::sync::watch;

use super::options::Options;
use crate::service::supervisor;
use crate::wire::state::Link;

#[cfg(feature = "ota")]
pub(super) use with_updates::Trial;
#[cfg(not(feature = "ota"))]
pub(super) use without::Trial;

#[cfg(feature = "ota")]
mod with_updates {
    use tokio::task::JoinHandle;

    use super::{Link, Options, supervisor, watch};
    use crate::service::deploy::SystemUpdates;
    use crate::service::health::{self, Beginning, Boot, Neighbours};
    use crate::service::ota::trial::{Handle, Seat, Trials, channel};

    pub(crate) struct Trial {
        beginning: Beginning,
        handle: Handle,
        seat: Seat,
    }

    impl Trial {
        pub(crate) async fn begin(options: &Options) -> Self {
            let beginning = health::begin(options.ota_conf.clone()).await;
            let (handle, seat) = channel(beginning.boot.standing());
            Self { beginning, handle, seat }
        }

        pub(crate) fn is_hopeless(&self) -> bool {
            matches!(self.beginning.boot, Boot::Leave)
        }

        pub(crate) fn updates(&self) -> Option<SystemUpdates> {
            let trials = self.beginning.trials.clone()?;
            Some(SystemUpdates::new(trials, self.handle.clone()))
        }

        /// All doors are open: begins the checks if this boot is a trial, else the boot went well.
        pub(crate) fn spawn(self, supervisor: &supervisor::Handle, link: watch::Receiver<Link>) -> Over {
            let Beginning { trials, boot } = self.beginning;
            let mut tasks = Vec::new();
            if let Some(trials) = &trials {
                tasks.push(health::note_cloud(trials.clone(), self.handle.clone(), link.clone()));
            }
            match (boot, trials) {
                (Boot::OnTrial(trial), Some(trials)) => {
                    let neighbours = Neighbours { trials, supervisor: supervisor.clone(), link, seat: self.seat };
                    tasks.push(health::spawn(trial, neighbours));
                    Over { trials: None, handle: self.handle, tasks }
                }
                (_, trials) => {
                    if let Some(trials) = &trials {
                        health::tell_good_boot(trials.clone());
                    }
                    Over { trials, handle: self.handle, tasks }
                }
            }
        }
    }

    pub(crate) struct Over {
        /// Of a boot that is no trial.
        trials: Option<Trials>,
        handle: Handle,
        tasks: Vec<JoinHandle<()>>,
    }

    impl Over {
        /// Waits until the machine has to start again with the former version.
        pub(crate) async fn leaving(&mut self) {
            self.handle.leaving().await;
        }

        /// At the end of this life of the daemon, while its components still run.
        pub(crate) async fn end(self, supervisor: &supervisor::Handle) {
            self.tasks.iter().for_each(JoinHandle::abort);
            if let Some(trials) = self.trials {
                health::note_hopeless(trials, supervisor).await;
            }
        }
    }
}

#[cfg(not(feature = "ota"))]
mod without {
    use super::{Link, Options, supervisor, watch};

    pub(crate) struct Trial;

    impl Trial {
        pub(crate) async fn begin(_: &Options) -> Self {
            Self
        }

        pub(crate) fn is_hopeless(&self) -> bool {
            false
        }

        pub(crate) fn updates(&self) -> Option<crate::service::deploy::SystemUpdates> {
            None
        }

        pub(crate) fn spawn(self, _: &supervisor::Handle, _: watch::Receiver<Link>) -> Self {
            self
        }

        pub(crate) async fn leaving(&mut self) {
            std::future::pending::<()>().await;
        }

        pub(crate) async fn end(self, _: &supervisor::Handle) {}
    }
}
