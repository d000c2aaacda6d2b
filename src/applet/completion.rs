//! `greengrass completion bash|zsh|fish`: the completion scripts of `greengrass-cli` and of `greengrass`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap_complete::Shell;

use super::{USAGE, help};

/// Prints the script for the shell the one argument names.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let Ok([shell]) = <[OsString; 1]>::try_from(arguments) else { return teach() };
    match shell.to_str() {
        Some("--help" | "-h") => help::print(TEACH),
        Some(word) => match word.parse() {
            Ok(shell @ (Shell::Bash | Shell::Zsh | Shell::Fish)) => help::print(&script(shell)),
            _ => teach(),
        },
        None => teach(),
    }
}

/// The completion scripts for one shell, one behind the other.
pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::ctl::command(), "greengrass-cli", &mut script);
    clap_complete::generate(shell, &mut all(), "greengrass", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The applets that have something to complete behind their names.
fn all() -> clap::Command {
    let all = clap::Command::new("greengrass").subcommand(super::ctl::command().name("cli"));
    #[cfg(feature = "check")]
    let all = all.subcommand(super::check::command().name("check"));
    #[cfg(feature = "ota")]
    let all = all.subcommand(super::ota::command().name("ota"));
    all
}

fn teach() -> ExitCode {
    eprint!("{TEACH}");
    ExitCode::from(USAGE)
}

const TEACH: &str = "Usage: greengrass completion <bash|zsh|fish>\n\n\
    Prints the completion scripts of greengrass-cli and greengrass. For the bash that runs now:\n\
    \x20 source <(greengrass completion bash)\n";

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn bash_can_read_its_script() {
        let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut bash) = bash else {
            eprintln!("skipped: there is no bash here");
            return;
        };
        bash.stdin.take().unwrap().write_all(script(Shell::Bash).as_bytes()).unwrap();
        let output = bash.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn scripts_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for word in
                ["deployment", "create", "recipeDir", "list-log-files", "check", "kernel-config", "sysroot", "rollback"]
            {
                assert!(script.contains(word), "{shell} {word}");
            }
        }
        assert_eq!(run(vec!["tcsh".into()]), ExitCode::from(USAGE));
    }
}
