//! `greengrass-cli`: asks the daemon of this machine, over its control socket.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | it failed |
//! | 2 | refused, or there is no such thing |
//! | 64 | the command line is wrong |
//! | 69 | the daemon cannot be reached |
//!
//! Text goes out in the shape of the AWS CLI, for scripts read it; `--output json` prints one document per command
//! (one per line for `logs` and `pubsub sub`). Complaints and progress go to standard error.

mod arguments;
mod component;
mod config;
mod debug_password;
mod deployment;
mod failure;
mod logs;
mod print;
mod pubsub;
mod request;
mod status;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};
use failure::Failure;
use print::Printer;

use super::{USAGE, completion, help};

/// Runs one command of `greengrass-cli`; the arguments come after its name.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments = match arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return not_parsed(&error),
    };
    let stdout = std::io::stdout();
    let mut printer = Printer::new(stdout.lock(), arguments.output);
    match execute(&arguments, &mut printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                eprintln!("greengrass-cli: {message}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn execute(arguments: &Arguments, printer: &mut Printer<impl std::io::Write>) -> Result<(), Failure> {
    let root = failure::absolute("--ggcRootPath", &arguments.root)?;
    let connect = || failure::connect(&root);
    match &arguments.command {
        Command::Component(command) => component::run(command, &mut connect()?, printer),
        Command::Deployment(command) => deployment::run(command, connect, printer),
        Command::Pubsub(command) => pubsub::run(command, connect, printer),
        Command::Logs(command) => logs::run(command, &root, printer),
        Command::Config(command) => config::run(command, &mut connect()?, printer),
        Command::GetDebugPassword => debug_password::run(&mut connect()?, printer),
        Command::Status => status::run(&mut connect()?, printer),
        Command::Completion { shell } => printer.text(&completion::script(*shell)),
    }
}

fn not_parsed(error: &clap::Error) -> ExitCode {
    match error.kind() {
        // The AWS CLI says its version in these words.
        ErrorKind::DisplayVersion => help::print(&format!("Greengrass CLI Version: {}\n", env!("CARGO_PKG_VERSION"))),
        ErrorKind::DisplayHelp => help::print(&error.render().to_string()),
        _ => {
            eprint!("{}", error.render());
            ExitCode::from(USAGE)
        }
    }
}

/// The command line as clap knows it, for completion scripts.
pub(super) fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests;
