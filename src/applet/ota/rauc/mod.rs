//! `rauc`: the command line of RAUC, for scripts that were written for it.
//!
//! Words, fields and exit codes are RAUC's, as far as they mean something here; what they do is what `greengrass ota`
//! does. There is no service behind it and no D-Bus.

mod info;
mod status;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use super::state::{Mark, mark};
use super::trust::TrustArguments;
use super::{Failure, report, run as ota};
use crate::boot::slot::Slot;
use crate::service::ota::layout::Layout;

/// The version of RAUC whose fields are written; scripts ask for it.
const SPOKEN: &str = "1.15";

/// Runs the applet. As with RAUC, whatever goes wrong ends with 1.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    match answer(arguments) {
        Ok((text, code)) => match std::io::stdout().write_all(text.as_bytes()) {
            Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => code,
        },
        Err(failure) => {
            report("rauc", &failure);
            ExitCode::FAILURE
        }
    }
}

fn answer(arguments: Vec<OsString>) -> Result<(String, ExitCode), Failure> {
    Line::parse(arguments).map_err(Failure::Usage)?.run()
}

/// How the answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Readable,
    Shell,
    Json,
    JsonPretty,
}

/// A command line, taken apart.
#[derive(PartialEq, Eq, Debug)]
struct Line {
    /// The command and what follows it.
    words: Vec<OsString>,
    /// Options with a value, in order.
    values: Vec<(&'static str, OsString)>,
    flags: Vec<&'static str>,
}

/// Options that mean something here. Any other one may forbid or demand something, and is refused.
const VALUES: [&str; 6] = ["--conf", "--keyring", "--output-format", "--mount", "--cert", "--key"];
const FLAGS: [&str; 6] = ["--no-verify", "--detailed", "--progress", "--debug", "--version", "--help"];

impl Line {
    fn parse(arguments: Vec<OsString>) -> Result<Self, String> {
        let mut line = Self { words: Vec::new(), values: Vec::new(), flags: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            let (name, inside) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
                _ => (&*text, None),
            };
            let name = match name {
                "-c" => "--conf",
                "-d" => "--debug",
                "-h" => "--help",
                name => name,
            };
            if let Some(known) = VALUES.iter().find(|known| **known == name) {
                let value = inside.or_else(|| arguments.next());
                line.values.push((known, value.ok_or_else(|| format!("{known} needs a value"))?));
            } else if let Some(known) = FLAGS.iter().find(|known| **known == name && inside.is_none()) {
                line.flags.push(known);
            } else if name.starts_with('-') && name.len() > 1 {
                return Err(format!("the option {name} is not known here"));
            } else {
                line.words.push(argument);
            }
        }
        Ok(line)
    }

    fn run(&self) -> Result<(String, ExitCode), Failure> {
        let done = |text: String| Ok((text, ExitCode::SUCCESS));
        if self.has("--version") {
            return done(format!("rauc {SPOKEN} (greengrass {})\n", env!("CARGO_PKG_VERSION")));
        }
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        let words: Vec<&str> = words.iter().map(|word| &**word).collect();
        match words[..] {
            _ if self.has("--help") => done(HELP.to_owned()),
            ["install", bundle] => Ok(self.install(bundle)),
            ["info", _] => done(info::info(self, &self.words[1])?),
            ["bundle", _, _] => Ok((String::new(), self.bundle())),
            ["status"] => done(status::status(self)?),
            ["status", word] => done(self.mark(word, "booted")?),
            ["status", word, slot] => done(self.mark(word, slot)?),
            _ => Err(unknown()),
        }
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn value(&self, name: &str) -> Option<&OsString> {
        self.values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn format(&self) -> Result<Format, Failure> {
        let Some(word) = self.value("--output-format") else { return Ok(Format::Readable) };
        match word.to_str() {
            Some("readable") => Ok(Format::Readable),
            Some("shell") => Ok(Format::Shell),
            Some("json") => Ok(Format::Json),
            Some("json-pretty") => Ok(Format::JsonPretty),
            _ => Err(Failure::Usage(format!("the output format {} is not known here", word.display()))),
        }
    }

    fn trust(&self) -> TrustArguments {
        let keyring = self.value("--keyring").map(Into::into);
        TrustArguments::of(self.value("--conf").map(Into::into), keyring)
    }

    /// The line of `greengrass ota` that does the same.
    fn ota(&self, words: &[&str], options: &[&'static str], rest: &[OsString]) -> ExitCode {
        let mut line: Vec<OsString> = words.iter().map(OsString::from).collect();
        for (name, value) in self.values.iter().filter(|(name, _)| options.contains(name)) {
            line.extend([OsString::from(name), value.clone()]);
        }
        line.extend_from_slice(rest);
        // The codes of `greengrass ota` say more than RAUC's do.
        if ota(line) == ExitCode::SUCCESS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn install(&self, bundle: &str) -> (String, ExitCode) {
        let code = self.ota(&["install"], &["--conf", "--keyring"], &self.words[1..]);
        if code != ExitCode::SUCCESS {
            eprintln!("Installing `{bundle}` failed");
            return (String::new(), code);
        }
        (format!("Installing `{bundle}` succeeded\n"), code)
    }

    fn bundle(&self) -> ExitCode {
        self.ota(&["bundle", "create"], &["--key", "--cert"], &self.words[1..])
    }

    fn mark(&self, word: &str, slot: &str) -> Result<String, Failure> {
        let as_what = match word {
            "mark-good" => Mark::Good,
            "mark-bad" => Mark::Bad,
            "mark-active" => Mark::Active,
            _ => return Err(unknown()),
        };
        let settings = self.trust().settings()?;
        let layout = Layout::of(&settings.slots).map_err(|cause| Failure::Device(cause.into()))?;
        let (wanted, outcome) = mark(&settings, as_what, slot)?;
        let name = system(&layout, wanted);
        let said = match as_what {
            Mark::Good => format!("marked slot {name} as good"),
            Mark::Bad => format!("marked slot {name} as bad"),
            Mark::Active => format!("activated slot {name}"),
        };
        Ok(format!("rauc status: {said} ({outcome})\n"))
    }
}

fn unknown() -> Failure {
    Failure::Usage(format!("this is not known here\n\n{}", HELP.trim_end()))
}

/// What RAUC calls a slot: the place of the system itself, such as `rootfs.0`.
fn system(layout: &Layout, slot: Slot) -> &str {
    layout.places(slot).last().map_or("", |place| &place.name)
}

/// `NAME='value'`, for the shell.
fn assign(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("='");
    text.push_str(&value.replace('\'', r"'\''"));
    text.push_str("'\n");
}

/// JSON in the one or the other form.
fn json(value: &serde_json::Value, format: Format) -> String {
    if format == Format::JsonPretty { format!("{value:#}\n") } else { format!("{value}\n") }
}

const HELP: &str = "Usage: rauc [-c FILE] [--keyring PEM] COMMAND\n\n\
    Does for scripts of RAUC what `greengrass ota` does:\n\
    \x20 install FILE|URL\n\
    \x20 info [--no-verify] [--output-format=readable|shell|json|json-pretty] FILE|URL\n\
    \x20 status [--detailed] [--output-format=readable|shell|json|json-pretty]\n\
    \x20 status mark-good|mark-bad|mark-active [booted|other|SLOT]\n\
    \x20 bundle --cert PEM --key PEM FOLDER FILE\n\n\
    Exit status: 0 done, 1 anything else.\n";

#[cfg(test)]
mod tests;
