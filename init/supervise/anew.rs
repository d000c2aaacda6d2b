//! The supervisor begins as a program of its own: what the boot took of memory, a tenth of all, is given back.
//!
//! It is the same process and the same program, which becomes itself by `execve(2)`. Children, signals that wait and the
//! watchdog are kept by that; the few settings that a supervisor needs are passed as arguments, because the files they
//! came from are gone with the initramfs.

use std::ffi::CString;
use std::io;

use gg_boot::report::Outcome::Degraded;
use gg_boot::settings::Settings;
use gg_sys::early;
use gg_sys::kmsg::Level;
use gg_sys::process;

use crate::journal::{Instead, Journal};
use crate::watchdog::Vigil;

/// Supervises as a program anew, or as the one this is where that cannot be.
pub(crate) fn begin(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings) -> ! {
    let cause = become_supervisor(vigil, settings);
    vigil.take_back();
    journal.say(Level::Warning, &format!("the memory of the boot is kept: cannot begin anew: {cause}"));
    super::run(journal, vigil, settings)
}

fn become_supervisor(vigil: &mut Vigil, settings: &Settings) -> io::Error {
    let words = vigil.pass_on().and_then(|[timeout, left]| {
        let grace = settings.shutdown_grace.to_string();
        let words = [NAME, SUPERVISOR, &timeout, &left, &grace, &settings.supervise];
        words.into_iter().map(|word| Ok(CString::new(word)?)).collect::<io::Result<Vec<_>>>()
    });
    match words {
        Ok(words) => early::become_anew(&words),
        Err(cause) => cause,
    }
}

const NAME: &str = "gg-init";
/// The first argument; what [`Passed`] has follows.
const SUPERVISOR: &str = "--supervise";

/// What the boot leaves to the supervisor.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Passed {
    /// For [`Vigil::passed_on`].
    vigil: [String; 2],
    shutdown_grace: u64,
    supervise: String,
}

impl Passed {
    /// `None`: this is a boot.
    pub(crate) fn from_arguments() -> Option<Self> {
        Self::parse(std::env::args_os().skip(1).map(|word| word.into_string().unwrap_or_default()))
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        words.next().filter(|word| word == SUPERVISOR)?;
        let vigil = [words.next()?, words.next()?];
        let shutdown_grace = words.next()?.parse().ok()?;
        Some(Self { vigil, shutdown_grace, supervise: words.next()? })
    }
}

/// Goes on where [`begin`] left off.
pub(crate) fn resume(passed: &Passed) -> ! {
    // The kernel names it after the last part of the path it was executed by.
    let _ = process::set_name(c"gg-init");
    let mut journal = Journal::default();
    journal.open_log();
    let [timeout, left] = &passed.vigil;
    let mut vigil = Vigil::passed_on([timeout, left]);
    journal.step("signals", Instead(Degraded, "signals are ignored"), || vigil.open_inbox());
    let settings =
        Settings { shutdown_grace: passed.shutdown_grace, supervise: passed.supervise.clone(), ..Settings::default() };
    super::run(&mut journal, &mut vigil, &settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<Passed> {
        Passed::parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn words_of_the_boot_are_understood() {
        let expected = Passed {
            vigil: ["60".to_owned(), "-".to_owned()],
            shutdown_grace: 30,
            supervise: "/usr/bin/greengrassd --root /x".to_owned(),
        };
        assert_eq!(parse(&["--supervise", "60", "-", "30", "/usr/bin/greengrassd --root /x"]), Some(expected));
    }

    #[test]
    fn other_words_are_a_boot() {
        for words in [&[][..], &["single"], &["--supervise"], &["--supervise", "-", "-", "x", "/bin/sh"]] {
            assert_eq!(parse(words), None, "{words:?}");
        }
    }
}
