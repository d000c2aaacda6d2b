//! Kernel modules that the devices of the boot need, as `/etc/gg-modules` lists them: a path a line, in that order.

use std::fs;
use std::path::Path;

use gg_boot::places;
use gg_sys::module::{self, Loaded};

use crate::journal::{Done, Failure};

/// Loads them all; one that fails leaves the others.
pub(crate) fn load() -> Result<Done<()>, Failure> {
    let list = match fs::read_to_string(places::MODULES) {
        Ok(list) => list,
        // A kernel with everything built in has no list.
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Done::Well((), "none".to_owned())),
        Err(cause) => return Err(Failure::new("read", places::MODULES, cause)),
    };
    let (mut loaded, mut before, mut faults, mut first) = (0_usize, 0_usize, 0_usize, None);
    for path in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match module::load(Path::new(path)) {
            Ok(Loaded::Now) => loaded += 1,
            Ok(Loaded::Before) => before += 1,
            Err(cause) => {
                faults += 1;
                first.get_or_insert_with(|| Failure::new("load", path, cause));
            }
        }
    }
    let count = format!("{loaded} loaded, {before} there before");
    match first {
        None => Ok(Done::Well((), count)),
        Some(failure) => {
            Ok(Done::Partly((), format!("{count}, {faults} not: {failure}"), "their devices are not there"))
        }
    }
}
