//! All that happens before anything changes: take in, resolve, fetch, decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::Mutex;

use super::course::{Desk, Halt, Note};
use super::failure::Failure;
use super::fetch::{Fetcher, Order, Retries};
use super::inbox;
use super::ledger::LedgerError;
use super::plan::{Material, Plan};
use super::resolve::{NUCLEUS, Provider, Resolved, Root, own_version, resolve, roots, running_versions};
use super::shelf::StoredRecipes;
use super::state::Deployment;
use super::tidy;
use crate::net::http::Client;
use crate::store::artifacts;
use crate::store::paths::Paths;
use crate::store::tree::{KeyPath, Tree};
use crate::wire::deployment_error::ErrorCode;
use crate::wire::name::ComponentName;
use crate::wire::platform::PlatformAttributes;
use crate::wire::recipe::ComponentType;
use crate::wire::state::DetailedStatus;

/// Prepares deployments, one at a time: what a cancelled one still does ends before the next begins.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    paths: Paths,
    platform: PlatformAttributes,
    client: Client,
    lane: Arc<Mutex<()>>,
}

/// A deployment that can be carried out: everything it needs is in the store.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    paths: Paths,
    roots: Vec<Root>,
    resolved: BTreeMap<ComponentName, Resolved>,
    materials: BTreeMap<ComponentName, Material>,
}

impl Preparation {
    pub(super) fn new(paths: Paths, platform: PlatformAttributes, client: Client) -> Self {
        Self { paths, platform, client, lane: Arc::default() }
    }

    /// Everything that can take long. Dropping the future makes the work end at its next step.
    pub(super) async fn prepare(&self, deployment: &Deployment, tree: Tree, desk: &Desk) -> Result<Ready, Halt> {
        let lane = Arc::clone(&self.lane).lock_owned().await;
        let cancelled = CancelOnDrop(Arc::default());
        let job = Job {
            preparation: self.clone(),
            deployment: deployment.clone(),
            tree,
            desk: desk.clone(),
            cancelled: Arc::clone(&cancelled.0),
        };
        let work = tokio::task::spawn_blocking(move || {
            let _lane = lane;
            job.run()
        });
        Ok(work.await.map_err(|_| Halt::GoingDown)??)
    }

    /// Removes what is not needed any more. After a failure versions stay: another attempt need not fetch them again.
    pub(super) async fn tidy(&self, tree: Tree, status: DetailedStatus) {
        let lane = Arc::clone(&self.lane).lock_owned().await;
        let paths = self.paths.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _lane = lane;
            tidy::forget_plans(&paths);
            if status == DetailedStatus::Successful {
                tidy::tidy(&paths, &tree);
            }
        });
        // It only ends early when the daemon does.
        let _ = work.await;
    }
}

impl Ready {
    /// Whether Bootstrap steps would run, any of which may ask for a restart. Decides nothing yet.
    pub(super) async fn would_bootstrap(&self, deployment: &Deployment, tree: Tree) -> Result<bool, Halt> {
        let (ready, deployment) = (self.clone(), deployment.clone());
        let work = tokio::task::spawn_blocking(move || {
            !ready.plan(&deployment, &tree, BTreeSet::new()).bootstraps().is_empty()
        });
        work.await.map_err(|_| Halt::GoingDown)
    }

    /// Decides and writes the decision down.
    pub(super) async fn draw(
        self,
        deployment: Deployment,
        tree: Tree,
        broken: BTreeSet<ComponentName>,
        write: impl FnOnce(&Plan, &Tree) -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<Plan, Halt> {
        let work = tokio::task::spawn_blocking(move || {
            let plan = self.plan(&deployment, &tree, broken);
            let codes = [ErrorCode::IoError, ErrorCode::IoWriteError];
            write(&plan, &tree).map_err(|e| Failure::coded(&codes, &e)).map(|()| plan)
        });
        Ok(work.await.map_err(|_| Halt::GoingDown)??)
    }

    fn plan(&self, deployment: &Deployment, tree: &Tree, broken: BTreeSet<ComponentName>) -> Plan {
        Plan::draw(tree, deployment, &self.roots, &self.resolved, &self.materials, broken, &self.paths)
    }
}

/// The blocking part.
struct Job {
    preparation: Preparation,
    deployment: Deployment,
    tree: Tree,
    desk: Desk,
    cancelled: Arc<AtomicBool>,
}

impl Job {
    fn run(self) -> Result<Ready, Failure> {
        let paths = &self.preparation.paths;
        let request = &self.deployment.request;
        self.progress("taking in recipes and artifacts".into());
        if let Some(directory) = &request.recipe_directory {
            inbox::take_recipes(paths, Path::new(directory)).map_err(|e| Failure::of(&e.stack(), &e))?;
        }
        if let Some(directory) = &request.artifact_directory {
            let codes = [ErrorCode::IoError, ErrorCode::IoFileAttributeError];
            let room = artifacts::room(paths, store_limit(&self.tree)).map_err(|e| Failure::coded(&codes, &e))?;
            inbox::take_artifacts(paths, Path::new(directory), room).map_err(|e| Failure::of(&e.stack(), &e))?;
        }

        self.progress("resolving versions".into());
        let settings = KeyPath::service(NUCLEUS).join("configuration");
        let platform = match self.tree.value(&settings.join("platformOverride")) {
            Some(Value::Object(overrides)) => self.preparation.platform.clone().overridden(&overrides),
            _ => self.preparation.platform.clone(),
        };
        let unread = |e| {
            Failure::coded(&[ErrorCode::ComponentPackageLoadingError, ErrorCode::IoError, ErrorCode::IoReadError], &e)
        };
        let mut shelf = StoredRecipes::open(paths, &platform).map_err(unread)?;
        let roots = roots(&self.tree, request);
        let running = running_versions(&self.tree);
        let mut resolved = resolve(&roots, &running, &mut shelf).map_err(|e| Failure::of(&e.stack(), &e))?;
        for name in request.configuration.keys().chain(request.run_with.keys()) {
            let is_root = roots.iter().any(|root| root.group == request.group && root.name == *name);
            match own_version(name, &running).filter(|_| name.as_str() == NUCLEUS) {
                // The daemon runs although nobody requires it.
                Some(version) => drop(resolved.entry(name.clone()).or_insert_with(|| Resolved {
                    version,
                    provider: Provider::Daemon,
                    dependencies: BTreeMap::new(),
                })),
                None if is_root => {}
                None => tracing::warn!(
                    component = %name,
                    group = %request.group,
                    "The deployment configures what is no root component of its group; that has no effect."
                ),
            }
        }

        let mut materials = BTreeMap::new();
        let mut orders = Vec::new();
        for (name, answer) in resolved.iter().filter(|(_, answer)| answer.provider == Provider::Store) {
            let Some((recipe, selected)) = shelf.take(name, &answer.version) else { continue };
            let material = Material {
                component_type: type_name(recipe.kind).into(),
                lifecycle: Value::Object(selected.lifecycle),
                defaults: recipe.default_configuration,
            };
            materials.insert(name.clone(), material);
            orders.push(Order { name: name.clone(), version: answer.version.clone(), artifacts: selected.artifacts });
        }
        let fetcher = Fetcher {
            paths,
            client: &self.preparation.client,
            store_limit: store_limit(&self.tree),
            retries: Retries::default(),
            cancelled: &self.cancelled,
            progress: &|text| self.progress(text),
        };
        fetcher.fetch_all(&orders).map_err(|e| Failure::of(&e.stack(), &e))?;
        Ok(Ready { paths: paths.clone(), roots, resolved, materials })
    }

    /// Said only while somebody listens.
    fn progress(&self, text: String) {
        if !self.cancelled.load(Ordering::Relaxed) {
            let _ = self.desk.0.blocking_send(Note::Progress(text));
        }
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As `services.<name>.componentType` spells it.
fn type_name(kind: ComponentType) -> &'static str {
    match kind {
        ComponentType::Generic => "GENERIC",
        ComponentType::Lambda => "LAMBDA",
        ComponentType::Plugin => "PLUGIN",
        ComponentType::Nucleus => "NUCLEUS",
    }
}

fn store_limit(tree: &Tree) -> u64 {
    let at = KeyPath::service(NUCLEUS).join_all(["configuration", "componentStoreMaxSizeBytes"]);
    match tree.value(&at) {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(DEFAULT_STORE_LIMIT),
        Some(Value::String(text)) => text.trim().parse().unwrap_or(DEFAULT_STORE_LIMIT),
        _ => DEFAULT_STORE_LIMIT,
    }
}

/// `componentStoreMaxSizeBytes`, when the configuration does not say.
const DEFAULT_STORE_LIMIT: u64 = 10_000_000_000;
