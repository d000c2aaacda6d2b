//! `greengrass-cli`: asks the daemon of this machine, over its control socket.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;

mod arguments;
mod values;

/// Runs one command of `greengrass-cli`; the arguments come after its name.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let _ = arguments::parse(arguments);
    ExitCode::FAILURE
}

/// The command line as clap knows it, for completion scripts.
pub(super) fn command() -> clap::Command {
    arguments::Arguments::command()
}
