//! What `greengrass` says about itself: the page of applets, its version, and what a misspelt name may have meant.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use super::APPLETS;

/// The help page, with examples to paste.
pub(super) fn page() -> String {
    let mut page = String::from(
        "AWS IoT Greengrass core in one file: the daemon, its command line and its tools.\n\n\
         Usage: greengrass <APPLET> [ARGUMENT]...\n\
         \x20      or through a link named like the applet, e.g. greengrass-cli -> greengrass\n\n\
         Applets:\n",
    );
    let width = APPLETS.iter().map(|applet| applet.names[0].len()).max().unwrap_or(0);
    for applet in APPLETS {
        if let Some(summary) = applet.summary {
            let _ = writeln!(page, "  {:width$}  {summary}", applet.names[0]);
        }
    }
    page.push_str(
        "\nExamples:\n\
         \x20 greengrass greengrassd --root /greengrass/v2\n\
         \x20 greengrass cli component list\n\
         \x20 greengrass cli deployment create --recipeDir recipes --artifactDir artifacts --merge HelloWorld=1.0.0\n\
         \x20 greengrass cli logs get --follow\n\
         \x20 greengrass completion bash > /etc/bash_completion.d/greengrass-cli\n\n\
         'greengrass <APPLET> --help' tells more of each.\n",
    );
    page
}

/// `name 0.1.0 (x86_64-unknown-linux-musl)`, one line.
pub(super) fn version(name: &str) -> String {
    format!("{name} {} ({})\n", env!("CARGO_PKG_VERSION"), env!("GREENGRASS_TARGET"))
}

/// What to say of an applet that this build is without.
pub(super) fn left_out(name: &str, feature: &str) -> String {
    format!("greengrass: {name} is not part of this build; the feature `{feature}` brings it\n")
}

/// What to say of a name that is no applet.
pub(super) fn unknown(word: &str) -> String {
    let shown: String = word.chars().take(80).collect();
    let near = APPLETS
        .iter()
        .filter(|applet| applet.summary.is_some())
        .flat_map(|applet| applet.names)
        .map(|name| (distance(&shown, name), name))
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .min();
    match near {
        Some((_, name)) => format!("greengrass: there is no applet {shown:?}; did you mean '{name}'?\n"),
        None => format!("greengrass: there is no applet {shown:?}; 'greengrass --help' lists them\n"),
    }
}

/// Prints to standard output. A reader that went away early is no failure.
pub(super) fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// Letters to add, drop or change to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_suggests_the_nearest_name_only_when_near() {
        assert!(unknown("greengrasd").contains("did you mean 'greengrassd'?"));
        #[cfg(feature = "cli")]
        assert!(unknown("complete").contains("did you mean 'completion'?"));
        assert!(unknown("xyzzy").contains("--help"));
        assert!(unknown(&"x".repeat(100_000)).len() < 200, "a huge word is cut");
    }

    #[test]
    fn version_names_the_target() {
        assert!(version("greengrass").starts_with("greengrass 0."));
        assert!(version("greengrass").contains("-linux-"));
    }

    #[test]
    fn page_lists_every_shown_applet() {
        for applet in APPLETS.iter().filter(|applet| applet.summary.is_some()) {
            assert!(page().contains(applet.names[0]));
        }
    }
}
