//! Keeps the desired components running: the lifecycle machine and the jail its processes live in.

mod bootstrap;
mod desired;
mod environment;
mod handle;
pub mod jail;
mod plan;
mod rim;
mod skip;
mod state;
mod task;
mod tokens;

use tokio::task::JoinHandle;

pub use desired::{Component, DesiredSet, RunWith, RunWithDefault};
pub use environment::Identity;
pub use handle::{ComponentNews, ComponentStatus, Handle, Refused, Request, Settlement};

use crate::store::paths::Paths;

/// Starts the supervisor with nothing to run; [`Handle::apply`] says what. Sweep the jail before.
/// The task ends after [`Handle::shut_down`], or when the last handle is dropped.
pub fn spawn(jail: jail::Jail, paths: &Paths, identity: &Identity) -> (Handle, JoinHandle<()>) {
    let (handle, requests, news) = Handle::open();
    let rim = rim::Rim { jail, paths: paths.clone(), fixed: environment::Fixed::new(paths, identity) };
    (handle, tokio::spawn(task::Task::new(rim, requests, news).run()))
}
