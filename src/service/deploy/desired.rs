//! What shall run, derived from the configuration tree: at every start and after every activation the same way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::resolve::{NUCLEUS, is_builtin};
use crate::service::supervisor::{Component, DesiredSet, Identity, RunWith, RunWithDefault};
use crate::store::tree::{KeyPath, Tree};
use crate::wire::lifecycle::Lifecycle;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::run_with::{PosixUser, RunWithError, SystemResourceLimits};
use crate::wire::state::DependencyType;

/// Every component that `main` depends on, directly or not.
pub fn desired_set(tree: &Tree) -> DesiredSet {
    desired_set_with(tree, &[])
}

/// The same, and `also` with all it depends on: what is about to be removed runs until its successors do.
pub fn desired_set_with(tree: &Tree, also: &[ComponentName]) -> DesiredSet {
    let mut queue: VecDeque<ComponentName> = dependencies(tree, "main").into_keys().collect();
    queue.extend(also.iter().cloned());
    let mut seen = BTreeSet::new();
    let mut components = BTreeMap::new();
    while let Some(name) = queue.pop_front() {
        if is_builtin(&name) || !seen.insert(name.clone()) {
            continue;
        }
        if let Some(component) = component(tree, &name) {
            queue.extend(component.dependencies.keys().cloned());
            components.insert(name, component);
        }
    }
    DesiredSet {
        components,
        environment: texts(tree.value(&KeyPath::new(["setenv"])).as_ref()),
        identity: identity(tree),
        run_with_default: run_with_default(tree),
    }
}

/// What components are told of the device.
pub fn identity(tree: &Tree) -> Identity {
    let text = |at: KeyPath| tree.text(&at).filter(|text| !text.is_empty()).map(|text| text.to_string());
    let nucleus = KeyPath::service(NUCLEUS);
    Identity {
        thing_name: text(KeyPath::new(["system", "thingName"])),
        region: text(nucleus.join_all(["configuration", "awsRegion"])),
        root_ca: text(KeyPath::new(["system", "rootCaPath"])).map(PathBuf::from),
        nucleus_version: text(nucleus.join("version")),
    }
}

/// `None` for what is no component: a node without a version, or one of our own services.
pub fn component(tree: &Tree, name: &ComponentName) -> Option<Component> {
    let at = KeyPath::service(name.as_str());
    let version = ComponentVersion::parse(&tree.text(&at.join("version"))?).ok()?;
    let lifecycle = match tree.value(&at.join("lifecycle")) {
        Some(Value::Object(steps)) => Lifecycle::from_value(&steps),
        _ => Lifecycle::default(),
    };
    let mut dependencies = dependencies(tree, name.as_str());
    // The daemon itself is always ready: nobody waits for it.
    dependencies.retain(|name, _| !is_builtin(name));
    Some(Component {
        version,
        dependencies,
        lifecycle: Arc::new(lifecycle),
        environment: texts(tree.value(&at.join("setenv")).as_ref()),
        run_with: run_with(tree.value(&at.join("runWith")).as_ref()),
    })
}

/// `services.<name>.dependencies`: a list of `name`, `name:HARD` or `name:SOFT`.
pub fn dependencies(tree: &Tree, service: &str) -> BTreeMap<ComponentName, DependencyType> {
    let list = tree.value(&KeyPath::service(service).join("dependencies"));
    let items = list.as_ref().and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| dependency(item.as_str()?)).collect()
}

/// The type matches by prefix, in any case; without one it is HARD.
fn dependency(text: &str) -> Option<(ComponentName, DependencyType)> {
    let (name, kind) = text.split_once(':').unwrap_or((text, ""));
    let soft = !kind.is_empty() && "SOFT".starts_with(&kind.trim().to_ascii_uppercase());
    let kind = if soft { DependencyType::Soft } else { DependencyType::Hard };
    Some((ComponentName::parse(name.trim()).ok()?, kind))
}

fn run_with(value: Option<&Value>) -> RunWith {
    RunWith {
        posix_user: value.and_then(|v| posix_user(field(v, "posixUser")?)),
        limits: value.and_then(|v| limits(field(v, "systemResourceLimits")?)),
    }
}

fn run_with_default(tree: &Tree) -> RunWithDefault {
    let at = KeyPath::service(NUCLEUS).join_all(["configuration", "runWithDefault"]);
    let mut result = RunWithDefault::default();
    let Some(value) = tree.value(&at) else { return result };
    result.posix_user = field(&value, "posixUser").and_then(posix_user);
    if let Some(shell) = field(&value, "posixShell").and_then(Value::as_str).filter(|shell| !shell.trim().is_empty()) {
        result.posix_shell = shell.into();
    }
    result.limits = field(&value, "systemResourceLimits").and_then(limits).unwrap_or_default();
    result
}

/// What is wrong with `runWithDefault.posixUser`, if it is there and something is.
pub(super) fn default_user_fault(tree: &Tree) -> Option<RunWithError> {
    let at = KeyPath::service(NUCLEUS).join_all(["configuration", "runWithDefault", "posixUser"]);
    let text = user_text(&tree.value(&at)?)?;
    PosixUser::parse(&text).err()
}

fn posix_user(value: &Value) -> Option<PosixUser> {
    PosixUser::parse(&user_text(value)?).ok()
}

/// None for what is not set; a user may be a number.
fn user_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// Values of zero or less do not limit; numbers may be written as text.
fn limits(value: &Value) -> Option<SystemResourceLimits> {
    let number = |key| match field(value, key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let positive = |key| number(key).filter(|n| n.is_finite() && *n > 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; larger than u64 is no limit"
    )]
    let memory = positive("memory").map(|kilobytes| kilobytes as u64);
    let limits = SystemResourceLimits { memory, cpus: positive("cpus") };
    (limits != SystemResourceLimits::default()).then_some(limits)
}

/// A key of the tree is found in any case.
fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object).into_iter().flatten();
    let pairs = map.filter_map(|(key, value)| match value {
        Value::String(text) => Some((key.clone(), text.clone())),
        Value::Null => None,
        other => Some((key.clone(), other.to_string())),
    });
    pairs.collect()
}
