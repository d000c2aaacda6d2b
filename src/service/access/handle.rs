//! What others may ask: may this one do that.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::error;

use super::state::State;
use crate::store::tree::Tree;
use crate::wire::ipc::Operation;
use crate::wire::principal::Principal;

/// Decides; cheap to clone.
///
/// Nothing here waits for anything but for another check or, after a change of policies, for these to be compiled.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tree: watch::Receiver<Tree>,
    /// Locked for the time of a check; never held while waiting.
    state: Mutex<State>,
    generation: watch::Sender<u64>,
}

impl Handle {
    pub(super) fn new(tree: watch::Receiver<Tree>) -> Self {
        let handle = Self(Arc::new(Shared { tree, state: Mutex::default(), generation: watch::Sender::new(0) }));
        handle.refresh();
        handle
    }

    /// Whether `principal` may carry out `operation` on `resource`, by the configuration of this moment.
    /// Operations without a service are free, and so are those without a resource when any policy names the operation.
    pub fn check(&self, principal: &Principal, operation: Operation, resource: Option<&str>) -> Result<(), Denied> {
        if operation.service().is_none() || self.current().rules.allows(principal, operation, resource) {
            return Ok(());
        }
        Err(Denied { principal: principal.clone(), operation, resource: resource.map(Into::into) })
    }

    /// Counts the changes of policies. When it has grown, the new ones are in force: what was allowed once and goes on
    /// is to be checked again. The latest count is kept, so nobody lags.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Takes up what changed in the configuration, if anything did.
    pub(super) fn refresh(&self) {
        drop(self.current());
    }

    fn current(&self) -> MutexGuard<'_, State> {
        // A panic ends the process, so a poisoned lock is never seen.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_of(&self.0.tree.borrow()) {
            let tree = self.0.tree.borrow().clone();
            if let Some(findings) = state.take_up(&tree) {
                findings.iter().for_each(|finding| error!("{finding}."));
                self.0.generation.send_modify(|generation| *generation += 1);
            }
        }
        state
    }
}

/// No policy allows it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Denied {
    pub principal: Principal,
    pub operation: Operation,
    pub resource: Option<Box<str>>,
}

/// The sentence of the reference nucleus, which people search for.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, operation, resource } = self;
        let service = operation.service().unwrap_or_default();
        let resource = resource.as_deref().unwrap_or("null");
        write!(f, "Principal {principal} is not authorized to perform {service}:{}", operation.policy_name())?;
        match resource.char_indices().nth(Self::SHOWN) {
            Some((end, _)) => write!(f, " on resource {}…", &resource[..end]),
            None => write!(f, " on resource {resource}"),
        }
    }
}

impl Denied {
    /// Characters of a resource that are shown: a hostile one must not fill the log.
    const SHOWN: usize = 512;
}
