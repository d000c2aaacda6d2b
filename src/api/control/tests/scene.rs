//! For tests: an open control door over the real configuration and log, and services that answer from a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::super::{About, Client, Server, Services};
use crate::base::clock::Timestamp;
use crate::base::log::{LogSettings, Logs};
use crate::service::supervisor::{ComponentNews, ComponentStatus};
use crate::service::{config, deploy, pubsub, supervisor};
use crate::store::paths::Paths;
use crate::store::tree::{Edit, Given, KeyPath, open};
use crate::wire::deployment::{DeploymentRecord, DeploymentStatusDetails};
use crate::wire::name::{ComponentName, ComponentVersion, DeploymentId, GroupName};
use crate::wire::state::{ComponentState, DeploymentStatus, DetailedStatus, Link, StatusCode};

/// A daemon on a thread of its own; gone when dropped.
pub(crate) struct Scene {
    root: TempDir,
    pub news: broadcast::Sender<ComponentNews>,
    pub logs: Logs,
    pub pubsub: pubsub::Handle,
    /// Sets what `status` of the deployment `running` says, and tells that it changed.
    pub running: mpsc::UnboundedSender<DeploymentRecord>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scene {
    pub(crate) fn open() -> Self {
        Self::open_at(tempfile::tempdir().expect("a directory can be made"))
    }

    pub(crate) fn open_at(root: TempDir) -> Self {
        let (news, _) = broadcast::channel(16);
        let logs = Logs::new(LogSettings::in_directory(root.path().join("logs")));
        let (running, changes) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (opened, ready) = std::sync::mpsc::sync_channel(1);
        let pubsub = pubsub::Handle::new();
        let (path, for_news, for_logs) = (root.path().to_owned(), news.clone(), logs.clone());
        let for_pubsub = pubsub.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let services = services(&path, for_news, for_logs, for_pubsub, changes).await;
                let server = Server::bind(&Paths::new(path), None, services).expect("the door opens");
                opened.send(()).expect("the test waits");
                server.run(async { drop(stopped.await) }).await;
            });
        });
        ready.recv().expect("the daemon starts");
        Self { root, news, logs, pubsub, running, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        Paths::new(self.root().into()).control_socket()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.socket()).expect("the daemon answers")
    }

    /// Closes the door; returns when the daemon has ended.
    pub(crate) fn close(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the daemon ends well");
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.close();
    }
}

pub(crate) fn record(id: &str, status: DeploymentStatus, progress: &str) -> DeploymentRecord {
    DeploymentRecord {
        deployment_id: DeploymentId::parse(id).expect("an id"),
        group: GroupName::local(),
        status,
        created_on: 1_795_299_591_123,
        progress: progress.into(),
        details: None,
    }
}

fn failed() -> DeploymentRecord {
    let details = DeploymentStatusDetails {
        detailed_status: DetailedStatus::FailedNoStateChange,
        error_stack: vec!["DEPLOYMENT_FAILURE".into(), "NO_AVAILABLE_COMPONENT_VERSION".into()],
        error_types: vec!["REQUEST_ERROR".into()],
        failure_cause: "there is no version 9.0.0 of A".into(),
    };
    DeploymentRecord { details: Some(details), ..record("failed", DeploymentStatus::Failed, "") }
}

fn components() -> BTreeMap<ComponentName, ComponentStatus> {
    let name = |text| ComponentName::parse(text).expect("a name");
    let status = |state, status_code, reason: &str, pid| ComponentStatus {
        version: ComponentVersion::parse("1.0.0").expect("a version"),
        state,
        status_code,
        reason: reason.into(),
        paused: false,
        pid,
    };
    BTreeMap::from([
        (name("com.example.Broken"), status(ComponentState::Broken, StatusCode::RunError, "Run ended with 3", None)),
        (name("com.example.Hello"), status(ComponentState::Running, StatusCode::None, "", Some(42))),
    ])
}

async fn services(
    root: &Path,
    news: broadcast::Sender<ComponentNews>,
    logs: Logs,
    pubsub: pubsub::Handle,
    changes: mpsc::UnboundedReceiver<DeploymentRecord>,
) -> Services {
    let directory = root.join("config");
    std::fs::create_dir_all(&directory).expect("a directory");
    let (config, _task) = config::spawn(open(&directory, &Given::Nothing).expect("a tree"), directory);
    let at = KeyPath::service("com.example.Hello").join("configuration");
    let value = json!({"name": "you", "times": 3});
    config.edit(vec![Edit::Merge { at, value, time: Timestamp(10) }]).await.expect("the tree takes it");

    let (inbox, requests) = mpsc::channel(supervisor::Handle::MAILBOX);
    tokio::spawn(supervise(requests));
    let supervisor = supervisor::Handle::wired(inbox, news);
    let (inbox, requests) = mpsc::channel(deploy::Handle::MAILBOX);
    let (revise, revision) = watch::channel(0);
    tokio::spawn(deploy(requests, changes, revise));
    let deploy = deploy::Handle::wired(inbox, revision);
    let about = About { started: Instant::now(), root: root.into(), isolation: "none (test)".into() };
    let link = watch::channel(Link::Up).1;
    Services { deploy, supervisor, config, pubsub, link, logs, about }
}

async fn supervise(mut requests: mpsc::Receiver<supervisor::Request>) {
    use supervisor::{Refused, Request};
    let known = |name: ComponentName| match components().contains_key(&name) {
        true => Ok(()),
        false => Err(Refused::Unknown(name)),
    };
    while let Some(request) = requests.recv().await {
        match request {
            Request::Restart { name, reply } | Request::Stop { name, reply } | Request::Resume { name, reply } => {
                let _ = reply.send(known(name));
            }
            Request::Pause { name, reply } => {
                let _ = reply.send(Err(Refused::CannotPause { name, why: "there are no cgroups here".into() }));
            }
            Request::Components { reply } => drop(reply.send(components())),
            _ => {}
        }
    }
}

async fn deploy(
    mut requests: mpsc::Receiver<deploy::Request>,
    mut changes: mpsc::UnboundedReceiver<DeploymentRecord>,
    revision: watch::Sender<u64>,
) {
    use deploy::{Refused, Request};
    let mut running = record("running", DeploymentStatus::Queued, "");
    loop {
        let request = tokio::select! {
            Some(record) = changes.recv() => {
                running = record;
                revision.send_modify(|revision| *revision += 1);
                continue;
            }
            request = requests.recv() => request,
        };
        match request {
            Some(Request::Submit { reply, .. }) => drop(reply.send(Ok(running.deployment_id.clone()))),
            Some(Request::Cancel { id, reply }) => drop(reply.send(match id.as_str() {
                "running" => Ok(()),
                "failed" => Err(Refused::Ended(id)),
                _ => Err(Refused::Unknown(id)),
            })),
            Some(Request::Status { id, reply }) => drop(reply.send(match id.as_str() {
                "running" => Ok(running.clone()),
                "failed" => Ok(failed()),
                _ => Err(Refused::Unknown(id)),
            })),
            Some(Request::List { reply }) => drop(reply.send(vec![running.clone(), failed()])),
            None => return,
        }
    }
}

/// The news of one component that started.
pub(crate) fn started(name: &str) -> ComponentNews {
    ComponentNews {
        name: ComponentName::parse(name).expect("a name"),
        version: ComponentVersion::parse("1.0.0").expect("a version"),
        from: ComponentState::Starting,
        to: ComponentState::Running,
        status_code: StatusCode::None,
        reason: String::new(),
    }
}
