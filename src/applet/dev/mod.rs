//! `greengrass dev`: a core for the desk. Starts a daemon in a directory, deploys recipes from a folder, shows
//! progress and live output, and stops everything on Ctrl-C.
//!
//! It goes through the same doors as a device does: the daemon is a process of its own, spoken to over its control
//! socket.

mod core;
mod options;
mod roots;
mod screen;

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::api::control::{Client, ClientError};
use crate::base::report::Report;
use crate::wire::control::{Answer, Request};
use crate::wire::deployment::LocalDeploymentRequest;
use crate::wire::name::DeploymentId;
use crate::wire::state::DeploymentStatus;

use self::core::Core;
use options::Options;
use screen::Screen;

pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let options = match Options::parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { super::USAGE } else { 0 });
        }
    };
    match develop(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greengrass dev: {}", Report(&error));
            ExitCode::FAILURE
        }
    }
}

fn develop(options: &Options) -> Result<(), DevError> {
    let screen = Screen::new();
    let request = request(options)?;
    for (name, version) in &request.add {
        screen.say(&format!("recipe    {name} {version}"));
    }
    let core = Core::start(options, &screen)?;
    let watched = watch(&core, request, &screen);
    core.stop()?;
    screen.say("stopped   nothing is left running");
    watched
}

/// What to deploy: the roots asked for, or the highest version of every recipe in the folder.
fn request(options: &Options) -> Result<LocalDeploymentRequest, DevError> {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let recipes =
        options.recipes.canonicalize().map_err(|cause| DevError::Folder { path: text(&options.recipes), cause })?;
    let artifacts = match &options.artifacts {
        Some(path) => Some(path.canonicalize().map_err(|cause| DevError::Folder { path: text(path), cause })?),
        None => None,
    };
    let add =
        if options.merge.is_empty() { roots::in_folder(&recipes)? } else { options.merge.iter().cloned().collect() };
    let mut request = LocalDeploymentRequest::of_roots(add);
    request.recipe_directory = Some(text(&recipes));
    request.artifact_directory = artifacts.as_deref().map(text);
    Ok(request)
}

/// Deploys, then shows what happens until somebody stops us or the daemon ends.
fn watch(core: &Core, request: LocalDeploymentRequest, screen: &Screen) -> Result<(), DevError> {
    let (tell, mut events) = mpsc::channel(256);
    follow(core, Request::FollowLogs, tell.clone())?;
    follow(core, Request::FollowComponents, tell.clone())?;
    let id = submit(core, request)?;
    follow(core, Request::FollowDeployment { id }, tell)?;
    // Signals, the child's end and its news come together here; a runtime of one thread waits for all.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DevError::Runtime)?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(DevError::Runtime)?;
        let mut outcome = Err(DevError::CoreEnded);
        let mut failed = false;
        let mut stopping = false;
        loop {
            let asked = async {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            };
            tokio::select! {
                () = asked, if !stopping => {
                    screen.say("stopping  every component, then the core");
                    core.terminate()?;
                    stopping = true;
                    outcome = if failed { Err(DevError::Deployment) } else { Ok(()) };
                }
                event = events.recv() => match event {
                    Some(Answer::Log { log, line }) => screen.output(&log, &line),
                    Some(Answer::News(change)) => screen.change(&change),
                    Some(Answer::Missed { count }) => screen.say(&format!("          {count} lines came too fast to show")),
                    Some(Answer::Deployment(record)) => {
                        screen.deployment(&record);
                        failed = record.status.is_final() && record.status != DeploymentStatus::Succeeded;
                    }
                    Some(_) => {}
                    // Every connection has ended, and so has the daemon.
                    None => return outcome,
                },
            }
        }
    })
}

fn submit(core: &Core, request: LocalDeploymentRequest) -> Result<DeploymentId, DevError> {
    let mut client = Client::connect(&core.socket())?;
    match client.ask_one(&Request::CreateDeployment(Box::new(request)))? {
        Answer::Submitted { id } => Ok(id),
        _ => Err(ClientError::OutOfTurn.into()),
    }
}

/// Forwards what the daemon tells, from a thread of its own that ends with the connection.
fn follow(core: &Core, request: Request, tell: mpsc::Sender<Answer>) -> Result<(), DevError> {
    let mut client = Client::connect(&core.socket())?;
    thread::spawn(move || {
        // The connection ends with the daemon; who waits on the channel learns it by its closing.
        let _ = client.follow(&request, |answer| match tell.blocking_send(answer) {
            Ok(()) => std::ops::ControlFlow::Continue(()),
            Err(_) => std::ops::ControlFlow::Break(()),
        });
    });
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("cannot read the folder {path}")]
    Folder {
        path: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("cannot read the recipe {path}")]
    ReadRecipe {
        path: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{path} is no valid recipe")]
    Recipe {
        path: String,
        #[source]
        cause: crate::wire::recipe::RecipeError,
    },
    #[error("{path} holds no recipe: put .yaml or .json recipe files there, or name another folder with --recipes")]
    NoRecipe { path: String },
    #[error("{} is not empty and was not made by greengrass dev: name another --root, or leave --fresh out", root.display())]
    NotOurs { root: std::path::PathBuf },
    #[error("cannot make the directory {} fresh", root.display())]
    Fresh {
        root: std::path::PathBuf,
        #[source]
        cause: crate::store::scratch::ScratchError,
    },
    #[error("cannot start the daemon")]
    Start(#[source] std::io::Error),
    #[error("the daemon ended before it opened its doors; its last words are above")]
    NotReady,
    #[error("the daemon did not open its doors within {} s", timeout.as_secs())]
    Slow { timeout: Duration },
    #[error("cannot wait for signals")]
    Runtime(#[source] std::io::Error),
    #[error("the daemon ended by itself")]
    CoreEnded,
    #[error("cannot stop the daemon")]
    Stop(#[source] std::io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the deployment did not succeed: see above")]
    Deployment,
}
