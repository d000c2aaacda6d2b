//! The kernel: its release, and where its options can be read.

use std::path::{Path, PathBuf};

use super::{Place, probe};
use crate::applet::check::facts::{Kernel, Options};
use crate::base::report::Report;
use crate::boot::kernel::{Configuration, ConfigurationError, Release};
use crate::sys::machine;

pub(super) fn look(place: &Place) -> Kernel {
    let name = match place.text("/proc/sys/kernel/osrelease") {
        Some(text) => text.trim().to_owned(),
        None if place.sysroot.is_none() => machine::machine().release,
        None => String::new(),
    };
    let mut unusable = Vec::new();
    let options = match &place.kernel_config {
        Some(file) => match Configuration::load(file) {
            Ok(configuration) => Options::Told { by: file.clone(), configuration },
            Err(error) => {
                unusable.push((file.clone(), reason(&error)));
                Options::Refused
            }
        },
        None => told(place, &name, &mut unusable).unwrap_or_else(|| Options::Probed(probe::options(place, &name))),
    };
    // A given configuration may be of another kernel than the one that runs.
    let release = match &options {
        Options::Told { configuration, .. } => configuration.release().or_else(|| Release::parse(&name)),
        Options::Probed(_) | Options::Refused => Release::parse(&name),
    };
    let name = match release {
        Some(release) if Release::parse(&name) != Some(release) => release.to_string(),
        _ => name,
    };
    Kernel { name, release, options, unusable }
}

/// The first place that has a configuration which can be used.
fn told(place: &Place, name: &str, unusable: &mut Vec<(PathBuf, String)>) -> Option<Options> {
    let beside_image = Path::new("/boot").join(format!("config-{}", name.trim_end_matches('+')));
    for by in [PathBuf::from("/proc/config.gz"), beside_image] {
        let Some(file) = place.resolve(&by).filter(|file| file.is_file()) else { continue };
        match Configuration::load(&file) {
            Ok(configuration) => return Some(Options::Told { by, configuration }),
            Err(error) => unusable.push((by, reason(&error))),
        }
    }
    None
}

/// The path is told beside it.
fn reason(error: &ConfigurationError) -> String {
    match error {
        ConfigurationError::Read { cause, .. } => cause.to_string(),
        _ => Report(error).to_string(),
    }
}
