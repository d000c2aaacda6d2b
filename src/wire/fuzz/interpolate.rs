//! Recipe variables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::lifecycle::Lifecycle;
use crate::name::ComponentName;
use crate::variables::{ComponentVariables, Scope, Variables, interpolate as fill_in};

/// Interpolation ends, and what it leaves as it is, it reports.
pub fn interpolate(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let configuration = json!({"text": text, "list": [1, 2.5, null], "": {"a/b": text}});
    let Ok(dependency) = ComponentName::parse("d") else { return };
    let component = |name: &str| ComponentVariables {
        artifacts_path: format!("/a/{name}"),
        decompressed_path: format!("/u/{name}"),
        work_path: format!("/w/{name}"),
        configuration: &configuration,
    };
    let variables = Variables {
        root_path: "/r",
        thing_name: None,
        own: component("own"),
        dependencies: BTreeMap::from([(&dependency, component("d"))]),
    };
    for scope in [Scope::Lifecycle, Scope::Configuration] {
        let before = json!({"Run": {"Script": text, "List": [text]}});
        let mut after = before.clone();
        let unresolved = fill_in(&mut after, &variables, scope);
        assert_eq!(keys(&before), keys(&after), "a key changed");
        assert!(unresolved.iter().all(|u| u.placeholder.starts_with('{')));
        if let Value::Object(map) = &after {
            assert!(Lifecycle::from_value(map).faults().count() <= 7);
        }
    }
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat()).collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}
