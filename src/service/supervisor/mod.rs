//! Keeps the desired components running: the lifecycle machine and the jail its processes live in.
//!
//! [`Handle::apply`] takes a [`DesiredSet`]; [`plan`] says what differs from the last one; [`state`] decides, for all
//! components in one pure machine; [`task`] does what it decided through the [`jail`]. What happens goes out as
//! [`ComponentNews`]; who waits for the end of a deployment asks [`Handle::settled`].
//!
//! Each component has a list of wanted states: start is \[RUNNING\], stop \[FINISHED\], restart
//! \[INSTALLED, RUNNING\], reinstall \[NEW, RUNNING\], uninstall \[FINISHED, gone\]. A state reached is taken off.
//!
//! | state | event | next | effect |
//! |---|---|---|---|
//! | NEW | anything wanted | NEW | begin Install |
//! | NEW | Install ended well, skipped or absent | INSTALLED | |
//! | NEW | Install failed, timed out, is not valid | ERRORED | |
//! | NEW | reinstall, uninstall or close while it installs | NEW | end the tree first |
//! | INSTALLED | RUNNING wanted, every HARD dependency RUNNING or FINISHED | STARTING | begin Startup, else Run |
//! | INSTALLED | another state wanted | that state | |
//! | STARTING | Startup ended well, Run's process lives, RUNNING reported | RUNNING | |
//! | STARTING | neither Startup nor Run | FINISHED | |
//! | STARTING | failure or time-out, ERRORED reported | ERRORED | |
//! | STARTING, RUNNING | another state wanted | STOPPING | Shutdown, then end the tree |
//! | STARTING, RUNNING | a HARD dependency is lost | STOPPING | as a restart |
//! | RUNNING | Run ended well | STOPPING | as above, to FINISHED |
//! | RUNNING | Run failed or timed out, ERRORED reported | ERRORED | |
//! | STOPPING | the tree has ended | what is wanted, else FINISHED | |
//! | STOPPING | Shutdown timed out | ERRORED | then on as above |
//! | ERRORED | entered | ERRORED | begin Recover |
//! | ERRORED from NEW | Recover over | NEW | end the tree |
//! | ERRORED from STARTING, RUNNING | Recover over | STOPPING | RUNNING wanted again |
//! | NEW, STARTING, RUNNING | third error in a row | BROKEN | Shutdown if it was started, end the tree |
//! | BROKEN | a new set that has it | NEW | errors forgotten |
//! | FINISHED | another state wanted | INSTALLED or NEW | |
//! | FINISHED, BROKEN, NEW, INSTALLED | uninstall wanted | gone | Uninstall, end the tree, forget |
//!
//! "In a row" means: in the same state, each within `errorResetTime` of the last, without a success between.
//!
//! A component that leaves for good, and every one when the daemon goes down, waits until its HARD dependents have
//! stopped. All waiting follows one line of places, dependencies first ([`state::order`](state)), so that a circle of
//! dependencies cannot make it wait for ever. A dependency that is not in the set is not waited for.
//!
//! Where this differs from the reference nucleus: a component starts only when its dependency is RUNNING or FINISHED,
//! not while it is STOPPING too, because it would only be stopped again a moment later, when the dependency has come to
//! INSTALLED; one that runs already goes on through STOPPING as there. And a RUNNING one counts as settled when its
//! Run has lived a moment ([`Machine::STEADY`](state::Machine)), where the reference looks once a second.

mod admit;
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

pub use admit::NotAdmitted;
pub use desired::{Component, DesiredSet, RunWith, RunWithDefault};
pub use environment::Identity;
pub use handle::{BootstrapFault, ComponentNews, ComponentStatus, Handle, Refused, Request, Settlement};

use crate::store::paths::Paths;

/// Starts the supervisor with nothing to run; [`Handle::apply`] says what. Sweep the jail before.
/// `identity` is for Bootstrap steps that run before the first set, which brings its own.
/// The task ends after [`Handle::shut_down`], or when the last handle is dropped.
pub fn spawn(jail: jail::Jail, paths: &Paths, identity: Identity) -> (Handle, JoinHandle<()>) {
    let (handle, requests, news) = Handle::open();
    let rim = rim::Rim { jail, paths: paths.clone() };
    (handle, tokio::spawn(task::Task::new(rim, identity, requests, news).run()))
}
