//! `greengrass ota`: updates of the system image. Here are the tools that need no daemon.

mod bundle;
mod install;
mod keys;
mod print;
mod progress;
pub mod rauc;
mod state;
mod status;
mod trust;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use super::USAGE;
use crate::base::report::Report;
use crate::boot::state::slots::SlotsError;
use crate::service::ota::bundle::BundleError;
use crate::service::ota::bundle::create::CreateError;
use crate::service::ota::change::ChangeError;
use crate::service::ota::device::DeviceError;
use crate::service::ota::fetch::FetchError;
use crate::service::ota::settings::SettingsError;
use crate::service::ota::trust::sign::SignError;
use crate::service::ota::update::UpdateError;
use crate::store::file::FileError;
use crate::store::update_lock::UpdateLockError;
use crate::wire::bundle::certificate::CertificateError;
use crate::wire::bundle::policy::PolicyError;

/// Work with updates of the system image, which come as RAUC bundles of the format `verity`
#[derive(Parser, Debug)]
#[command(
    name = "greengrass ota",
    bin_name = "greengrass ota",
    arg_required_else_help = true,
    after_help = "An update, from an image to a slot:\n\
        \x20 greengrass ota bundle create --key sign.key --cert sign.pem folder/ update.raucb\n\
        \x20 greengrass ota bundle verify --keyring ca.pem update.raucb\n\
        \x20 greengrass ota install --reboot update.raucb\n\n\
        Whom to trust and what this device is stand in /etc/greengrass/ota.conf, or in RAUC's /etc/rauc/system.conf.\n\
        Exit status: 0 done, 1 refused or failed, 64 a command line that makes no sense."
)]
struct OtaArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make, look at and verify bundles
    #[command(subcommand, arg_required_else_help = true)]
    Bundle(bundle::Command),
    /// Verify a bundle, write it into the slot that does not run, and have the next boot try it
    Install(install::Arguments),
    /// Tell which slot runs, what is in each, and how far an update is
    Status(status::Arguments),
    /// Keep the slot that runs on trial
    Commit(state::StateArguments),
    /// Go back to the former version: give up the trial that runs, or have the next boot try the former slot
    Rollback(state::RollbackArguments),
    /// Call off what was installed and has not begun
    Cancel(state::StateArguments),
    /// Mark a slot as RAUC does: active boots next, good is kept, bad is not used
    Mark(state::MarkArguments),
    /// List whom this device trusts, until when, and whether that is enough
    Keys(keys::Arguments),
}

/// What is printed, and how it ends.
type Told = (Vec<u8>, ExitCode);

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The command line as clap knows it, for completion scripts.
#[cfg(feature = "cli")]
pub(super) fn command() -> clap::Command {
    <OtaArguments as clap::CommandFactory>::command()
}

/// Runs the applet.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader that went away early is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command.run() {
        Ok((text, code)) => match std::io::stdout().write_all(&text) {
            Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => code,
        },
        Err(failure) => {
            report("greengrass ota", &failure);
            if matches!(failure, Failure::Usage(_)) { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<OtaArguments, clap::Error> {
    OtaArguments::try_parse_from(std::iter::once(OsString::from("greengrass ota")).chain(arguments))
}

impl Command {
    fn run(self) -> Result<Told, Failure> {
        let text = match self {
            Self::Bundle(command) => command.run(),
            Self::Install(arguments) => arguments.run(),
            Self::Commit(arguments) => arguments.commit(),
            Self::Rollback(arguments) => arguments.run(),
            Self::Cancel(arguments) => arguments.cancel(),
            Self::Mark(arguments) => arguments.run(),
            Self::Status(arguments) => return arguments.run(),
            Self::Keys(arguments) => return arguments.run(),
        };
        Ok((text?, ExitCode::SUCCESS))
    }
}

/// Says what went wrong, and what to do about it.
fn report(program: &str, failure: &Failure) {
    let advice = failure.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
    eprintln!("{program}: {}{advice}", Report(failure));
}

/// Why nothing was done, or not all.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot open {path}")]
    Open {
        path: String,
        #[source]
        cause: std::io::Error,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the bundle cannot be fetched")]
    Fetch(#[from] FetchError),
    #[error("{path} is refused")]
    Bundle {
        path: String,
        #[source]
        cause: BundleError,
    },
    #[error("no bundle was made")]
    Create(#[from] CreateError),
    #[error("{path} cannot sign")]
    Key {
        path: String,
        #[source]
        cause: SignError,
    },
    #[error("the bundle is well signed, but not for this device")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Update(#[from] UpdateError),
    #[error("a certificate or revocation list of this device cannot be used")]
    Keys(#[source] CertificateError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Slots(#[from] SlotsError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Lock(#[from] UpdateLockError),
    #[error("it is done, but the machine cannot be rebooted")]
    Reboot(#[source] std::io::Error),
}

impl Failure {
    /// What to do about it, where the message does not say.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Slots(SlotsError::NoRecord) | Self::Change(ChangeError::Slots(SlotsError::NoRecord)) => {
                Some("so does the first `greengrass ota install`")
            }
            _ if status::is_denied(self) => Some("try it as root"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
