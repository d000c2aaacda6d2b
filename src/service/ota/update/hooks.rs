//! Programs that a bundle brings, run only where the settings allow it: RAUC's hooks.
//!
//! The program is in the bundle, so it was signed. It runs from a directory that nobody else can enter, with no more than
//! RAUC's variables, without a terminal, as long as [`Hooks::LIMIT`]. It runs as who we are: whoever signs for this
//! device owns it anyway, and the settings must say that it may be so.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::super::bundle::{Bundle, Source};
use super::super::install::archive::{self, ArchiveError};
use super::super::install::{FileStream, InstallError};
use super::prepare::{Allowed, Job};
use crate::store::file::{self, Backup, FileError};
use crate::store::scratch::Momentary;
use crate::sys::{pidfd, signal};
use crate::wire::bundle::manifest::{FileName, Image, hex};

/// The hook program of a bundle, ready to run.
#[derive(Debug)]
pub struct Hooks {
    directory: Momentary,
    program: PathBuf,
    mount_point: PathBuf,
    common: Vec<(&'static str, OsString)>,
    /// For `install-check`, which has these variables, too.
    checks: Option<Vec<(String, String)>>,
}

/// When a hook of a slot is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Before,
    /// Instead of writing the image.
    Instead,
    After,
}

impl Moment {
    /// As a manifest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "pre-install",
            Self::Instead => "install",
            Self::After => "post-install",
        }
    }

    pub fn is_in(self, image: &Image) -> bool {
        // As RAUC does: one that installs is the only one that is called.
        let is_other = self != Self::Instead && Self::Instead.is_in(image);
        !is_other && image.hooks.iter().any(|hook| hook == self.name())
    }
}

/// With this code `install-check` refuses the bundle, in its own words.
const REFUSED: i32 = 10;
/// The search path of a hook.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of what a hook says last that are told.
const SAID: u64 = 1_000;

impl Hooks {
    /// How long a hook may take.
    pub const LIMIT: Duration = Duration::from_secs(600);

    /// Takes the program out of the bundle; none where there is none.
    pub fn take(
        bundle: &Bundle,
        source: &dyn Source,
        data: &Path,
        allowed: Allowed<'_>,
        compatible: &str,
    ) -> Result<Option<Self>, HookError> {
        let manifest = &bundle.manifest;
        let Some(name) = &manifest.hook else { return Ok(None) };
        if let Some(hook) = manifest.hooks.iter().find(|hook| *hook != "install-check") {
            return Err(HookError::Unknown { hook: hook.clone() });
        }
        let known =
            |hook: &&String| [Moment::Before, Moment::Instead, Moment::After].iter().all(|m| m.name() != **hook);
        if let Some(hook) = manifest.images.iter().flat_map(|image| &image.hooks).find(known) {
            return Err(HookError::Unknown { hook: hook.clone() });
        }
        file::make_directory(data, 0o755)?;
        let fault = |cause| HookError::Directory { path: data.to_owned(), cause };
        let directory = Momentary::below(data, &[]).map_err(fault)?;
        file::set_mode(directory.path(), 0o700)?;
        let program = directory.path().join("hook");
        extract(bundle, source, name, &program, 0o700)?;
        let text = |text: &Option<String>| OsString::from(text.as_deref().unwrap_or_default());
        let common = vec![
            ("PATH", PATH.into()),
            ("RAUC_SYSTEM_COMPATIBLE", compatible.into()),
            ("RAUC_SYSTEM_VARIANT", allowed.variant.unwrap_or_default().into()),
            ("RAUC_MF_COMPATIBLE", (&manifest.compatible).into()),
            ("RAUC_MF_VERSION", text(&manifest.version)),
            ("RAUC_MF_BUILD", text(&manifest.build)),
            ("RAUC_MF_DESCRIPTION", text(&manifest.description)),
            ("RAUC_MOUNT_PREFIX", allowed.mount_point.into()),
        ];
        let checks = (!manifest.hooks.is_empty()).then(|| manifest.meta_variables());
        Ok(Some(Self { directory, program, mount_point: allowed.mount_point.to_owned(), common, checks }))
    }

    /// Asks the bundle whether it may be installed. Nothing is written yet.
    pub fn check(&self) -> Result<(), HookError> {
        let Some(meta) = &self.checks else { return Ok(()) };
        let meta = meta.iter().map(|(name, value)| (name.as_str(), value.into())).collect();
        match self.run("install-check", meta) {
            Err(HookError::Failed { code: Some(REFUSED), said, .. }) => Err(HookError::Refused { said }),
            other => other,
        }
    }

    /// Calls the hook of a slot. Nobody has the slot open: a file system in it is mounted for the hook, seen by the
    /// hook alone.
    pub fn slot(&self, moment: Moment, bundle: &Bundle, source: &dyn Source, job: &Job<'_>) -> Result<(), HookError> {
        let (image, target) = (job.image, &job.target);
        let mut variables: Vec<(&str, OsString)> = vec![
            ("RAUC_SLOT_NAME", (&target.name).into()),
            ("RAUC_SLOT_CLASS", (&target.class).into()),
            ("RAUC_SLOT_TYPE", (&target.kind).into()),
            ("RAUC_SLOT_DEVICE", (&target.path).into()),
            ("RAUC_SLOT_BOOTNAME", target.bootname.as_deref().unwrap_or_default().into()),
            ("RAUC_SLOT_PARENT", target.parent.as_deref().unwrap_or_default().into()),
            ("RAUC_IMAGE_CLASS", (&image.slot_class).into()),
            ("RAUC_IMAGE_SIZE", image.size.to_string().into()),
            ("RAUC_IMAGE_DIGEST", image.sha256.map(|digest| hex(&digest)).unwrap_or_default().into()),
        ];
        if let Some(name) = &image.filename {
            let path = self.directory.path().join("image").join(name.as_str());
            if moment == Moment::Instead {
                file::make_directory(&self.directory.path().join("image"), 0o700)?;
                extract(bundle, source, name, &path, 0o600)?;
            }
            variables.push(("RAUC_IMAGE_NAME", path.into()));
        }
        let word = format!("slot-{}", moment.name());
        let mountable = matches!(target.kind.as_str(), "ext4" | "vfat");
        if moment == Moment::Instead || !mountable {
            return self.run(&word, variables);
        }
        variables.push(("RAUC_SLOT_MOUNT_POINT", (&self.mount_point).into()));
        archive::with_mounted(&target.path, &target.kind, &self.mount_point, || self.run(&word, variables))
            .map_err(HookError::Mount)?
    }

    fn run(&self, word: &str, variables: Vec<(&str, OsString)>) -> Result<(), HookError> {
        let fault = |cause| HookError::Run { hook: word.to_owned(), cause };
        let said = self.directory.path().join("said");
        file::write(&said, 0o600, Backup::Drop, b"")?;
        let open = || file::open_to_append(&said).map_err(fault);
        let mut command = Command::new(&self.program);
        command
            .arg(word)
            .env_clear()
            .envs(self.common.iter().cloned())
            .envs(variables)
            .current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(open()?).stderr(open()?).process_group(0);
        let mut child = command.spawn().map_err(fault)?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let in_time = pidfd::ended_within(pid, Self::LIMIT).map_err(fault)?;
        // What it started goes with it, whether it is done or not.
        let _ = signal::kill_group(pid);
        let ended = child.wait().map_err(fault)?;
        let said = last(&said);
        judge(word, in_time, ended, said)
    }
}

fn judge(word: &str, in_time: bool, ended: ExitStatus, said: String) -> Result<(), HookError> {
    let hook = word.to_owned();
    match (in_time, ended.code()) {
        (false, _) => Err(HookError::Late { hook }),
        (true, Some(0)) => Ok(()),
        (true, code) => Err(HookError::Failed { hook, code, said }),
    }
}

/// The end of what it said.
fn last(path: &Path) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SAID)))?;
        file.take(SAID).read_to_end(&mut text)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&text);
    text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Copies a file out of the bundle, verified as it is read.
fn extract(bundle: &Bundle, source: &dyn Source, name: &FileName, path: &Path, mode: u32) -> Result<(), HookError> {
    let fault = |cause| HookError::Extract { name: name.as_str().to_owned(), cause };
    let mut stream = FileStream::open(bundle, source, name, &|_| {}).map_err(fault)?;
    file::write_with(path, mode, Backup::Drop, |writer| io::copy(&mut stream, writer).map(|_| ()))?;
    Ok(())
}

/// Why a hook was not run, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("the bundle does not want to be installed here: {said}")]
    Refused { said: String },
    #[error("the hook {hook:?} is not known here")]
    Unknown { hook: String },
    #[error("cannot make a directory in {}", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot take {name:?} out of the bundle")]
    Extract {
        name: String,
        #[source]
        cause: InstallError,
    },
    #[error("cannot run the hook {hook}")]
    Run {
        hook: String,
        #[source]
        cause: io::Error,
    },
    #[error("the slot cannot be mounted for a hook")]
    Mount(#[source] ArchiveError),
    #[error("the hook {hook} took longer than {} s", Hooks::LIMIT.as_secs())]
    Late { hook: String },
    #[error("the hook {hook} failed{}: {said}", code.map(|code| format!(" with code {code}")).unwrap_or_default())]
    Failed { hook: String, code: Option<i32>, said: String },
}
