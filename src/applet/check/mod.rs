//! `greengrass check`: the device tester. What of this machine would not do, what that costs, and how to mend it.
//!
//! [`gather`] looks and decides nothing; [`judge`] decides and looks at nothing, so every verdict can be tested on
//! the facts of a machine that is not here; [`print`] says it. `--boot` shows what PID 1 wrote about the boot.

mod boot;
mod facts;
mod finding;
mod gather;
mod judge;
mod overlay;
mod print;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use finding::{Group, Verdict};
use gather::Place;
use print::{Colour, Detail, Paper};

/// As the dependency checkers of distributions have it, and unlike the other applets: 64 would be hard to tell from a
/// verdict in scripts that ask for "more than 1".
const MISUSED: u8 = 2;

/// Tell what of this machine, or of a kernel configuration, would not do for Greengrass, and how to mend it
///
/// Each finding is ok, degraded (something in particular will not work) or failed (the device cannot do its work).
#[derive(Parser, Debug)]
#[command(name = "greengrass check", bin_name = "greengrass check", after_help = EXAMPLES)]
pub struct CheckArguments {
    /// Root directory of the daemon: its file system is looked at; GGC_ROOT_PATH names another default
    #[arg(short, long, value_name = "DIR", default_value_os_t = super::root::usual())]
    root: PathBuf,
    /// Where the writable layer of the root lies: /data if it is there, else the root directory
    #[arg(short, long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Judge this kernel configuration (text or gzip) instead of the running kernel's
    #[arg(long, value_name = "FILE")]
    kernel_config: Option<PathBuf>,
    /// Judge the machine whose files lie below DIR (DIR/proc, DIR/sys, DIR/etc ...) instead of this one
    #[arg(long, value_name = "DIR")]
    sysroot: Option<PathBuf>,
    /// Only these groups
    #[arg(long, value_name = "GROUP,...", value_delimiter = ',', value_enum)]
    only: Vec<Group>,
    /// Leave out findings of these names, such as java,watchdog
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    skip: Vec<String>,
    /// End with 1 for what is degraded, too
    #[arg(long)]
    strict: bool,
    /// Show what each step of the last boot did instead, from FILE or where gg-init left it
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
          conflicts_with_all = ["kernel_config", "only", "skip"])]
    boot: Option<Option<PathBuf>>,
    /// With --boot: the boot before the last
    #[arg(long, requires = "boot")]
    former: bool,
    /// Also list every kernel option that is set
    #[arg(short, long)]
    verbose: bool,
    /// Table for people, or one JSON document
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// No colours, also on a terminal
    #[arg(long)]
    no_color: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The command line as clap knows it, for completion scripts.
#[cfg(feature = "cli")]
pub(super) fn command() -> clap::Command {
    <CheckArguments as clap::CommandFactory>::command()
}

/// Runs the applet: 0 when nothing failed, 1 when something did, 2 for a command line that makes no sense.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let words = std::iter::once(OsString::from("greengrass check")).chain(arguments);
    let arguments = match CheckArguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader that went away early is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(MISUSED) } else { ExitCode::SUCCESS };
        }
    };
    let (text, verdict) = match arguments.answer() {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("greengrass check: {}", crate::base::report::Report(&error));
            return ExitCode::FAILURE;
        }
    };
    let mut stdout = std::io::stdout();
    if let Err(cause) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        && cause.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("greengrass check: cannot print what was found: {cause}");
        return ExitCode::FAILURE;
    }
    match verdict {
        Verdict::Failed => ExitCode::FAILURE,
        Verdict::Degraded if arguments.strict => ExitCode::FAILURE,
        Verdict::Ok | Verdict::Degraded => ExitCode::SUCCESS,
    }
}

impl CheckArguments {
    fn answer(&self) -> Result<(String, Verdict), boot::BootError> {
        let place = self.place();
        if let Some(file) = &self.boot {
            let report = boot::load(&place, file.as_deref(), self.former)?;
            let verdict = boot::verdict(&report);
            let text = match self.output {
                Output::Text => boot::text(&report, &self.paper()),
                Output::Json => boot::json(&report, verdict),
            };
            return Ok((text, verdict));
        }
        let facts = gather::facts(&place);
        let mut findings = judge::findings(&facts);
        findings.retain(|finding| self.only.is_empty() || self.only.contains(&finding.group));
        findings.retain(|finding| !self.skip.iter().any(|name| name.eq_ignore_ascii_case(&finding.name)));
        let verdict = Verdict::of(&findings);
        let text = match self.output {
            Output::Text => print::text(&findings, verdict, &self.paper()),
            Output::Json => print::json(&facts, &findings, verdict),
        };
        Ok((text, verdict))
    }

    fn place(&self) -> Place {
        Place {
            sysroot: self.sysroot.clone(),
            root: self.root.clone(),
            data: self.data.clone(),
            kernel_config: self.kernel_config.clone(),
        }
    }

    fn paper(&self) -> Paper {
        let plain = self.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = if plain || !std::io::stdout().is_terminal() { Colour::Never } else { Colour::Always };
        Paper { colour, detail: if self.verbose { Detail::Every } else { Detail::Telling } }
    }
}

const EXAMPLES: &str = "\
Examples:
  greengrass check                                      this device, as root for every check
  greengrass check --output json --strict               for scripts
  greengrass check --only kernel --kernel-config .config   a kernel you are about to build
  greengrass check --skip java,node                     what you do not need anyway
  greengrass check --boot                               what the last boot did, step by step

Exit codes: 0 nothing failed, 1 something failed (with --strict also: is degraded), 2 wrong command line";

#[cfg(test)]
mod tests;
