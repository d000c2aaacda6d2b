//! `greengrass ota`: updates of the system image. Here are the tools that need no daemon.

mod bundle;
mod install;
mod print;
mod trust;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use super::USAGE;
use crate::base::report::Report;
use crate::service::ota::bundle::BundleError;
use crate::service::ota::bundle::create::CreateError;
use crate::service::ota::fetch::FetchError;
use crate::service::ota::settings::SettingsError;
use crate::service::ota::trust::sign::SignError;
use crate::service::ota::update::UpdateError;
use crate::store::file::FileError;
use crate::store::update_lock::UpdateLockError;
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
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Runs the applet.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let words = std::iter::once(OsString::from("greengrass ota")).chain(arguments);
    let arguments = match OtaArguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader that went away early is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match arguments.command {
        Command::Bundle(command) => command.run(),
        Command::Install(arguments) => arguments.run(),
    };
    match done {
        Ok(text) => match std::io::stdout().write_all(&text) {
            Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        },
        Err(Failure::Usage(message)) => {
            eprintln!("greengrass ota: {message}");
            ExitCode::from(USAGE)
        }
        Err(failure) => {
            eprintln!("greengrass ota: {}", Report(&failure));
            ExitCode::FAILURE
        }
    }
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
    #[error(transparent)]
    Lock(#[from] UpdateLockError),
}

#[cfg(test)]
mod tests;
