//! Which version of the daemon is started: the image's own, or one that a deployment brought.
//!
//! Whoever starts the daemon starts the executable of the image. Before it serves it looks at the links of
//! [`Alts`] and becomes, by `execve(2)`, what `current` names: no process stays behind, and no service manager has to
//! know. A version on trial is counted on disk first, and gets a deadline that the kernel holds ([`alarm`]); it takes
//! the deadline away when it is up. What cannot be started any more gives way to the executable of the image, so there
//! is always one. `state.rs` decides; its table is there.
//!
//! What a new executable must know of an older one that starts it: it is called `greengrass greengrassd <options>`;
//! with `--self-check` behind them it only says [`CHECKED`] if it understands them; SIGALRM is on its way.

mod state;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::report::Report;
use crate::store::alts::Alts;
use crate::store::file::FileError;
use crate::store::lock::{LockError, RootLock};
use crate::store::paths::Paths;
use crate::sys::{alarm, clock, pipe};

use state::{Now, Step};

/// The line of `--self-check`: "I understand these options, and how I am started". Another number is another agreement.
pub const CHECKED: &str = "loader 1";
/// The version of this executable, as far as another image's differs.
pub const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts what is to be started in the place of this executable; returns when that is this executable itself.
///
/// `arguments` are those of the daemon. An error means that `current` could not be started: the caller serves.
pub fn hand_over(paths: &Paths, deadline: Duration, arguments: &[OsString]) -> Result<(), LoaderError> {
    let alts = Alts::of(paths);
    let links = alts.links();
    if (links.current.is_none() && links.new.is_none()) || alts.launched().is_some() {
        return Ok(());
    }
    // Only what is about to serve may count a try. Who comes second is told so when it tries to serve.
    let _lock = match (links.new.is_some() || links.old.is_some()).then(|| RootLock::take(paths)).transpose() {
        Err(LockError::Held { .. }) => return Ok(()),
        lock => lock?,
    };
    loop {
        let links = alts.links();
        let launch = links.current.as_deref().and_then(|name| alts.launch(name));
        let tries = links.current.as_deref().and_then(|name| alts.tries(name)).unwrap_or_default();
        let now = Now { at: clock::since_boot().as_secs(), boot: clock::boot_id(), deadline: deadline.as_secs() };
        match state::decide(&links, launch.as_ref(), OWN_VERSION, &tries, &now) {
            Step::Image => return Ok(()),
            Step::Enter { old } => alts.enter(&old)?,
            Step::GoBack => alts.go_back()?,
            Step::GiveUp { name, why } => alts.give_up(&name, &why)?,
            Step::Start(name) => return Err(start(alts.program(&name), arguments)),
            Step::Try { name, tries } => {
                let program = alts.program(&name);
                // The options may be others since it was brought.
                if let Err(fault) = check(&program, arguments) {
                    alts.give_up(&name, &Report(&fault).to_string())?;
                    continue;
                }
                alts.write_tries(&name, &tries)?;
                alarm::set(deadline);
                let fault = start(program, arguments);
                alarm::cancel();
                alts.give_up(&name, &Report(&fault).to_string())?;
            }
        }
    }
}

/// Returns only if that cannot be.
fn start(program: PathBuf, arguments: &[OsString]) -> LoaderError {
    let cause = Command::new(&program).arg(DAEMON).args(arguments).exec();
    LoaderError::Start { program, cause }
}

/// Asks an executable whether it can be started with these options of the daemon. Blocks.
///
/// Only what it says counts: in a daemon somebody else may learn how it ended.
pub fn check(program: &Path, arguments: &[OsString]) -> Result<(), CheckError> {
    let (answer, theirs) = pipe::pipe().map_err(CheckError::Start)?;
    let mut command = Command::new(program);
    command.arg(DAEMON).args(arguments).arg("--self-check");
    command.stdin(Stdio::null()).stdout(theirs).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = loop {
        match command.spawn() {
            // A process that was forked while the file was written has it open until it is another program.
            Err(cause) if is_busy(&cause) && start.elapsed() < CHECK_LIMIT => thread::sleep(MOMENT),
            started => break started.map_err(CheckError::Start)?,
        }
    };
    // Our copy of their end of the pipe.
    drop(command);
    let said = first_line(File::from(answer), CHECK_LIMIT);
    if said.is_none() {
        let _ = child.kill();
        // It may be reaped already.
        let _ = child.wait();
    }
    match said {
        None => Err(CheckError::Late),
        Some(line) if line == CHECKED => Ok(()),
        Some(_) => Err(CheckError::NoAnswer),
    }
}

fn is_busy(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::ExecutableFileBusy
}

/// What a pipe brings before its first line end, or its end; `None` if that does not come in time.
fn first_line(mut pipe: File, limit: Duration) -> Option<String> {
    let (start, mut said, mut byte) = (Instant::now(), String::new(), [0]);
    while said.len() < LONGEST_LINE {
        match pipe.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => said.push(char::from(byte[0])),
            Err(cause) if matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
                pipe::wait_for_either(&pipe, &pipe, Some(left)).ok()?;
            }
            Err(_) => return None,
        }
    }
    Some(said)
}

#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    #[error("cannot start {}", program.display())]
    Start {
        program: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Links(#[from] FileError),
}

/// Why an executable cannot be the daemon.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("it cannot be started")]
    Start(#[source] io::Error),
    #[error("its self-check said nothing within {} s", CHECK_LIMIT.as_secs())]
    Late,
    #[error("it is no daemon that this one can start with its options: its self-check does not say so")]
    NoAnswer,
}

const DAEMON: &str = "greengrassd";
/// For an executable to look at its options, on slow flash.
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a file that is busy.
const MOMENT: Duration = Duration::from_millis(20);
/// More than any answer.
const LONGEST_LINE: usize = 64;
