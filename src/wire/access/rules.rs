//! The decision: what a component is granted, and what everybody is.

use std::collections::HashMap;

use super::policies::Policies;
use super::{CLI, MQTT_PROXY, PUBSUB};
use crate::ipc::Operation;
use crate::name::ComponentName;
use crate::principal::Principal;

/// The policies of every component.
#[derive(Clone, Debug, Default)]
pub struct Rules(HashMap<ComponentName, Policies>);

impl Rules {
    /// Puts `policies` in the place of what `component` had.
    pub fn set(&mut self, component: ComponentName, policies: Policies) {
        if policies.is_empty() {
            self.0.remove(&component);
        } else {
            self.0.insert(component, policies);
        }
    }

    /// Whether `principal` may carry out `operation` on `resource`. An operation without a service is free.
    ///
    /// A client of the command line may do everything there, and publish and subscribe to everything, as if policies
    /// named it.
    pub fn allows(&self, principal: &Principal, operation: Operation, resource: Option<&str>) -> bool {
        let Some(service) = operation.service() else { return true };
        match principal {
            Principal::Component(name) => self.0.get(name).is_some_and(|policies| policies.allows(operation, resource)),
            Principal::Client(_) => [CLI, PUBSUB, MQTT_PROXY].contains(&service),
        }
    }
}
