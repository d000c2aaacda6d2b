//! A new version of the daemon itself that a deployment brings: put beside this one, started by the next start, and kept
//! when its deployment succeeds.
//!
//! The links of [`Alts`] say how far that is, so nothing of it is kept in the docket. The daemon on trial has a deadline
//! of the kernel: for coming up the one that [`loader`] has set, then one that it puts off as long as its runtime turns.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::course::Halt;
use super::failure::Failure;
use super::resolve::NUCLEUS;
use crate::base::report::Report;
use crate::service::loader::{self, CheckError};
use crate::store::alts::{Alts, IMAGE, Launch};
use crate::store::file::FileError;
use crate::store::paths::Paths;
use crate::sys::alarm;
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, ComponentVersion, DeploymentId};

/// What a course, and the daemon's start, ask of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct OwnUpdates {
    paths: Paths,
    alts: Alts,
    /// The options of this daemon, which a new version must understand.
    arguments: Arc<Vec<OsString>>,
    /// The launch directory that this daemon runs from.
    launched: Option<String>,
    on_trial: Arc<AtomicBool>,
}

/// How far a deployment's new daemon is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is not there, or was made for another image.
    Missing,
    /// It is there since before this start, which did not take it.
    NotTaken,
    /// It is this very daemon.
    Runs,
    /// Why.
    GivenUp(String),
}

impl OwnUpdates {
    /// Looks from where this daemon runs. Blocks.
    pub fn new(paths: &Paths, arguments: Vec<OsString>) -> Self {
        let alts = Alts::of(paths);
        let launched = alts.launched();
        let links = alts.links();
        let on_trial = launched.is_some() && links.current == launched && links.old.is_some();
        let on_trial = Arc::new(AtomicBool::new(on_trial));
        Self { paths: paths.clone(), alts, arguments: Arc::new(arguments), launched, on_trial }
    }

    /// The version of the component that brought this daemon; none for the one of the image. Blocks.
    pub fn version(&self) -> Option<ComponentVersion> {
        Some(self.alts.launch(self.launched.as_deref()?)?.version)
    }

    /// All doors are open. The trial goes on until the deployment has ended.
    pub async fn came_up(&self) {
        if !self.is_on_trial() {
            return;
        }
        tracing::info!("This version of the daemon is on trial until its deployment has succeeded.");
        let own = self.clone();
        tokio::spawn(async move {
            while own.is_on_trial() {
                alarm::set(PULSE * 4);
                tokio::time::sleep(PULSE).await;
            }
            // Whoever ended the trial may have been overtaken by the last one.
            alarm::cancel();
        });
        let noted = self.ask(|own| {
            let Some(name) = &own.launched else { return Ok(()) };
            let mut tries = own.alts.tries(name).unwrap_or_default();
            tries.came_up = true;
            own.alts.write_tries(name, &tries)?;
            // The trial may be over meanwhile; what comes to its end later finds the file, and removes it.
            if own.is_on_trial() { Ok(()) } else { own.alts.forget_tries(name) }
        });
        if let Ok(Err(fault)) = noted.await {
            tracing::warn!(cause = %Report(&fault), "That the daemon is up cannot be noted.");
        }
    }

    fn is_on_trial(&self) -> bool {
        self.on_trial.load(Ordering::SeqCst)
    }

    pub(super) async fn standing(&self, id: &DeploymentId) -> Result<Standing, Halt> {
        let name = id.as_file_name();
        self.ask(move |own| {
            let links = own.alts.links();
            let is = |link: Option<String>| link.as_ref() == Some(&name);
            if is(own.launched.clone()) {
                Standing::Runs
            } else if is(links.broken) {
                Standing::GivenUp(own.alts.why(&name))
            } else if is(links.new) {
                Standing::NotTaken
            } else {
                Standing::Missing
            }
        })
        .await
    }

    /// Puts it beside this one, and checks that it can be started; the next start takes it.
    pub(super) async fn stage(
        &self,
        id: &DeploymentId,
        version: &ComponentVersion,
    ) -> Result<Result<(), Failure>, Halt> {
        let (name, version) = (id.as_file_name(), version.clone());
        let staged = self.ask(move |own| own.stage_now(&name, version)).await?;
        Ok(staged.map_err(|fault| fault.failure()))
    }

    fn stage_now(&self, name: &str, version: ComponentVersion) -> Result<(), OwnUpdateError> {
        let program = self.program(&version).ok_or_else(|| OwnUpdateError::Missing { version: version.clone() })?;
        check_machine(&program, &version)?;
        // Another image's daemon has its own idea of what is the newest.
        let own = self.launched.as_deref().and_then(|name| self.alts.launch(name));
        let image = own.map_or_else(|| loader::OWN_VERSION.to_owned(), |own| own.image);
        self.alts.make(name, &program, &Launch { version: version.clone(), image })?;
        let checked = loader::check(&self.alts.program(name), &self.arguments);
        checked.map_err(|cause| OwnUpdateError::Check { version, cause })?;
        if let (None, Ok(image)) = (&self.launched, std::fs::read_link(OWN_EXECUTABLE)) {
            self.alts.show_image(&image)?;
        }
        Ok(self.alts.offer(name)?)
    }

    /// What the component has under the name `greengrass`, as it is or unpacked.
    fn program(&self, version: &ComponentVersion) -> Option<PathBuf> {
        let name = ComponentName::parse(NUCLEUS).ok()?;
        let unpacked = std::fs::read_dir(self.paths.unarchived(&name, version)).into_iter().flatten().flatten();
        let places = std::iter::once(self.paths.artifacts(&name, version)).chain(unpacked.map(|entry| entry.path()));
        places.map(|place| place.join("greengrass")).find(|program| program.is_file())
    }

    /// This daemon is kept, where it was on trial.
    pub(super) async fn keep(&self) -> Result<Result<(), Failure>, Halt> {
        if !self.is_on_trial() {
            return Ok(Ok(()));
        }
        let kept = self.ask(|own| own.alts.keep()).await?;
        if kept.is_ok() {
            self.on_trial.store(false, Ordering::SeqCst);
            alarm::cancel();
        }
        Ok(kept.map_err(|fault| OwnUpdateError::File(fault).failure()))
    }

    /// Makes the next start take the former daemon; whether there is one to go back to.
    pub(super) async fn give_up(&self, why: &str) -> Result<bool, Halt> {
        if !self.is_on_trial() {
            return Ok(false);
        }
        let why = why.to_owned();
        let given_up = self.ask(move |own| match &own.launched {
            Some(name) => own.alts.give_up(name, &why),
            None => Ok(()),
        });
        match given_up.await? {
            Ok(()) => Ok(true),
            Err(fault) => Err(OwnUpdateError::File(fault).failure().into()),
        }
    }

    /// No deployment is in hand: whatever runs is kept, and what is not needed goes. Blocks.
    pub(super) fn settle(&self) -> Result<(), FileError> {
        let links = self.alts.links();
        let runs = links.current.as_deref().unwrap_or(IMAGE) == self.launched.as_deref().unwrap_or(IMAGE);
        if runs {
            self.alts.keep()?;
        }
        if self.on_trial.swap(false, Ordering::SeqCst) {
            alarm::cancel();
        }
        self.alts.tidy()
    }

    async fn ask<T: Send + 'static>(&self, act: impl FnOnce(&Self) -> T + Send + 'static) -> Result<T, Halt> {
        let own = self.clone();
        spawn_blocking(move || act(&own)).await.map_err(|_| Halt::GoingDown)
    }
}

/// An ELF file must be of our kind: class, byte order and machine. A script is left to its self-check.
fn check_machine(program: &Path, version: &ComponentVersion) -> Result<(), OwnUpdateError> {
    let head = |path: &Path| {
        let mut head = [0; 20];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).map(|()| head)
    };
    let (Ok(theirs), Ok(ours)) = (head(program), head(Path::new(OWN_EXECUTABLE))) else { return Ok(()) };
    let machine = |head: &[u8; 20]| [head[4], head[5], head[18], head[19]];
    if theirs.starts_with(b"\x7fELF") && machine(&theirs) != machine(&ours) {
        return Err(OwnUpdateError::Machine { version: version.clone() });
    }
    Ok(())
}

/// Why a new version of the daemon cannot be put in place.
#[derive(Debug, thiserror::Error)]
enum OwnUpdateError {
    #[error("{NUCLEUS} {version} brings no file with the name greengrass")]
    Missing { version: ComponentVersion },
    #[error("the executable of {NUCLEUS} {version} is for another kind of machine")]
    Machine { version: ComponentVersion },
    #[error("the executable of {NUCLEUS} {version} is refused")]
    Check {
        version: ComponentVersion,
        #[source]
        cause: CheckError,
    },
    #[error(transparent)]
    File(#[from] FileError),
}

impl OwnUpdateError {
    fn failure(&self) -> Failure {
        let code = match self {
            Self::File(_) => ErrorCode::IoWriteError,
            _ => ErrorCode::NucleusRestartFailure,
        };
        Failure::coded(&[ErrorCode::ComponentUpdateError, code], self)
    }
}

/// Whoever starts the daemon did not make the new one `current`.
pub(super) fn not_taken() -> Failure {
    restart_failure("the new daemon was not started: whoever starts the daemon must start the image's greengrassd")
}

/// The failure policy does not matter: the daemon that the deployment was for is gone.
pub(super) fn given_up(why: &str) -> Failure {
    restart_failure(&format!("the new daemon was given up, and the former one runs: {why}"))
}

fn restart_failure(cause: &str) -> Failure {
    Failure::new(&ErrorStack::failure(&[ErrorCode::NucleusRestartFailure]), cause)
}

const OWN_EXECUTABLE: &str = "/proc/self/exe";
/// The runtime shows so often that it turns; four missed, and the kernel ends the daemon.
const PULSE: Duration = Duration::from_secs(30);
