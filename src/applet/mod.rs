//! The programs in the binary; `argv[0]` and the first argument choose from one table.
//!
//! A name of an applet counts in both places: a link `greengrass-cli -> greengrass` and `greengrass greengrass-cli`
//! run the same thing, and so does the short `greengrass cli`. Dispatch looks at names only, before anything heavy
//! is touched, because the hidden applets are started once per component process.

#[cfg(feature = "check")]
pub mod check;
#[cfg(feature = "cli")]
pub mod completion;
#[cfg(feature = "cli")]
pub mod ctl;
#[cfg(feature = "dev")]
pub mod dev;
pub mod greengrassd;
mod help;
pub mod keeper;
#[cfg(feature = "ota")]
pub mod ota;
#[cfg(feature = "check")]
pub mod recipe;
mod root;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// A command line nobody can make sense of, as `sysexits.h` has it.
pub const USAGE: u8 = 64;

/// One program of the binary.
struct Applet {
    /// The first is the one help shows; a first one that starts with `greengrass` is worth a link of that name.
    names: &'static [&'static str],
    /// One line for help; none hides the applet.
    summary: Option<&'static str>,
    /// Gets the arguments after the name.
    run: fn(Vec<OsString>) -> ExitCode,
}

static APPLETS: &[Applet] = &[
    Applet {
        names: &["greengrassd"],
        summary: Some("the daemon: keeps the deployed components running"),
        run: greengrassd::run,
    },
    #[cfg(feature = "cli")]
    Applet {
        names: &["greengrass-cli", "cli"],
        summary: Some("ask a running daemon: components, deployments, logs, configuration"),
        run: ctl::run,
    },
    #[cfg(feature = "check")]
    Applet {
        names: &["check"],
        summary: Some("tell what of this device, or of a kernel configuration, would not do, and how to mend it"),
        run: check::run,
    },
    #[cfg(feature = "dev")]
    Applet { names: &["dev"], summary: Some("run a core here, deploy a folder of recipes, watch them"), run: dev::run },
    #[cfg(feature = "cli")]
    Applet {
        names: &["completion"],
        summary: Some("print the completion scripts of greengrass and greengrass-cli for bash, zsh or fish"),
        run: completion::run,
    },
    Applet { names: &["keeper"], summary: None, run: keeper::run },
    #[cfg(feature = "ota")]
    Applet { names: &["ota"], summary: Some("make, verify and install updates of the system image"), run: ota::run },
    // For scripts of RAUC; who looks for an applet is shown `ota`.
    #[cfg(feature = "ota")]
    Applet { names: &["rauc"], summary: None, run: ota::rauc::run },
    #[cfg(feature = "check")]
    Applet {
        names: &["recipe"],
        summary: Some("check recipes: accepted, or refused with field, line and reason"),
        run: recipe::run,
    },
];

/// Applets that this build is without: their names, and the feature of Cargo that brings them.
static LEFT_OUT: &[(&[&str], &str)] = &[
    #[cfg(not(feature = "cli"))]
    (&["greengrass-cli", "cli", "completion"], "cli"),
    #[cfg(not(feature = "check"))]
    (&["check", "recipe"], "check"),
    #[cfg(not(feature = "dev"))]
    (&["dev"], "dev"),
    #[cfg(not(feature = "ota"))]
    (&["ota", "rauc"], "ota"),
];

/// Runs the applet the arguments name; the first argument is the name the program was called by.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let called = arguments.next().unwrap_or_default();
    let link = Path::new(&called).file_name().unwrap_or_default();
    if let Some(applet) = find(link) {
        return (applet.run)(arguments.collect());
    }
    if let Some(feature) = left_out(link) {
        eprint!("{}", help::left_out(&link.to_string_lossy(), feature));
        return ExitCode::from(USAGE);
    }
    let Some(word) = arguments.next() else {
        eprint!("{}", help::page());
        return ExitCode::from(USAGE);
    };
    match (find(&word), word.to_str()) {
        (Some(applet), _) => (applet.run)(arguments.collect()),
        (None, Some("--help" | "-h" | "help")) => help::print(&help::page()),
        (None, Some("--version" | "-V" | "version")) => help::print(&help::version("greengrass")),
        (None, _) => {
            eprint!(
                "{}",
                match left_out(&word) {
                    Some(feature) => help::left_out(&word.to_string_lossy(), feature),
                    None => help::unknown(&word.to_string_lossy()),
                }
            );
            ExitCode::from(USAGE)
        }
    }
}

fn find(name: &OsStr) -> Option<&'static Applet> {
    let name = name.to_str()?;
    APPLETS.iter().find(|applet| applet.names.contains(&name))
}

/// The feature that would bring this applet.
fn left_out(name: &OsStr) -> Option<&'static str> {
    let name = name.to_str()?;
    LEFT_OUT.iter().find(|(names, _)| names.contains(&name)).map(|(_, feature)| *feature)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn applet_is_found_by_link_and_by_first_argument() {
        for applet in APPLETS {
            for name in applet.names {
                let by_link = Path::new("/usr/bin").join(name);
                let by_link = by_link.file_name().and_then(find).unwrap();
                let by_word = find(OsStr::new(name)).unwrap();
                assert!(std::ptr::eq(by_link, applet) && std::ptr::eq(by_word, applet), "{name}");
            }
        }
        assert!(find(OsStr::new("greengrass")).is_none(), "the binary's own name must not choose an applet");
    }

    #[test]
    fn applet_names_are_unique() {
        let names: Vec<_> = APPLETS.iter().flat_map(|applet| applet.names).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn every_applet_is_there_or_known_to_be_left_out() {
        for name in
            ["greengrassd", "greengrass-cli", "cli", "check", "dev", "completion", "keeper", "ota", "rauc", "recipe"]
        {
            let name = OsStr::new(name);
            assert!(find(name).is_some() != left_out(name).is_some(), "{}", name.display());
        }
        for (names, feature) in LEFT_OUT {
            for name in *names {
                let by_link = format!("/usr/bin/{name}");
                assert_eq!(run([OsString::from(by_link)]), ExitCode::from(USAGE), "{name}");
                assert!(help::left_out(name, feature).contains(feature));
            }
        }
    }

    #[test]
    fn unknown_applet_is_a_usage_error() {
        for line in [vec!["greengrass"], vec!["greengrass", "clu"], vec!["/bin/greengrass", "--nonsense"], vec![]] {
            assert_eq!(run(line.iter().map(OsString::from)), ExitCode::from(USAGE), "{line:?}");
        }
    }
}
