//! `greengrass completion bash|zsh|fish`: the completion script of `greengrass-cli`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap_complete::Shell;

use super::{USAGE, help};

/// Prints the script for the shell the one argument names.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let [shell] = &arguments[..] else { return teach() };
    match shell.to_str() {
        Some("--help" | "-h") => help::print(TEACH),
        Some(word) => match word.parse() {
            Ok(shell @ (Shell::Bash | Shell::Zsh | Shell::Fish)) => help::print(&script(shell)),
            _ => teach(),
        },
        None => teach(),
    }
}

/// The completion script of `greengrass-cli` for one shell.
pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::ctl::command(), "greengrass-cli", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn teach() -> ExitCode {
    eprint!("{TEACH}");
    ExitCode::from(USAGE)
}

const TEACH: &str = "Usage: greengrass completion <bash|zsh|fish>\n\n\
    Prints the completion script of greengrass-cli. For the bash that runs now:\n\
    \x20 source <(greengrass completion bash)\n";
