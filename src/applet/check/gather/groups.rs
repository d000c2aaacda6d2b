//! Control groups: what the kernel has, and what is mounted: `cgroups(7)`.

use std::path::PathBuf;

use super::Place;
use crate::applet::check::facts::{Groups, Hierarchy};
use crate::sys::cgroup::Version;

pub(super) fn look(place: &Place) -> Groups {
    let table = place.text("/proc/cgroups").map(|text| text.lines().filter_map(controller).collect());
    let mounts = place.text("/proc/mounts").unwrap_or_default();
    Groups { table, hierarchies: mounts.lines().filter_map(|line| hierarchy(place, line)).collect() }
}

/// `memory 5 42 1`: name, hierarchy, number of groups, enabled.
fn controller(line: &str) -> Option<(String, bool)> {
    let mut words = line.split_whitespace();
    let name = words.next().filter(|name| !name.starts_with('#'))?;
    Some((name.to_owned(), words.nth(2)? == "1"))
}

/// `cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0`
fn hierarchy(place: &Place, line: &str) -> Option<Hierarchy> {
    let mut words = line.split(' ');
    let at = PathBuf::from(words.nth(1)?);
    let (version, controllers) = match (words.next()?, words.next()?) {
        ("cgroup2", _) => {
            let text = place.text(at.join("cgroup.controllers")).unwrap_or_default();
            (Version::V2, text.split_whitespace().map(str::to_owned).collect())
        }
        ("cgroup", options) => (Version::V1, options.split(',').map(str::to_owned).collect()),
        _ => return None,
    };
    Some(Hierarchy { version, at, controllers })
}
