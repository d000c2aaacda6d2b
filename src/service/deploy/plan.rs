//! What a deployment will do, decided before anything changes: written to disk, then carried out, if need be twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::desired::component;
use super::resolve::{NUCLEUS, Provider, Resolved, Root, is_builtin, running_versions};
use super::state::Deployment;
use crate::base::clock::Timestamp;
use crate::service::supervisor::Component;
use crate::store::paths::Paths;
use crate::store::tree::{Edit, KeyPath, Tree};
use crate::wire::deployment::{ConfigurationUpdate, RunWithInfo};
use crate::wire::name::{ComponentName, ComponentVersion, GroupName};
use crate::wire::state::DependencyType;
use crate::wire::variables::{ComponentVariables, Scope, Variables, interpolate};

/// The target of one deployment.
///
/// Its edits can be applied again to a tree that has some or all of them: after a crash nobody knows which.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    id: String,
    group: GroupName,
    /// The time of configuration updates: what a component wrote since then stays.
    created_on: Timestamp,
    /// The time of everything a deployment owns; never older than the tree, even when the clock was set back.
    time: Timestamp,
    services: BTreeMap<ComponentName, Service>,
    /// Components nobody requires any more.
    removed: Vec<ComponentName>,
    roots: BTreeMap<GroupName, BTreeMap<ComponentName, ComponentVersion>>,
    /// Components that were BROKEN before: a rollback does not wait for them.
    broken: BTreeSet<ComponentName>,
    /// Components whose Bootstrap step must run, dependencies first.
    bootstraps: Vec<ComponentName>,
    /// The version of the daemon that must run before anything is merged, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    daemon: Option<ComponentVersion>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    version: ComponentVersion,
    previous_version: Option<ComponentVersion>,
    component_type: String,
    dependencies: Vec<String>,
    /// Selected and interpolated.
    lifecycle: Value,
    defaults: Map<String, Value>,
    update: ConfigurationUpdate,
    run_with: Option<RunWithInfo>,
}

/// What the recipe of a resolved component gives.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Material {
    pub component_type: String,
    /// Selected for this platform, not interpolated.
    pub lifecycle: Value,
    pub defaults: Map<String, Value>,
}

impl Plan {
    /// Decides, from the tree as it is.
    pub fn draw(
        tree: &Tree,
        deployment: &Deployment,
        roots: &[Root],
        resolved: &BTreeMap<ComponentName, Resolved>,
        materials: &BTreeMap<ComponentName, Material>,
        broken: BTreeSet<ComponentName>,
        paths: &Paths,
    ) -> Self {
        let running = running_versions(tree);
        let newest = tree.modified(&KeyPath::root()).unwrap_or_default();
        let request = &deployment.request;
        let own_roots: BTreeSet<&ComponentName> =
            roots.iter().filter(|root| root.group == request.group).map(|root| &root.name).collect();
        let services = resolved.iter().map(|(name, answer)| {
            let material = materials.get(name).cloned().unwrap_or_default();
            let changed = running.get(name).filter(|running| **running != answer.version);
            // The daemon's own settings are nobody's root and everybody's.
            let is_root = own_roots.contains(name) || name.as_str() == NUCLEUS;
            let service = Service {
                version: answer.version.clone(),
                previous_version: changed.cloned(),
                component_type: match (&answer.provider, material.component_type) {
                    (Provider::Daemon, _) if name.as_str() == NUCLEUS => "NUCLEUS".into(),
                    (_, kind) if kind.is_empty() => "GENERIC".into(),
                    (_, kind) => kind,
                },
                dependencies: answer.dependencies.iter().map(dependency_text).collect(),
                lifecycle: material.lifecycle,
                defaults: material.defaults,
                update: request.configuration.get(name).filter(|_| is_root).cloned().unwrap_or_default(),
                run_with: request.run_with.get(name).filter(|_| is_root).cloned(),
            };
            (name.clone(), service)
        });
        let mut plan = Self {
            id: deployment.id.to_string(),
            group: request.group.clone(),
            created_on: deployment.created_on,
            time: newest.max(deployment.created_on),
            services: services.collect(),
            removed: running.into_keys().filter(|name| !resolved.contains_key(name) && !is_builtin(name)).collect(),
            roots: BTreeMap::new(),
            broken,
            bootstraps: Vec::new(),
            daemon: resolved
                .iter()
                .find(|(name, answer)| name.as_str() == NUCLEUS && answer.provider == Provider::Store)
                .map(|(_, answer)| answer.version.clone()),
        };
        for root in roots {
            plan.roots.entry(root.group.clone()).or_default().insert(root.name.clone(), root.version.clone());
        }
        if interpolates_configuration(tree, deployment) {
            plan.interpolate_configuration(resolved, paths, tree);
        }
        // Variables see the configuration as it will be, so it is applied to a copy of the tree first.
        let mut target = tree.clone();
        for edit in plan.edits() {
            target.apply(&edit);
        }
        plan.interpolate(&target, resolved, paths);
        for (name, service) in &plan.services {
            target.apply(&lifecycle_edit(name, service, plan.time));
        }
        plan.bootstraps = in_order(resolved)
            .into_iter()
            .filter(|name| !is_builtin(name))
            .filter(|name| needs_bootstrap(component(tree, name).as_ref(), component(&target, name).as_ref()))
            .collect();
        plan
    }

    /// The merge that makes the target, all but the removal of components.
    pub fn edits(&self) -> Vec<Edit> {
        let time = self.time;
        let mut edits = Vec::new();
        for (name, service) in &self.services {
            let at = KeyPath::service(name.as_str());
            let mut write = |key: &str, value: Value| edits.push(Edit::Write { at: at.join(key), value, time });
            if let Some(previous) = &service.previous_version {
                write("previousVersion", json!(previous));
            }
            write("version", json!(service.version));
            write("componentType", json!(service.component_type));
            write("dependencies", json!(service.dependencies));
            edits.push(lifecycle_edit(name, service, time));
            edits.extend(configuration_edits(&at.join("configuration"), service, self.created_on));
            edits.extend(service.run_with.iter().flat_map(|info| run_with_edits(&at.join("runWith"), info, time)));
        }
        let mut main: BTreeSet<&str> =
            self.roots.values().flat_map(|roots| roots.keys().map(ComponentName::as_str)).collect();
        main.insert(NUCLEUS);
        let main = json!(main);
        edits.push(Edit::Write { at: KeyPath::service("main").join("dependencies"), value: main, time });
        edits.push(self.groups_edit());
        let last = json!({"timestamp": self.created_on, "configArn": self.id});
        let at = KeyPath::service("DeploymentService").join_all(["GroupToLastDeployment", self.group.as_str()]);
        edits.push(Edit::Replace { at, value: last, time });
        edits
    }

    /// Takes what nobody requires any more out of the configuration.
    pub fn removals(&self) -> Vec<Edit> {
        let at = KeyPath::new(["services"]);
        let gone = self.removed.iter().map(|name| Edit::Reset {
            at: at.clone(),
            pointer: format!("/{name}"),
            time: self.time,
        });
        gone.collect()
    }

    pub fn removed(&self) -> &[ComponentName] {
        &self.removed
    }

    pub fn bootstraps(&self) -> &[ComponentName] {
        &self.bootstraps
    }

    pub fn daemon(&self) -> Option<&ComponentVersion> {
        self.daemon.as_ref()
    }

    pub fn was_broken(&self, name: &ComponentName) -> bool {
        self.broken.contains(name)
    }

    /// The components whose outcome decides: all that shall run.
    pub fn tracked(&self) -> Vec<ComponentName> {
        self.services.keys().filter(|name| !is_builtin(name)).cloned().collect()
    }

    /// The tree as this plan makes it of `tree`.
    pub fn target(&self, tree: &Tree) -> Tree {
        let mut target = tree.clone();
        for edit in self.edits() {
            target.apply(&edit);
        }
        target
    }

    /// The components that stay at their version but get another configuration, and which.
    pub fn reconfigured(&self, tree: &Tree) -> BTreeMap<ComponentName, Value> {
        let target = self.target(tree);
        let configuration = |tree: &Tree, at: &KeyPath| tree.value(at).unwrap_or_else(|| json!({}));
        let running = running_versions(tree);
        let staying = self.services.iter().filter(|(name, service)| running.get(*name) == Some(&service.version));
        let changes = staying.filter_map(|(name, _)| {
            let at = KeyPath::service(name.as_str()).join("configuration");
            let proposed = configuration(&target, &at);
            (proposed != configuration(tree, &at)).then(|| (name.clone(), proposed))
        });
        changes.collect()
    }

    /// Fills in what is about the component itself, in what this deployment brings.
    fn interpolate_configuration(&mut self, resolved: &BTreeMap<ComponentName, Resolved>, paths: &Paths, tree: &Tree) {
        let root_path = paths.root().to_string_lossy();
        let thing_name = tree.text(&KeyPath::new(["system", "thingName"])).filter(|name| !name.is_empty());
        for (name, service) in &mut self.services {
            let Some(answer) = resolved.get(name) else { continue };
            let own = variables_of(name, &answer.version, paths, &Value::Null);
            let variables = Variables {
                root_path: &root_path,
                thing_name: thing_name.as_deref(),
                own,
                dependencies: BTreeMap::new(),
            };
            for values in [&mut service.defaults, &mut service.update.merge] {
                let mut whole = Value::Object(std::mem::take(values));
                drop(interpolate(&mut whole, &variables, Scope::Configuration));
                if let Value::Object(filled) = whole {
                    *values = filled;
                }
            }
        }
    }

    /// Fills the variables of every lifecycle in; one that cannot be filled in stays and is only told of.
    fn interpolate(&mut self, target: &Tree, resolved: &BTreeMap<ComponentName, Resolved>, paths: &Paths) {
        let configurations: BTreeMap<&ComponentName, Value> = resolved
            .keys()
            .map(|name| {
                let at = KeyPath::service(name.as_str()).join("configuration");
                (name, target.value(&at).unwrap_or_else(|| json!({})))
            })
            .collect();
        let of = |name: &ComponentName| {
            Some(variables_of(name, &resolved.get(name)?.version, paths, configurations.get(name)?))
        };
        let root_path = paths.root().to_string_lossy();
        let thing_name = target.text(&KeyPath::new(["system", "thingName"])).filter(|name| !name.is_empty());
        for (name, service) in &mut self.services {
            let (Some(own), Some(answer)) = (of(name), resolved.get(name)) else { continue };
            let dependencies = answer.dependencies.keys().filter_map(|name| Some((name, of(name)?)));
            let variables = Variables {
                root_path: &root_path,
                thing_name: thing_name.as_deref(),
                own,
                dependencies: dependencies.collect(),
            };
            for unresolved in interpolate(&mut service.lifecycle, &variables, Scope::Lifecycle) {
                tracing::error!(component = %name, %unresolved, "A recipe variable has no value.");
            }
        }
    }

    fn groups_edit(&self) -> Edit {
        let roots = self.roots.get(&self.group).into_iter().flatten().map(|(name, version)| {
            (name.to_string(), json!({"version": version, "groupConfigArn": self.id, "groupConfigName": self.group}))
        });
        let at = KeyPath::service("DeploymentService").join_all(["GroupToRootComponents", self.group.as_str()]);
        Edit::Replace { at, value: Value::Object(roots.collect()), time: self.time }
    }
}

/// `interpolateComponentConfiguration` of the nucleus: what the deployment says counts before what is there.
fn interpolates_configuration(tree: &Tree, deployment: &Deployment) -> bool {
    let key = "interpolateComponentConfiguration";
    let updates = deployment.request.configuration.iter();
    let update =
        updates.filter(|(name, _)| name.as_str() == NUCLEUS).find_map(|(_, update)| update.merge.get(key).cloned());
    let running = || tree.value(&KeyPath::service(NUCLEUS).join_all(["configuration", key]));
    update.or_else(running).is_some_and(|value| value == true || value == "true")
}

fn variables_of<'a>(
    name: &ComponentName,
    version: &ComponentVersion,
    paths: &Paths,
    configuration: &'a Value,
) -> ComponentVariables<'a> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    ComponentVariables {
        artifacts_path: text(paths.artifacts(name, version)),
        decompressed_path: text(paths.unarchived(name, version)),
        work_path: text(paths.work(name)),
        configuration,
    }
}

fn lifecycle_edit(name: &ComponentName, service: &Service, time: Timestamp) -> Edit {
    let at = KeyPath::service(name.as_str()).join("lifecycle");
    let value = if service.lifecycle.is_object() { service.lifecycle.clone() } else { json!({}) };
    Edit::Replace { at, value, time }
}

/// Reset, then defaults at the dawn of time, then the merge, whatever order the document had.
fn configuration_edits(at: &KeyPath, service: &Service, created_on: Timestamp) -> Vec<Edit> {
    let mut edits = Vec::new();
    for pointer in &service.update.reset {
        edits.push(Edit::Reset { at: at.clone(), pointer: pointer.clone(), time: created_on });
        if pointer.is_empty() {
            break;
        }
    }
    edits.push(Edit::Default { at: at.clone(), value: Value::Object(service.defaults.clone()) });
    if !service.update.merge.is_empty() {
        edits.push(Edit::Merge {
            at: at.clone(),
            value: Value::Object(service.update.merge.clone()),
            time: created_on,
        });
    }
    edits
}

/// A user that was not sent stays; limits that were not sent go.
fn run_with_edits(at: &KeyPath, info: &RunWithInfo, time: Timestamp) -> Vec<Edit> {
    let mut edits = Vec::new();
    if let Some(user) = &info.posix_user {
        edits.push(Edit::Write { at: at.join("posixUser"), value: json!(user), time });
    }
    edits.push(match &info.system_resource_limits {
        Some(limits) => Edit::Replace { at: at.join("systemResourceLimits"), value: json!(limits), time },
        None => Edit::Reset { at: at.clone(), pointer: "/systemResourceLimits".into(), time },
    });
    edits
}

fn dependency_text((name, kind): (&ComponentName, &DependencyType)) -> String {
    match kind {
        DependencyType::Hard => format!("{name}:HARD"),
        DependencyType::Soft => format!("{name}:SOFT"),
    }
}

/// New with the step, at another version, or with another text of it.
fn needs_bootstrap(before: Option<&Component>, after: Option<&Component>) -> bool {
    let Some(after) = after.filter(|after| after.lifecycle.bootstrap.is_some()) else { return false };
    before
        .is_none_or(|before| before.version != after.version || before.lifecycle.bootstrap != after.lifecycle.bootstrap)
}

/// Dependencies before dependents; there is no circle any more.
fn in_order(resolved: &BTreeMap<ComponentName, Resolved>) -> Vec<ComponentName> {
    let mut order = Vec::new();
    let mut placed = BTreeSet::new();
    for start in resolved.keys() {
        let mut stack = vec![(start, false)];
        while let Some((name, below_done)) = stack.pop() {
            if below_done {
                if placed.insert(name.clone()) {
                    order.push(name.clone());
                }
            } else if !placed.contains(name) {
                stack.push((name, true));
                if let Some(answer) = resolved.get(name) {
                    stack.extend(answer.dependencies.keys().map(|dependency| (dependency, false)));
                }
            }
        }
    }
    order.retain(|name| resolved.contains_key(name));
    order
}
