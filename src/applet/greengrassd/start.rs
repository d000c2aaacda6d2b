//! One life of the daemon: every part built on those before it, and taken down in reverse.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::options::Options;
use super::trial::Trial;
use crate::api::{SocketError, control, ipc};
use crate::base::clock::Timestamp;
use crate::base::log::{self, LogSettings, Logs, Output};
use crate::base::ready;
use crate::base::report::Report;
use crate::boot::places;
use crate::service::loader::LoaderError;
use crate::service::supervisor::jail::{Jail, JailError, JailSettings};
use crate::service::{access, clients, config, deploy, pubsub, supervisor, telemetry, uplink};
use crate::store::file::{self, FileError};
use crate::store::lock::{LockError, RootLock};
use crate::store::paths::Paths;
use crate::store::tree::{self, Edit, Given, KeyPath, LoadError, Tree};
use crate::sys::account::{self, AccountError};
use crate::sys::limit;
use crate::sys::machine::machine;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::platform::PlatformAttributes;
use crate::wire::run_with::{PosixUser, RunWithError};

/// The nucleus component, whose configuration holds the daemon's settings.
const NUCLEUS: &str = "aws.greengrass.Nucleus";

/// Serves until asked to stop; the exit code: 0, or what a Bootstrap step asked for.
///
/// `arguments` are those that `options` were read from.
pub fn serve(options: &Options, arguments: Vec<OsString>) -> Result<u8, StartError> {
    // One thread: processes must be started from the main one, and an idle device has no use for more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_KEEP_ALIVE)
        .build()
        .map_err(StartError::Runtime)?;
    let served = runtime.block_on(live(options, arguments));
    // A blocking job that hangs, such as a download, must not hold up the exit.
    runtime.shutdown_background();
    served
}

/// Threads for fsync, hashing and downloads at most.
const BLOCKING_THREADS: usize = 4;
/// An idle device gives their memory back after this.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(2);

async fn live(options: &Options, arguments: Vec<OsString>) -> Result<u8, StartError> {
    let started = Instant::now();
    // Signals count from the first moment: a stop during the start is a stop.
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;

    let paths = options.paths()?;
    for (directory, mode) in paths.directories() {
        file::make_directory(&directory, mode)?;
    }
    let _lock = RootLock::take(&paths)?;

    let opened = tree::open(&paths.config(), &given(options))?;
    let logs = open_logs(options, &paths, &opened.tree)?;
    info!(version = env!("CARGO_PKG_VERSION"), root = %paths.root().display(), "The daemon starts.");
    let trial = Trial::begin(options).await;
    if trial.is_hopeless() {
        return Ok(deploy::Exit::Reboot.code());
    }
    let (config, config_task) = config::spawn(opened, paths.config());
    let own = deploy::OwnUpdates::new(&paths, arguments);
    config.edit(first_settings(options, own.version(), &config.snapshot())?).await.map_err(StartError::Settings)?;

    let (clients, clients_task) = clients::spawn(&config, &paths).await;

    let cgroup_parent = options.cgroup_parent.clone();
    let jail = Jail::new(&paths, JailSettings { cgroup_parent, ..JailSettings::default() }, logs.clone())?;
    jail.sweep().await?;
    let isolation = jail.means().to_string();
    let (supervisor, supervisor_task) =
        supervisor::spawn(jail.clone(), &paths, deploy::desired::identity(&config.snapshot()));

    let (wish, mut wishes) = mpsc::channel(1);
    let neighbours = deploy::Neighbours {
        paths: paths.clone(),
        config: config.clone(),
        supervisor: supervisor.clone(),
        platform: platform(&config.snapshot()),
        exit: wish,
        updates: trial.updates(),
        own: own.clone(),
    };
    let (deploy, deploy_task) = deploy::spawn(neighbours)?;

    let (access, access_task) = access::spawn(&config);
    let pubsub = pubsub::Handle::new();
    let (telemetry, telemetry_task) = telemetry::spawn(paths.telemetry());
    let (link, uplink_task) = uplink::spawn(&config);
    let seats = clients_that_fit(limit::open_files());
    let ipc_door = ipc::Server::bind(
        &paths,
        seats,
        ipc::Services {
            access,
            clients,
            config: config.clone(),
            supervisor: supervisor.clone(),
            deploy: deploy.clone(),
            pubsub: pubsub.clone(),
            telemetry,
        },
    )?;
    let services = control::Services {
        deploy: deploy.clone(),
        supervisor: supervisor.clone(),
        config: config.clone(),
        pubsub,
        link: link.clone(),
        logs: logs.clone(),
        about: control::About { started, root: paths.root().into(), isolation },
    };
    let owner_group = options.owner_group.as_deref().map(account::group_id).transpose()?;
    let door = control::Server::bind(&paths, owner_group, services)?;
    let (close, closing) = watch::channel(());
    let door_task = tokio::spawn(door.run(closed(closing.clone())));
    let ipc_task = tokio::spawn(ipc_door.run(closed(closing)));
    let log_task = tokio::spawn(follow_log_settings(options.syslog, config.clone(), logs));
    if seats < ipc::Server::CONNECTIONS {
        warn!(clients = seats, "The hard limit of open files is small: so many IPC clients can be connected at once.");
    }
    info!(milliseconds = started.elapsed().as_millis(), "All doors are open.");
    if let Err(error) = ready::announce() {
        warn!(error = %Report(&error), "Cannot say so at NOTIFY_SOCKET.");
    }
    settle();
    // Answered once the components of this start are known to the supervisor.
    let _ = deploy.list().await;
    own.came_up().await;
    let mut over = trial.spawn(&supervisor, link);

    let code = tokio::select! {
        _ = terminate.recv() => 0,
        _ = interrupt.recv() => 0,
        Some(exit) = wishes.recv() => exit.code(),
        () = over.leaving() => deploy::Exit::Reboot.code(),
    };
    over.end(&supervisor).await;
    info!(code, "The daemon stops.");
    // What is in hand goes on at the next start; a new deployment is refused.
    deploy_task.abort();
    let _ = deploy_task.await;
    drop(deploy);
    // From here on a failure means "already gone"; the drain goes on.
    let _ = supervisor.shut_down().await;
    let _ = supervisor_task.await;
    jail.leave();
    info!("Every component has stopped.");
    // The doors close late: components talk until they end, and who follows sees the end of each.
    drop(close);
    let _ = ipc_task.await;
    let _ = telemetry_task.await;
    let _ = door_task.await;
    log_task.abort();
    let _ = config.close().await;
    let _ = config_task.await;
    let _ = access_task.await;
    let _ = clients_task.await;
    let _ = uplink_task.await;
    Ok(code)
}

/// Says to gg-init's next boot that this one went well. Elsewhere there is no such file.
fn settle() {
    if let Err(error) = file::remove(&Path::new(places::DATA).join(places::UNSETTLED)) {
        warn!(error = %Report(&error), "The boot cannot be told to have gone well; after many, no other init is tried.");
    }
}

/// How many IPC clients so many descriptors have room for, of those that may be let in; a few in any case.
fn clients_that_fit(descriptors: Option<u64>) -> usize {
    let fit = descriptors.map_or(u64::MAX, |descriptors| descriptors.saturating_sub(DESCRIPTORS_OF_OURS).max(16));
    usize::try_from(fit).unwrap_or(usize::MAX).min(ipc::Server::CONNECTIONS)
}

/// What the daemon keeps open itself: files, doors, and four for each of some fifty components.
const DESCRIPTORS_OF_OURS: u64 = 256;

/// Ready when the sender is gone.
async fn closed(mut doors: watch::Receiver<()>) {
    while doors.changed().await.is_ok() {}
}

fn given(options: &Options) -> Given {
    match (&options.config, &options.init_config) {
        (Some(base), _) => Given::Base(base.clone()),
        (None, Some(init)) => Given::Init(init.clone()),
        (None, None) => Given::Nothing,
    }
}

fn open_logs(options: &Options, paths: &Paths, tree: &Tree) -> Result<Logs, StartError> {
    let built_in = built_in_log_settings(options.syslog, paths);
    let block = tree.value(&nucleus().join("logging")).unwrap_or(Value::Null);
    let settings = built_in.parse(&block);
    let logs = log::init(settings.as_ref().unwrap_or(&built_in).clone())?;
    if let Err(error) = settings {
        tracing::error!("The logging configuration is refused, the defaults hold: {}.", Report(&error));
    }
    Ok(logs)
}

fn built_in_log_settings(syslog: bool, paths: &Paths) -> LogSettings {
    let mut settings = LogSettings::in_directory(paths.logs());
    if syslog {
        settings.output = Output::Syslog;
    }
    settings
}

/// Takes up changes of `logging`; a block that is refused leaves the settings as they were.
async fn follow_log_settings(syslog: bool, config: config::Handle, logs: Logs) {
    let at = nucleus().join("logging");
    let Ok(mut changes) = config.watch(at.clone()).await else { return };
    let mut built_in = LogSettings::in_directory(logs.directory());
    if syslog {
        built_in.output = Output::Syslog;
    }
    let mut known = config.read(&at);
    while changes.next().await.is_some() {
        let block = config.read(&at);
        if block == known {
            continue;
        }
        match built_in.parse(block.as_ref().unwrap_or(&Value::Null)) {
            Ok(settings) => logs.reconfigure(settings),
            Err(error) => tracing::error!("The logging configuration is refused: {}.", Report(&error)),
        }
        known = block;
    }
}

/// What the command line sets, and what a first start has to write down.
fn first_settings(options: &Options, brought: Option<ComponentVersion>, tree: &Tree) -> Result<Vec<Edit>, StartError> {
    let service = KeyPath::service(NUCLEUS);
    let mut edits = vec![
        Edit::Default { at: service.join("componentType"), value: json!("NUCLEUS") },
        Edit::Default { at: KeyPath::new(["system", "rootpath"]), value: json!(options.root) },
    ];
    let mut set = |at: KeyPath, value: Value| {
        if tree.value(&at).as_ref() != Some(&value) {
            edits.push(Edit::Write { at, value, time: Timestamp::now() });
        }
    };
    // Recipes and scripts ask for the version of the nucleus whose behaviour they get, not for ours.
    let built_in = || ComponentName::parse(NUCLEUS).ok().as_ref().and_then(deploy::resolve::builtin_version);
    if let Some(version) = brought.or_else(built_in) {
        set(service.join("version"), json!(version));
    }
    if let Some(user) = &options.component_default_user {
        PosixUser::parse(user)?;
        set(nucleus().join_all(["runWithDefault", "posixUser"]), json!(user));
    }
    if let Some(region) = &options.aws_region {
        set(nucleus().join("awsRegion"), json!(region));
    }
    Ok(edits)
}

fn nucleus() -> KeyPath {
    KeyPath::service(NUCLEUS).join("configuration")
}

fn platform(tree: &Tree) -> PlatformAttributes {
    let machine = machine();
    let overrides = tree.value(&nucleus().join("platformOverride"));
    let overrides = overrides.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    PlatformAttributes::detect(&machine.system, &machine.hardware).overridden(&overrides)
}

/// Why the daemon cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error("cannot tell the absolute path of the root directory")]
    Root(#[source] io::Error),
    #[error("cannot write the first settings")]
    Settings(#[source] config::ConfigError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Log(#[from] log::InitError),
    #[error(transparent)]
    Jail(#[from] JailError),
    #[error("the default user of components cannot be used")]
    DefaultUser(#[from] RunWithError),
    #[error("cannot start another version")]
    Loader(#[from] LoaderError),
    #[error("the owner group cannot be used")]
    OwnerGroup(#[from] AccountError),
    #[error(transparent)]
    Ledger(#[from] deploy::LedgerError),
    #[error(transparent)]
    ControlDoor(#[from] control::BindError),
    #[error(transparent)]
    IpcDoor(#[from] SocketError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_room_for_the_daemons_own_descriptors() {
        assert_eq!(clients_that_fit(Some(1024)), 768);
        assert_eq!(clients_that_fit(Some(100)), 16);
        assert_eq!(clients_that_fit(Some(524_288)), ipc::Server::CONNECTIONS);
        assert_eq!(clients_that_fit(None), ipc::Server::CONNECTIONS);
    }
}
