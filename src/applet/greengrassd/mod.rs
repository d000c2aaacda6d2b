//! The daemon: settings, build, wait, drain.

mod options;
mod start;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::base::report::Report;

use options::Options;

pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let options = match Options::parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { super::USAGE } else { 0 });
        }
    };
    match start::serve(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The log may not be open yet, and who starts a daemon by hand looks here.
            eprintln!("greengrassd: {}", Report(&error));
            tracing::error!("{}", Report(&error));
            ExitCode::FAILURE
        }
    }
}
