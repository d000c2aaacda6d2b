//! Control groups: version 2 in one mount, or version 1 with a mount for each controller.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use gg_boot::settings::Cgroup;
use gg_sys::mount::{self, Access, Trust};

use crate::ground::make_directory;
use crate::journal::{Done, Failure};

const ROOT: &str = "/sys/fs/cgroup";

pub(crate) fn mount(wanted: Cgroup) -> Result<Done<()>, Failure> {
    match wanted {
        Cgroup::None => Ok(Done::Well((), "none, as set".to_owned())),
        Cgroup::V2 => version_2(),
        Cgroup::V1 => version_1(),
        Cgroup::Auto => version_2().or_else(|_| version_1()),
    }
}

fn version_2() -> Result<Done<()>, Failure> {
    mount_at(Path::new(ROOT), "cgroup2", "nsdelegate").or_else(|_| mount_at(Path::new(ROOT), "cgroup2", ""))?;
    Ok(Done::Well((), "version 2".to_owned()))
}

fn version_1() -> Result<Done<()>, Failure> {
    let table = fs::read_to_string("/proc/cgroups").map_err(|cause| Failure::new("read", "/proc/cgroups", cause))?;
    mount_at(Path::new(ROOT), "tmpfs", "mode=755")?;
    let (mut names, mut first) = (Vec::new(), None);
    for controller in enabled(&table) {
        let target = Path::new(ROOT).join(controller);
        let mounted = make_directory(&target)
            .map_err(|cause| Failure::new("make", target.display(), cause))
            .and_then(|()| mount_at(&target, "cgroup", controller));
        match mounted {
            Ok(()) => names.push(controller),
            Err(failure) => {
                first.get_or_insert(failure);
            }
        }
    }
    let names = names.join(" ");
    match first {
        None => Ok(Done::Well((), format!("version 1: {names}"))),
        Some(failure) => {
            Ok(Done::Partly((), format!("version 1: {names}; but {failure}"), "components lack its limits"))
        }
    }
}

/// The controllers that are compiled in and not switched off by a kernel argument: the fourth column.
fn enabled(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        (fields.nth(2) == Some("1")).then_some(name)
    })
}

fn mount_at(target: &Path, kind: &str, options: &str) -> Result<(), Failure> {
    let trust = Trust::NoPrograms;
    mount::mount(OsStr::new(kind), target, kind, Access::ReadWrite, trust, OsStr::new(options))
        .map_err(|cause| Failure::new("mount", format_args!("{kind} at {}", target.display()), cause))
}

#[cfg(test)]
mod tests {
    #[test]
    fn enabled_reads_the_fourth_column() {
        let table =
            "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t0\ndevices\t0\t1\t1\nx\n";
        assert_eq!(super::enabled(table).collect::<Vec<_>>(), ["cpu", "devices"]);
    }
}
