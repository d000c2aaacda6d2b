//! `greengrass recipe check`: the verdict of a core on recipe files, with field, line and reason.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::USAGE;
use crate::wire::platform::PlatformAttributes;

mod verdict;

use verdict::Verdict;

/// Work with component recipes
#[derive(Parser, Debug)]
#[command(name = "greengrass recipe", bin_name = "greengrass recipe", arg_required_else_help = true)]
pub struct RecipeArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Tell of each recipe whether a core accepts it, and if not, which field, line and reason
    Check(CheckArguments),
}

#[derive(Args, Debug)]
struct CheckArguments {
    /// Recipe files (.json, .yaml, .yml), or directories of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also tell which manifest a device uses: this one, with these attributes changed (os=linux,architecture=arm)
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = attribute)]
    platform: Vec<(String, String)>,
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Runs the applet: 0 when every recipe is accepted, 1 when one is not, 64 for a command line that makes no sense.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let words = std::iter::once(OsString::from("greengrass recipe")).chain(arguments);
    match RecipeArguments::try_parse_from(words) {
        Ok(arguments) => arguments.run(),
        Err(error) => {
            // A reader that went away early is no failure.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

impl RecipeArguments {
    fn run(&self) -> ExitCode {
        let Command::Check(check) = &self.command;
        let verdicts = check.verdicts();
        let mut stdout = std::io::stdout();
        let printed = stdout.write_all(check.text(&verdicts).as_bytes()).and_then(|()| stdout.flush());
        if let Err(cause) = printed
            && cause.kind() != std::io::ErrorKind::BrokenPipe
        {
            eprintln!("greengrass recipe: cannot print the verdicts: {cause}");
            return ExitCode::FAILURE;
        }
        if verdicts.iter().all(Verdict::is_accepted) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl CheckArguments {
    fn verdicts(&self) -> Vec<Verdict> {
        let device = (!self.platform.is_empty()).then(|| {
            let here = PlatformAttributes::detect(std::env::consts::OS, std::env::consts::ARCH);
            self.platform.iter().fold(here, |device, (name, value)| device.with(name, value))
        });
        self.files.iter().flat_map(|path| verdict::of_path(path, device.as_ref())).collect()
    }

    fn text(&self, verdicts: &[Verdict]) -> String {
        match self.output {
            Output::Text => verdicts.iter().map(Verdict::to_string).collect(),
            Output::Json => {
                let list: serde_json::Value = verdicts.iter().map(Verdict::to_json).collect();
                format!("{list:#}\n")
            }
        }
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE, such as os=linux".into()),
    }
}

#[cfg(test)]
mod tests;
