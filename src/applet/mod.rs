//! The programs in the binary; `argv[0]` and the first argument choose from one table.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the applet the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}
