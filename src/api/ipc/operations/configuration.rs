//! Whose configuration a request is about, and where it lies.

use crate::api::ipc::call::Call;
use crate::store::tree::KeyPath;
use crate::wire::ipc::IpcError;

/// The configuration of one component.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// As the request spells it.
    pub(super) component: String,
}

impl Subject {
    /// Keys above those that clients see: `services`, the component, `configuration`.
    pub(super) const DEPTH: usize = 3;

    /// The component that is named, else the caller. Whether there is one is for the tree to say.
    pub(super) fn new(call: &Call, named: Option<String>) -> Self {
        Self { component: named.unwrap_or_else(|| call.principal.to_string()) }
    }

    pub(super) fn service(&self) -> KeyPath {
        KeyPath::service(&self.component)
    }

    pub(super) fn configuration(&self) -> KeyPath {
        self.service().join("configuration")
    }

    pub(super) fn no_component(&self) -> IpcError {
        let name = shown(&self.component);
        IpcError::not_found(format!("component {name} has no configuration"), "Component", &name)
    }

    pub(super) fn no_key(&self, at: &KeyPath) -> IpcError {
        let name = shown(&self.component);
        let key = shown(&KeyPath::new(at.parts().iter().skip(Self::DEPTH).cloned()).to_string());
        IpcError::not_found(format!("component {name} has no configuration at {key}"), "Configuration key", &key)
    }
}

/// A hostile name must not fill an answer.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
