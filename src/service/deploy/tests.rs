//! The service with the real configuration and the real store; a supervisor that only pretends stands below it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::service::supervisor::{ComponentStatus, DesiredSet, Request as Asked, Settlement};
use crate::store::tree::{Given, KeyPath, open};
use crate::wire::deployment::{DeploymentRecord, LocalDeploymentRequest};
use crate::wire::name::{ComponentName, DeploymentId};
use crate::wire::state::{ComponentState, DeploymentStatus, DetailedStatus, StatusCode};

/// What the pretended supervisor was asked, and how it behaves.
#[derive(Default)]
struct Stage {
    applied: Vec<DesiredSet>,
    bootstraps: Vec<String>,
    /// Never answer whether this one has settled.
    hang: Option<ComponentName>,
}

impl Stage {
    /// A component whose Run script is `fail` is BROKEN.
    fn settlement(&self, tracked: &[ComponentName]) -> Settlement {
        let set = self.applied.last().cloned().unwrap_or_default();
        let broken: Vec<_> = tracked
            .iter()
            .filter(|name| {
                let run = set.components.get(*name).and_then(|component| component.lifecycle.run.as_ref());
                run.is_some_and(|run| run.as_ref().is_ok_and(|step| step.script == "fail"))
            })
            .map(|name| (name.clone(), "exit code 1".to_owned()))
            .collect();
        if broken.is_empty() { Settlement::Reached } else { Settlement::Broken(broken) }
    }

    async fn serve(stage: Arc<Mutex<Self>>, mut inbox: mpsc::Receiver<Asked>) {
        let mut unanswered = Vec::new();
        while let Some(request) = inbox.recv().await {
            let mut stage = stage.lock().unwrap();
            match request {
                Asked::Apply { set, reply } => {
                    stage.applied.push(*set);
                    let _ = reply.send(());
                }
                Asked::Settled { tracked, reply } if stage.hang.as_ref().is_some_and(|name| tracked.contains(name)) => {
                    unanswered.push(reply);
                }
                Asked::Settled { tracked, reply } => drop(reply.send(stage.settlement(&tracked))),
                Asked::Bootstrap { name, component, reply } => {
                    let script = component.lifecycle.bootstrap.as_ref().unwrap().as_ref().unwrap().step.script.clone();
                    stage.bootstraps.push(format!("{name} {}: {script}", component.version));
                    drop(reply.send(Ok(script.trim_start_matches("exit ").parse().unwrap())));
                }
                Asked::Components { reply } => {
                    let set = stage.applied.last().cloned().unwrap_or_default();
                    let statuses = set.components.into_iter().map(|(name, component)| {
                        let status = ComponentStatus {
                            version: component.version,
                            state: ComponentState::Running,
                            status_code: StatusCode::None,
                            reason: String::new(),
                            paused: false,
                            pid: None,
                        };
                        (name, status)
                    });
                    drop(reply.send(statuses.collect()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A device in a temporary directory, and recipes beside it.
struct Device {
    scratch: tempfile::TempDir,
    config: config::Handle,
    stage: Arc<Mutex<Stage>>,
    deploy: Handle,
    task: JoinHandle<()>,
    exits: mpsc::Receiver<Exit>,
}

impl Device {
    fn new() -> Self {
        Self::start(tempfile::tempdir().unwrap())
    }

    fn start(scratch: tempfile::TempDir) -> Self {
        let paths = Paths::new(scratch.path().join("root"));
        for (directory, mode) in paths.directories() {
            crate::store::file::make_directory(&directory, mode).unwrap();
        }
        std::fs::create_dir_all(scratch.path().join("recipes")).unwrap();
        std::fs::create_dir_all(scratch.path().join("artifacts")).unwrap();
        let (config, _) = config::spawn(open(&paths.config(), &Given::Nothing).unwrap(), paths.config());
        let (asks, asked) = mpsc::channel(8);
        let stage = Arc::<Mutex<Stage>>::default();
        tokio::spawn(Stage::serve(Arc::clone(&stage), asked));
        let (exit, exits) = mpsc::channel(1);
        let own = OwnUpdates::new(&paths, Vec::new());
        let (deploy, task) = spawn(Neighbours {
            own,
            paths,
            config: config.clone(),
            supervisor: supervisor::Handle::wired(asks, broadcast::channel(1).0),
            platform: PlatformAttributes::detect("linux", "x86_64"),
            exit,
            updates: None,
        })
        .unwrap();
        Self { scratch, config, stage, deploy, task, exits }
    }

    /// As after SIGKILL: nothing was told to end.
    async fn restart(self) -> Self {
        self.task.abort();
        let _ = self.task.await;
        self.config.close().await.unwrap();
        Self::start(self.scratch)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.scratch.path().join(below)
    }

    fn recipe(&self, name: &str, version: &str, more: Value) {
        let mut recipe = json!({
            "RecipeFormatVersion": "2020-01-25", "ComponentName": name, "ComponentVersion": version,
            "Manifests": [{"Lifecycle": {"Run": "run"}}],
        });
        let Value::Object(more) = more else { panic!("{more} is no object") };
        recipe.as_object_mut().unwrap().extend(more);
        std::fs::write(self.path("recipes").join(format!("{name}-{version}.json")), recipe.to_string()).unwrap();
    }

    /// A recipe whose only artifact is `uri`.
    fn recipe_with(&self, name: &str, artifact: Value) {
        let manifest = json!({"Lifecycle": {"Run": "run {artifacts:path}"}, "Artifacts": Value::Array(vec![artifact])});
        self.recipe(name, "1.0.0", json!({"Manifests": [manifest]}));
    }

    async fn submit(&self, request: Value) -> DeploymentId {
        let mut request: LocalDeploymentRequest = serde_json::from_value(request).unwrap();
        request.recipe_directory = Some(self.path("recipes").to_str().unwrap().into());
        request.artifact_directory = Some(self.path("artifacts").to_str().unwrap().into());
        self.deploy.submit(request).await.unwrap()
    }

    async fn ended(&self, id: &DeploymentId) -> DeploymentRecord {
        self.until(id, |record| record.status.is_final()).await
    }

    async fn until(&self, id: &DeploymentId, reached: impl Fn(&DeploymentRecord) -> bool) -> DeploymentRecord {
        let mut revision = self.deploy.revision();
        loop {
            revision.borrow_and_update();
            let record = self.deploy.status(id.clone()).await.unwrap();
            if reached(&record) {
                return record;
            }
            revision.changed().await.unwrap();
        }
    }

    async fn deploy(&self, request: Value) -> DeploymentRecord {
        let id = self.submit(request).await;
        self.ended(&id).await
    }

    async fn succeed(&self, request: Value) {
        let record = self.deploy(request).await;
        assert_eq!(record.status, DeploymentStatus::Succeeded, "{record:?}");
    }

    /// Fails with these details.
    async fn fail(&self, request: Value, status: DetailedStatus, codes: &[&str]) -> String {
        let record = self.deploy(request).await;
        assert_eq!(record.status, DeploymentStatus::Failed, "{record:?}");
        let details = record.details.unwrap();
        assert_eq!(details.detailed_status, status, "{details:?}");
        assert_eq!(details.error_stack, [&["DEPLOYMENT_FAILURE"], codes].concat(), "{details:?}");
        details.failure_cause
    }

    fn running(&self) -> BTreeMap<String, String> {
        let stage = self.stage.lock().unwrap();
        let set = stage.applied.last().cloned().unwrap_or_default();
        set.components.into_iter().map(|(name, c)| (name.to_string(), c.version.to_string())).collect()
    }

    /// The names in every set the supervisor was given.
    fn applied(&self) -> Vec<Vec<String>> {
        let stage = self.stage.lock().unwrap();
        stage.applied.iter().map(|set| set.components.keys().map(ToString::to_string).collect()).collect()
    }

    fn value(&self, pointer: &str) -> Option<Value> {
        self.config.read(&KeyPath::from_pointer(pointer).unwrap())
    }
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn versions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

#[tokio::test]
async fn deployments_add_update_downgrade_and_remove() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({"ComponentDependencies": {"b": {"VersionRequirement": "^1.0.0"}}}));
    device.recipe("b", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.running(), versions(&[("a", "1.0.0"), ("b", "1.0.0")]));
    assert_eq!(device.value("/services/main/dependencies"), Some(json!(["a", "aws.greengrass.Nucleus"])));
    assert_eq!(device.value("/services/a/dependencies"), Some(json!(["b:HARD"])));
    assert_eq!(
        device.value("/services/DeploymentService/GroupToRootComponents/LOCAL_DEPLOYMENT/a/version"),
        Some(json!("1.0.0"))
    );

    device.recipe("a", "2.0.0", json!({}));
    device.succeed(json!({"add": {"a": "2.0.0"}})).await;
    assert_eq!(device.running(), versions(&[("a", "2.0.0")]), "nobody needs b any more");
    assert_eq!(device.value("/services/b"), None);
    assert_eq!(device.value("/services/a/previousVersion"), Some(json!("1.0.0")));

    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.running(), versions(&[("a", "1.0.0"), ("b", "1.0.0")]));
    device.succeed(json!({"remove": ["a"]})).await;
    assert_eq!(device.running(), versions(&[]));
    assert_eq!(device.value("/services/a"), None);

    let device = device.restart().await;
    assert_eq!(device.deploy.list().await.unwrap().len(), 4);
}

#[tokio::test]
async fn removed_component_runs_until_its_successor_has_settled() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.recipe("b", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    device.stage.lock().unwrap().applied.clear();
    device.succeed(json!({"add": {"b": "1.0.0"}, "remove": ["a"]})).await;
    assert_eq!(device.applied(), [vec!["a", "b"], vec!["b"]]);
}

#[tokio::test]
async fn removal_is_done_again_after_a_kill_while_a_component_is_uninstalled() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.recipe("b", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    {
        let mut stage = device.stage.lock().unwrap();
        stage.applied.clear();
        stage.hang = Some(ComponentName::parse("a").unwrap());
    }
    let id = device.submit(json!({"add": {"b": "1.0.0"}, "remove": ["a"]})).await;
    while device.applied().len() < 2 {
        tokio::task::yield_now().await;
    }
    let device = device.restart().await;
    assert_eq!(device.ended(&id).await.status, DeploymentStatus::Succeeded);
    assert_eq!(device.applied(), [vec!["a", "b"], vec!["b"]]);
    assert_eq!(device.value("/services/a"), None);
}

#[tokio::test]
async fn groups_keep_their_roots_apart() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.recipe("b", "1.0.0", json!({}));
    device.succeed(json!({"group": "thinggroup/x", "add": {"a": "1.0.0"}})).await;
    device.succeed(json!({"group": "thinggroup/y", "add": {"a": "1.0.0", "b": "1.0.0"}})).await;
    device.succeed(json!({"group": "thinggroup/y", "remove": ["a", "b"]})).await;
    assert_eq!(device.running(), versions(&[("a", "1.0.0")]), "x still has it");
}

#[tokio::test]
async fn configuration_is_reset_then_filled_then_merged() {
    let device = Device::new();
    let defaults = json!({"DefaultConfiguration": {"a": 1, "list": [1, 2], "deep": {"x": "x", "y": "y"}}});
    let script = "{configuration:/a} {configuration:/deep/x} {b:configuration:/k} {configuration:/none}";
    let manifests = json!([{"Lifecycle": {"Run": script}}]);
    let needs = json!({"b": {"VersionRequirement": "*"}});
    device.recipe(
        "a",
        "1.0.0",
        json!({"ComponentConfiguration": defaults, "Manifests": manifests, "ComponentDependencies": needs}),
    );
    device.recipe("b", "1.0.0", json!({"ComponentConfiguration": {"DefaultConfiguration": {"k": "v"}}}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.value("/services/a/lifecycle/Run"), Some(json!("1 x v {configuration:/none}")));

    let update = json!({"merge": {"a": null, "list": [3], "deep": {"x": {"n": 1}}, "new": true}});
    device
        .succeed(json!({"add": {"a": "1.0.0"}, "configuration": {"a": update, "b": {"merge": {"k": "other"}}}}))
        .await;
    assert_eq!(
        device.value("/services/a/configuration"),
        Some(json!({"a": null, "list": [3], "deep": {"x": {"n": 1}, "y": "y"}, "new": true}))
    );
    assert_eq!(device.value("/services/b/configuration"), Some(json!({"k": "v"})), "b is no root");

    let update = json!({"reset": ["/deep/x", "/new", "/list/0", "/nowhere"], "merge": {"a": 7}});
    device.succeed(json!({"configuration": {"a": update}})).await;
    assert_eq!(
        device.value("/services/a/configuration"),
        Some(json!({"a": 7, "list": [3], "deep": {"x": "x", "y": "y"}}))
    );
    device.succeed(json!({"configuration": {"a": {"reset": ["", "/a"]}}})).await;
    assert_eq!(
        device.value("/services/a/configuration"),
        Some(json!({"a": 1, "list": [1, 2], "deep": {"x": "x", "y": "y"}}))
    );
}

#[tokio::test]
async fn configuration_is_interpolated_when_the_nucleus_says_so() {
    let device = Device::new();
    let defaults = json!({"DefaultConfiguration": {"a": "{work:path}", "b": "{configuration:/a}"}});
    device.recipe("a", "1.0.0", json!({"ComponentConfiguration": defaults}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.value("/services/a/configuration/a"), Some(json!("{work:path}")));
    let nucleus = json!({"merge": {"interpolateComponentConfiguration": true}});
    device
        .succeed(json!({"add": {"aws.greengrass.Nucleus": "2.18.0"},
            "configuration": {"aws.greengrass.Nucleus": nucleus, "a": {"reset": [""]}}}))
        .await;
    let work = device.path("root/work/a");
    assert_eq!(device.value("/services/a/configuration"), Some(json!({"a": work.to_str(), "b": "{configuration:/a}"})));
}

#[tokio::test]
async fn failing_component_is_left_when_nothing_shall_be_done() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.recipe("a", "2.0.0", json!({"Manifests": [{"Lifecycle": {"Run": "fail"}}]}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let broken = &["COMPONENT_UPDATE_ERROR", "COMPONENT_BROKEN"];
    let request = json!({"add": {"a": "2.0.0"}});
    let cause = device.fail(request, DetailedStatus::FailedRollbackNotRequested, broken).await;
    assert_eq!(cause, "a is BROKEN: exit code 1");
    assert_eq!(device.running(), versions(&[("a", "2.0.0")]));
}

#[tokio::test]
async fn failing_component_is_rolled_back_when_asked() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({"ComponentConfiguration": {"DefaultConfiguration": {"k": 1}}}));
    device.recipe("a", "2.0.0", json!({"Manifests": [{"Lifecycle": {"Run": "fail"}}]}));
    device.recipe("b", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let before = device.config.snapshot();
    let request = json!({"add": {"a": "2.0.0", "b": "1.0.0"}, "failureHandlingPolicy": "ROLLBACK",
        "configuration": {"a": {"merge": {"k": 2}}}});
    let broken = &["COMPONENT_UPDATE_ERROR", "COMPONENT_BROKEN"];
    device.fail(request, DetailedStatus::FailedRollbackComplete, broken).await;
    assert_eq!(device.running(), versions(&[("a", "1.0.0")]));
    assert_eq!(device.config.snapshot(), before);
}

#[tokio::test]
async fn deployment_goes_on_after_a_kill_while_components_settle() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.stage.lock().unwrap().hang = Some(ComponentName::parse("a").unwrap());
    let first = device.submit(json!({"add": {"a": "1.0.0"}})).await;
    let second = device.submit(json!({"configuration": {"a": {"merge": {"k": 1}}}})).await;
    device.until(&first, |record| record.progress.contains("settle")).await;
    assert_eq!(device.deploy.cancel(first.clone()).await, Err(Refused::TooLate(first.clone())));
    let device = device.restart().await;
    assert_eq!(device.ended(&first).await.status, DeploymentStatus::Succeeded);
    assert_eq!(device.ended(&second).await.status, DeploymentStatus::Succeeded);
    assert_eq!(device.running(), versions(&[("a", "1.0.0")]));
    assert_eq!(device.value("/services/a/configuration/k"), Some(json!(1)));
}

#[tokio::test]
async fn activation_whose_plan_is_gone_does_not_claim_that_nothing_changed() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.stage.lock().unwrap().hang = Some(ComponentName::parse("a").unwrap());
    let id = device.submit(json!({"add": {"a": "1.0.0"}, "failureHandlingPolicy": "ROLLBACK"})).await;
    device.until(&id, |record| record.progress.contains("settle")).await;
    let plan = std::fs::read_dir(device.path("root/deployments").join(id.as_file_name())).unwrap().flatten();
    let plan = plan.map(|entry| entry.path()).find(|path| path.ends_with("plan.json")).unwrap();
    std::fs::write(plan, "torn").unwrap();
    let device = device.restart().await;
    let details = device.ended(&id).await.details.unwrap();
    assert_eq!(details.detailed_status, DetailedStatus::FailedUnableToRollback, "{details:?}");
}

#[tokio::test]
async fn rollback_goes_on_after_a_kill() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    let fails = json!([{"Lifecycle": {"Run": "fail", "Bootstrap": "exit 0"}}]);
    device.recipe("a", "2.0.0", json!({"Manifests": fails}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let id = device.submit(json!({"add": {"a": "2.0.0"}, "failureHandlingPolicy": "ROLLBACK"})).await;
    device.until(&id, |record| record.progress.contains("rolling back") || record.status.is_final()).await;
    device.stage.lock().unwrap().hang = Some(ComponentName::parse("a").unwrap());
    let device = device.restart().await;
    let record = device.ended(&id).await;
    assert_eq!(record.details.unwrap().detailed_status, DetailedStatus::FailedRollbackComplete);
    assert_eq!(device.running(), versions(&[("a", "1.0.0")]));
}

#[tokio::test]
async fn bootstrap_steps_run_before_anything_changes_and_may_restart() {
    let mut device = Device::new();
    let manifests = |script: &str| json!([{"Lifecycle": {"Bootstrap": script, "Run": "run"}}]);
    let needs = json!({"b": {"VersionRequirement": "*"}});
    device.recipe("a", "1.0.0", json!({"Manifests": manifests("exit 0"), "ComponentDependencies": needs}));
    device.recipe("b", "1.0.0", json!({"Manifests": manifests("exit 100")}));
    let id = device.submit(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.exits.recv().await, Some(Exit::Restart));
    assert_eq!(device.running(), versions(&[]));
    assert_eq!(device.stage.lock().unwrap().bootstraps, ["b 1.0.0: exit 100"]);

    let device = device.restart().await;
    assert_eq!(device.ended(&id).await.status, DeploymentStatus::Succeeded);
    assert_eq!(device.stage.lock().unwrap().bootstraps, ["a 1.0.0: exit 0"]);
    device.stage.lock().unwrap().bootstraps.clear();
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    assert_eq!(device.stage.lock().unwrap().bootstraps, [""; 0], "the same step does not run again");

    device.recipe("a", "2.0.0", json!({"Manifests": manifests("exit 3")}));
    let request = json!({"add": {"a": "2.0.0"}, "failureHandlingPolicy": "ROLLBACK"});
    let codes = &["COMPONENT_UPDATE_ERROR", "COMPONENT_BOOTSTRAP_ERROR"];
    let cause = device.fail(request, DetailedStatus::FailedRollbackComplete, codes).await;
    assert!(cause.contains("a failed: it ended with exit code 3"), "{cause}");
    assert_eq!(device.running(), versions(&[("a", "1.0.0"), ("b", "1.0.0")]));
}

#[tokio::test]
async fn cancel_ends_a_deployment_that_waits_for_consent() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    let mut told = device.deploy.updates().hear("a");
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 3600});
    let id = device.submit(json!({"add": {"a": "1.0.0"}, "componentUpdatePolicy": policy})).await;
    let waiting = device.submit(json!({})).await;
    assert_eq!(told.recv().await, Some(Notice::Before { deployment: id.clone(), restarting: false }));
    device.deploy.cancel(waiting.clone()).await.unwrap();
    device.deploy.cancel(id.clone()).await.unwrap();
    assert!(matches!(told.recv().await, Some(Notice::After { .. })));
    for id in [id, waiting] {
        assert_eq!(device.deploy.status(id.clone()).await.unwrap().status, DeploymentStatus::Canceled);
        assert_eq!(device.deploy.cancel(id.clone()).await, Err(Refused::Ended(id)));
    }
    assert_eq!(device.running(), versions(&[]));
    drop(told);
    device.succeed(json!({"add": {"a": "1.0.0"}, "componentUpdatePolicy": policy})).await;
}

#[tokio::test]
async fn deferred_deployment_goes_on_when_the_component_says_so() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({"Manifests": [{"Lifecycle": {"Bootstrap": "exit 0", "Run": "run"}}]}));
    let gate = device.deploy.updates();
    let mut told = gate.hear("x");
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 3600});
    let request = json!({"add": {"a": "1.0.0"}, "componentUpdatePolicy": policy});
    let id = device.submit(request.clone()).await;
    for deferral in [Duration::from_millis(1), Duration::ZERO] {
        assert_eq!(told.recv().await, Some(Notice::Before { deployment: id.clone(), restarting: true }));
        assert_eq!(device.running(), versions(&[]));
        gate.defer(&name("x"), &id, deferral).unwrap();
    }
    assert_eq!(told.recv().await, Some(Notice::After { deployment: id.clone() }));
    assert_eq!(device.ended(&id).await.status, DeploymentStatus::Succeeded);

    let id = device.submit(request).await;
    let again = Notice::Before { deployment: id.clone(), restarting: false };
    assert_eq!(told.recv().await, Some(again), "its Bootstrap step need not run again");
    gate.defer(&name("x"), &id, Duration::ZERO).unwrap();
    assert_eq!(told.recv().await, Some(Notice::After { deployment: id }));

    device.succeed(json!({"remove": ["a"]})).await;
    assert!(told.try_recv().is_err(), "a local deployment tells nobody unless asked to");
}

#[tokio::test]
async fn components_are_asked_again_after_a_kill_while_they_defer() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    let mut told = device.deploy.updates().hear("x");
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 1});
    let id = device.submit(json!({"add": {"a": "1.0.0"}, "componentUpdatePolicy": policy})).await;
    told.recv().await.unwrap();
    device.deploy.updates().defer(&name("x"), &id, Duration::from_secs(3600)).unwrap();
    let device = device.restart().await;
    let mut told = device.deploy.updates().hear("x");
    assert_eq!(told.recv().await, Some(Notice::Before { deployment: id.clone(), restarting: false }));
    device.deploy.updates().defer(&name("x"), &id, Duration::ZERO).unwrap();
    assert_eq!(device.ended(&id).await.status, DeploymentStatus::Succeeded);
}

#[tokio::test]
async fn end_of_a_failed_deployment_is_told_too() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({"Manifests": [{"Lifecycle": {"Run": "fail"}}]}));
    let mut told = device.deploy.updates().hear("x");
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 0});
    let id = device.submit(json!({"add": {"a": "1.0.0"}, "componentUpdatePolicy": policy})).await;
    assert_eq!(device.ended(&id).await.status, DeploymentStatus::Failed);
    assert_eq!(told.recv().await, Some(Notice::Before { deployment: id.clone(), restarting: false }));
    assert_eq!(told.recv().await, Some(Notice::After { deployment: id }));
}

#[tokio::test]
async fn component_judges_its_configuration_before_it_changes() {
    let device = Device::new();
    let defaults = json!({"ComponentConfiguration": {"DefaultConfiguration": {"k": 1, "l": 2}}});
    for name in ["a", "b"] {
        device.recipe(name, "1.0.0", defaults.clone());
        device.recipe(name, "2.0.0", defaults.clone());
    }
    device.succeed(json!({"add": {"a": "1.0.0", "b": "1.0.0"}})).await;
    let gate = device.deploy.validations();
    let mut proposals = gate.hear("a");
    let update = json!({"a": {"merge": {"k": 7}}, "b": {"merge": {"k": 8}}});
    let mut answer = async |verdict| {
        let id = device.submit(json!({"configuration": update})).await;
        let proposal = proposals.recv().await.unwrap();
        assert_eq!(proposal, Proposal { deployment: id.clone(), configuration: json!({"k": 7, "l": 2}) });
        assert_eq!(device.value("/services/a/configuration/k"), Some(json!(1)));
        gate.report(&name("a"), &id, verdict).unwrap();
        device.ended(&id).await
    };

    let record = answer(Verdict::Rejected { message: Some("7 is too much".into()) }).await;
    let details = record.details.unwrap();
    assert_eq!(details.detailed_status, DetailedStatus::FailedNoStateChange);
    assert_eq!(details.error_stack, ["DEPLOYMENT_FAILURE", "COMPONENT_CONFIGURATION_NOT_VALID"]);
    assert_eq!(details.failure_cause, "a rejected its configuration: 7 is too much");
    assert_eq!(device.value("/services/b/configuration/k"), Some(json!(1)), "nothing is half-applied");

    assert_eq!(answer(Verdict::Accepted).await.status, DeploymentStatus::Succeeded);
    assert_eq!(device.value("/services/a/configuration/k"), Some(json!(7)));

    device.succeed(json!({"configuration": {"a": {"merge": {"k": 7}}}})).await;
    device.succeed(json!({"configuration": {"b": {"merge": {"k": 9}}}})).await;
    device.succeed(json!({"add": {"a": "2.0.0"}, "configuration": {"a": {"merge": {"k": 9}}}})).await;
    assert!(proposals.try_recv().is_err(), "the same, another's, and that of a new version are not asked about");
}

#[tokio::test]
async fn configuration_nobody_reports_on_in_time_is_not_valid() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let mut proposals = device.deploy.validations().hear("a");
    let request = json!({"configuration": {"a": {"merge": {"k": 7}}}, "configurationValidationPolicy": {"timeout": 0}});
    let codes = &["COMPONENT_CONFIGURATION_NOT_VALID"];
    let cause = device.fail(request, DetailedStatus::FailedNoStateChange, codes).await;
    assert_eq!(cause, "a did not report within 0 s whether its configuration is valid");
    proposals.recv().await.unwrap();

    let id = device.submit(json!({"configuration": {"a": {"merge": {"k": 7}}}})).await;
    proposals.recv().await.unwrap();
    drop(proposals);
    let cause = device.ended(&id).await.details.unwrap().failure_cause;
    assert_eq!(cause, "a ended its subscription before it reported whether its configuration is valid");
    assert_eq!(device.value("/services/a/configuration/k"), None);
}

#[tokio::test]
async fn cancel_ends_a_deployment_that_waits_for_a_verdict() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let gate = device.deploy.validations();
    let mut proposals = gate.hear("a");
    let id = device.submit(json!({"configuration": {"a": {"merge": {"k": 7}}}})).await;
    proposals.recv().await.unwrap();
    device.deploy.cancel(id.clone()).await.unwrap();
    assert!(gate.report(&name("a"), &id, Verdict::Accepted).is_err());
    assert_eq!(device.deploy.status(id).await.unwrap().status, DeploymentStatus::Canceled);
    assert_eq!(device.value("/services/a/configuration/k"), None);
}

#[tokio::test]
async fn broken_recipes_keep_everything_out_and_are_all_named() {
    let device = Device::new();
    device.recipe("a", "1.0.0", json!({}));
    std::fs::write(device.path("recipes/one.yaml"), "a: [").unwrap();
    std::fs::create_dir(device.path("recipes/below")).unwrap();
    std::fs::write(device.path("recipes/below/two.json"), "{}").unwrap();
    std::fs::write(device.path("recipes/empty.yml"), "\n").unwrap();
    std::fs::write(device.path("recipes/README.md"), "not a recipe").unwrap();
    let codes = &["IO_ERROR", "IO_WRITE_ERROR", "RECIPE_PARSE_ERROR"];
    let cause = device.fail(json!({"add": {"a": "1.0.0"}}), DetailedStatus::FailedNoStateChange, codes).await;
    assert!(cause.contains("one.yaml") && cause.contains("below/two.json"), "{cause}");
    assert_eq!(std::fs::read_dir(device.path("root/packages/recipes")).unwrap().count(), 0);
    assert_eq!(device.running(), versions(&[]));
}

#[tokio::test]
async fn request_that_cannot_be_is_refused_at_once() {
    let device = Device::new();
    for request in [
        json!({"recipeDirectory": "relative"}),
        json!({"group": "a:b"}),
        json!({"add": {"a": "1.0.0"}, "remove": ["a"]}),
    ] {
        let request: LocalDeploymentRequest = serde_json::from_value(request).unwrap();
        assert!(matches!(device.deploy.submit(request).await, Err(Refused::NotValid(_))));
    }
    let missing = json!({"recipeDirectory": "/nowhere/at/all"});
    let id = device.deploy.submit(serde_json::from_value(missing).unwrap()).await.unwrap();
    let cause = device.ended(&id).await.details.unwrap().failure_cause;
    assert!(cause.contains("/nowhere/at/all") && cause.contains("No such file"), "{cause}");
}

#[tokio::test]
async fn artifacts_are_taken_checked_and_given_their_modes() {
    use std::os::unix::fs::PermissionsExt;
    let device = Device::new();
    std::fs::write(device.path("a b.txt"), "hello").unwrap();
    let uri = format!("file://{}/a%20b.txt", device.scratch.path().display());
    let digest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let permission = json!({"Read": "ALL", "Execute": "OWNER"});
    device.recipe_with("a", json!({"Uri": uri, "Digest": digest, "Algorithm": "SHA-256", "Permission": permission}));
    device.succeed(json!({"add": {"a": "1.0.0"}})).await;
    let stored = device.path("root/packages/artifacts/a/1.0.0/a%20b.txt");
    assert_eq!(std::fs::read(&stored).unwrap(), b"hello");
    let write = if crate::sys::account::is_root() { 0 } else { 0o200 };
    assert_eq!(stored.metadata().unwrap().permissions().mode() & 0o777, 0o554 | write);

    device.recipe_with("b", json!({"Uri": uri, "Digest": "AAAA", "Algorithm": "SHA-256"}));
    let codes = &["ARTIFACT_DOWNLOAD_ERROR", "ARTIFACT_CHECKSUM_MISMATCH"];
    device.fail(json!({"add": {"b": "1.0.0"}}), DetailedStatus::FailedNoStateChange, codes).await;
    assert!(!device.path("root/packages/artifacts/b/1.0.0/a%20b.txt").exists());

    for (uri, code) in [
        ("s3://bucket/key/file.txt", "DEVICE_CONFIG_NOT_VALID_FOR_ARTIFACT_DOWNLOAD"),
        ("greengrass:file.txt", "DEVICE_CONFIG_NOT_VALID_FOR_ARTIFACT_DOWNLOAD"),
        ("docker:image", "MISSING_DOCKER_APPLICATION_MANAGER"),
        ("ftp://host/file", "UNSUPPORTED_ARTIFACT_SCHEME"),
        ("plain", "EMPTY_ARTIFACT_SCHEME"),
    ] {
        device.recipe_with("c", json!({"Uri": uri}));
        let codes = &["ARTIFACT_DOWNLOAD_ERROR", code];
        let cause = device.fail(json!({"add": {"c": "1.0.0"}}), DetailedStatus::FailedNoStateChange, codes).await;
        assert!(cause.contains(uri), "{cause}");
    }
    device.recipe_with("c", json!({"Uri": "file:///nowhere/at/all"}));
    let codes = &["ARTIFACT_DOWNLOAD_ERROR", "IO_ERROR", "IO_READ_ERROR"];
    device.fail(json!({"add": {"c": "1.0.0"}}), DetailedStatus::FailedNoStateChange, codes).await;

    // In place already, no digest: the cloud is not asked.
    std::fs::create_dir_all(device.path("artifacts/c/1.0.0")).unwrap();
    std::fs::write(device.path("artifacts/c/1.0.0/file.txt"), "x").unwrap();
    device.recipe_with("c", json!({"Uri": "s3://bucket/key/file.txt"}));
    device.succeed(json!({"add": {"c": "1.0.0"}})).await;
}
