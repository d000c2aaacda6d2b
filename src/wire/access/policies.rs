//! What one component is granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::finding::{Fault, Finding, Findings, shown};
use super::pattern::{Pattern, PatternError};
use super::read::{Policy, read};
use super::resources::Resources;
use super::{Style, TOKEN_EXCHANGE};
use crate::ipc::Operation;
use crate::name::ComponentName;

/// The policies of one component, compiled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policies {
    grants: Vec<Grant>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Grant {
    service: &'static str,
    operation: Granted,
    /// Shared between operations that the same policies name.
    resources: Arc<Resources>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Granted {
    One(Operation),
    /// `*`
    All,
}

impl Policies {
    /// Longer requested resources are covered by nothing: no topic has more.
    pub const MAX_RESOURCE: usize = 65_535;

    /// Compiles `accessControl` of `component`: an object, or a text that holds one.
    pub fn parse(component: &ComponentName, value: &Value) -> (Self, Vec<Finding>) {
        let mut findings = Findings::new(component);
        let mut policies = Self::default();
        match read(value) {
            Ok(sheet) => {
                for (name, of_service) in &sheet {
                    match known(name) {
                        Some(service) => policies.add(service, of_service, &mut findings),
                        None if name == TOKEN_EXCHANGE => {}
                        None => findings.add(Some(name), None, Fault::UnknownService),
                    }
                }
            }
            Err(void) => findings.add(void.service.as_deref(), void.policy.as_deref(), void.fault),
        }
        (policies, findings.into_vec())
    }

    /// Whether a policy names `operation` and covers `resource`; any policy that names it covers no resource.
    pub fn allows(&self, operation: Operation, resource: Option<&str>) -> bool {
        let Some(service) = operation.service() else { return true };
        if resource.is_some_and(|resource| resource.len() > Self::MAX_RESOURCE || is_blank(resource)) {
            return false;
        }
        [Granted::One(operation), Granted::All].into_iter().any(|granted| {
            let mut grants = self.grants.iter().filter(|grant| grant.operation == granted && grant.service == service);
            grants.any(|grant| resource.is_none_or(|resource| grant.resources.covers(resource)))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    fn add(&mut self, service: &'static str, policies: &BTreeMap<String, Policy>, findings: &mut Findings<'_>) {
        if policies.keys().any(|id| is_blank(id)) {
            return findings.add(Some(service), None, Fault::NoId);
        }
        let mut patterns: Vec<Vec<Pattern>> = Vec::new();
        let mut named: BTreeMap<Granted, Vec<usize>> = BTreeMap::new();
        for (id, policy) in policies {
            let mut tell = |fault| findings.add(Some(service), Some(id), fault);
            if policy.operations.is_empty() {
                tell(Fault::NoOperations);
                continue;
            }
            let Some(covered) = covered(policy, Style::of(service), &mut tell) else { continue };
            patterns.push(covered);
            for operation in &policy.operations {
                match granted(service, operation.as_deref()) {
                    Ok(granted) => {
                        let holders = named.entry(granted).or_default();
                        if holders.last() != Some(&(patterns.len() - 1)) {
                            holders.push(patterns.len() - 1);
                        }
                    }
                    Err(fault) => tell(fault),
                }
            }
        }
        let mut shared: BTreeMap<Vec<usize>, Arc<Resources>> = BTreeMap::new();
        for (operation, holders) in named {
            let compile = || Arc::new(Resources::new(holders.iter().flat_map(|at| patterns[*at].iter().cloned())));
            let resources = Arc::clone(shared.entry(holders.clone()).or_insert_with(compile));
            self.grants.push(Grant { service, operation, resources });
        }
    }
}

/// The service as the operations spell it.
fn known(service: &str) -> Option<&'static str> {
    Operation::ALL.into_iter().filter_map(Operation::service).find(|known| *known == service)
}

fn granted(service: &str, operation: Option<&str>) -> Result<Granted, Fault> {
    match operation {
        Some("*") => Ok(Granted::All),
        Some(name) => Operation::parse(name)
            .filter(|operation| operation.service() == Some(service))
            .map(Granted::One)
            .ok_or_else(|| Fault::UnknownOperation(shown(name))),
        None => Err(Fault::UnknownOperation("null".into())),
    }
}

/// The resources of a policy that can be used; `None` when there are resources and none can.
fn covered(policy: &Policy, style: Style, tell: &mut impl FnMut(Fault)) -> Option<Vec<Pattern>> {
    let mut covered = Vec::new();
    let mut is_usable = policy.resources.is_empty();
    for resource in &policy.resources {
        match resource.as_deref().map(|resource| Pattern::parse(resource, style)) {
            Some(Ok(pattern)) => covered.push(pattern),
            Some(Err(cause)) => tell(Fault::Resource(shown(resource.as_deref().unwrap_or_default()), cause)),
            None => {
                // As if there were no resources.
                is_usable = true;
                tell(Fault::Resource("null".into(), PatternError::Empty));
            }
        }
    }
    (is_usable || !covered.is_empty()).then_some(covered)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
