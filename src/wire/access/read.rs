//! `accessControl` as it stands in the configuration: understood whole, or not at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::finding::{Fault, shown};
use crate::scalar_text;

/// Policies by service and id. What is `null` is there, and empty.
pub(super) type Sheet = BTreeMap<String, BTreeMap<String, Policy>>;

#[derive(Debug, Default)]
pub(super) struct Policy {
    pub(super) operations: Vec<Option<String>>,
    pub(super) resources: Vec<Option<String>>,
}

/// Policies of one component at most.
const MOST_POLICIES: usize = 10_000;
/// Resources, and operations, of one component at most.
const MOST_ENTRIES: usize = 100_000;

/// What voids a map, with the service and the policy it was found in.
#[derive(Debug)]
pub(super) struct Void {
    pub(super) service: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) fault: Fault,
}

pub(super) fn read(value: &Value) -> Result<Sheet, Void> {
    let void = |fault| Void { service: None, policy: None, fault };
    let parsed;
    let services = match value {
        Value::Object(services) => services,
        Value::String(text) => {
            parsed =
                serde_json::from_str::<Map<String, Value>>(text).map_err(|e| void(Fault::NoJson(e.to_string())))?;
            &parsed
        }
        _ => return Err(void(Fault::NoObject)),
    };
    let mut room = Room { policies: MOST_POLICIES, entries: MOST_ENTRIES };
    let mut sheet = Sheet::new();
    for (service, policies) in services {
        let mut read = BTreeMap::new();
        for (id, policy) in object(policies).ok_or_else(|| Void {
            service: Some(service.clone()),
            policy: None,
            fault: Fault::NoObject,
        })? {
            let policy = room.policy(policy).map_err(|fault| Void {
                service: Some(service.clone()),
                policy: Some(id.clone()),
                fault,
            })?;
            read.insert(id.clone(), policy);
        }
        sheet.insert(service.clone(), read);
    }
    Ok(sheet)
}

/// The members of an object; `null` has none.
fn object(value: &Value) -> Option<impl Iterator<Item = (&String, &Value)>> {
    match value {
        Value::Object(members) => Some(Some(members).into_iter().flatten()),
        Value::Null => Some(None.into_iter().flatten()),
        _ => None,
    }
}

/// What a component may still have.
struct Room {
    policies: usize,
    entries: usize,
}

impl Room {
    fn policy(&mut self, value: &Value) -> Result<Policy, Fault> {
        self.policies = self.policies.checked_sub(1).ok_or(Fault::TooMany)?;
        let mut policy = Policy::default();
        let (mut description, mut operations, mut resources) = (None, None, None);
        for (field, value) in object(value).ok_or(Fault::NoObject)? {
            let slot = match field.to_lowercase().as_str() {
                "policydescription" => &mut description,
                "operations" => &mut operations,
                "resources" => &mut resources,
                _ => return Err(Fault::UnknownField(shown(field))),
            };
            if slot.replace(value).is_some() {
                return Err(Fault::Twice(shown(field)));
            }
        }
        if description.is_some_and(|value| text(value).is_none()) {
            return Err(Fault::NoText("policyDescription"));
        }
        for (name, value, list) in
            [("operations", operations, &mut policy.operations), ("resources", resources, &mut policy.resources)]
        {
            let Some(value) = value else { continue };
            let items = value.as_array().ok_or(Fault::NoList(name))?;
            self.entries = self.entries.checked_sub(items.len()).ok_or(Fault::TooMany)?;
            for item in items {
                list.push(match item {
                    Value::Null => None,
                    item => Some(text(item).ok_or(Fault::NoList(name))?),
                });
            }
        }
        Ok(policy)
    }
}

/// A number or a boolean is text, too.
fn text(value: &Value) -> Option<String> {
    (value.is_string() || value.is_number() || value.is_boolean()).then(|| scalar_text::of_value(value))
}
