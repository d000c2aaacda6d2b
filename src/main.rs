//! The multi-call binary: the applet is named by `argv[0]` or by the first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    greengrass::applet::run(std::env::args_os())
}
