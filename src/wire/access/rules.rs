//! The decision: what a component is granted, and what everybody is.

use std::collections::HashMap;

use super::policies::Policies;
use super::{CLI, METRICS, MQTT_PROXY, PUBSUB};
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
    /// Some need no policy. A client of the command line may do everything there, and publish and subscribe to
    /// everything; so may its component do everything there, and the stream manager put metrics.
    pub fn allows(&self, principal: &Principal, operation: Operation, resource: Option<&str>) -> bool {
        let Some(service) = operation.service() else { return true };
        match principal {
            Principal::Component(name) if BUILT_IN.contains(&(name.as_str(), service)) => true,
            Principal::Component(name) => self.0.get(name).is_some_and(|policies| policies.allows(operation, resource)),
            Principal::Client(_) => [CLI, PUBSUB, MQTT_PROXY].contains(&service),
        }
    }
}

/// Components that may use a service without a policy.
const BUILT_IN: [(&str, &str); 2] = [(CLI, CLI), ("aws.greengrass.StreamManager", METRICS)];
