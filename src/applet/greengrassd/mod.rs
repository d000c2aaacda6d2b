//! The daemon: settings, build, wait, drain.

mod options;
mod start;
mod trial;

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::base::report::Report;
use crate::service::deploy::Exit;
use crate::service::loader;

use options::Options;

pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let options = match Options::parse_from(arguments.clone()) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { super::USAGE } else { 0 });
        }
    };
    if options.self_check {
        return super::help::print(&format!("{}\n", loader::CHECKED));
    }
    let deadline = Duration::from_secs(options.start_deadline);
    let handed_over = options.paths().and_then(|paths| Ok(loader::hand_over(&paths, deadline, &arguments)?));
    if let Err(error) = handed_over {
        // This executable serves in its place.
        eprintln!("greengrassd: {}", Report(&error));
    }
    match start::serve(&options, arguments) {
        Ok(code) => {
            if code == Exit::Reboot.code() {
                reboot(&options);
            }
            ExitCode::from(code)
        }
        Err(error) => {
            // The log may not be open yet, and who starts a daemon by hand looks here.
            eprintln!("greengrassd: {}", Report(&error));
            tracing::error!("{}", Report(&error));
            ExitCode::FAILURE
        }
    }
}

/// Asks for the reboot itself where the init system cannot be told by an exit code. Everything is written by now, and
/// the deployment goes on after whichever start comes next.
fn reboot(options: &Options) {
    let Some(command) = options.reboot_command.as_deref().filter(|command| !command.is_empty()) else { return };
    let said = Command::new("sh").args(["-c", command]).status();
    match said {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::error!(command, %status, "The device was not started again."),
        Err(cause) => tracing::error!(command, %cause, "Cannot start the device again."),
    }
}
