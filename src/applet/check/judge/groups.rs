//! Control groups: mounted where the daemon looks, and with the controllers it uses.

use crate::applet::check::facts::{Facts, Groups, Hierarchy};
use crate::applet::check::finding::{Finding, Group};
use crate::sys::cgroup::Version;

/// A controller: its names in both versions, its option, and what does not work without it.
struct Controller {
    v1: &'static str,
    /// `None` where version 2 does it by other means.
    v2: Option<&'static str>,
    option: &'static str,
    effect: &'static str,
}

const CONTROLLERS: &[Controller] = &[
    Controller {
        v1: "memory",
        v2: Some("memory"),
        option: "CONFIG_MEMCG",
        effect: "memory limits of components have no effect, and Lambda functions cannot run in a container",
    },
    Controller {
        v1: "cpu",
        v2: Some("cpu"),
        option: "CONFIG_CGROUP_SCHED",
        effect: "CPU limits of components have no effect",
    },
    Controller {
        v1: "pids",
        v2: Some("pids"),
        option: "CONFIG_CGROUP_PIDS",
        effect: "a component that forks without end is stopped by the limits of its user alone",
    },
    Controller {
        v1: "devices",
        v2: None,
        option: "CONFIG_CGROUP_DEVICE",
        effect: "Lambda functions in a container cannot be given devices",
    },
    Controller { v1: "freezer", v2: None, option: "CONFIG_CGROUP_FREEZER", effect: "components cannot be paused" },
];

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let groups = &facts.groups;
    let usable: Vec<&Hierarchy> = groups.hierarchies.iter().filter(|one| one.at.starts_with(PLACE)).collect();
    let mut findings = vec![mounted(groups, &usable)];
    let all = CONTROLLERS.iter().map(|one| controller(one, groups, &usable));
    // Without any mount that is the one thing to mend, unless the kernel was told to leave a controller out.
    findings.extend(all.filter(|finding| !usable.is_empty() || finding.what == DISABLED));
    findings
}

fn mounted(groups: &Groups, usable: &[&Hierarchy]) -> Finding {
    let name = "mounted";
    let effect = "components run under keeper processes, without resource limits and without pause and resume";
    match usable {
        [] if groups.table.is_none() && groups.hierarchies.is_empty() => Finding::degraded(
            Group::Cgroups,
            name,
            "the kernel has none",
            effect,
            "in the kernel configuration: CONFIG_CGROUPS=y",
        ),
        [] => {
            let what = match groups.hierarchies.first() {
                Some(one) => format!("at {}, where the daemon does not look", one.at.display()),
                None => "nowhere".to_owned(),
            };
            Finding::degraded(Group::Cgroups, name, what, effect, format!("mount -t cgroup2 cgroup2 {PLACE}"))
        }
        [one] if one.version == Version::V2 => {
            Finding::ok(Group::Cgroups, name, format!("version 2, at {}", one.at.display()))
        }
        some => {
            let has_v2 = some.iter().any(|one| one.version == Version::V2);
            let versions = if has_v2 { "versions 1 and 2" } else { "version 1" };
            Finding::ok(Group::Cgroups, name, format!("{versions}, below {PLACE}"))
        }
    }
}

fn controller(controller: &Controller, groups: &Groups, usable: &[&Hierarchy]) -> Finding {
    let Controller { v1, v2, option, effect } = controller;
    let name = v2.unwrap_or(v1);
    let has = |one: &&&Hierarchy, name: &str| one.controllers.iter().any(|has| has == name);
    let in_v1 = usable.iter().filter(|one| one.version == Version::V1).find(|one| has(one, v1));
    if let Some(one) = in_v1 {
        return Finding::ok(Group::Cgroups, name, format!("version 1, at {}", one.at.display()));
    }
    let mut in_v2 = usable.iter().filter(|one| one.version == Version::V2);
    match v2 {
        Some(name) if in_v2.any(|one| has(&one, name)) => return Finding::ok(Group::Cgroups, name, "version 2"),
        // On a machine with both, version 1 is used, and then its controller must be there.
        None if in_v2.next().is_some() && usable.len() == 1 => {
            return Finding::ok(Group::Cgroups, name, "version 2 does it without a controller");
        }
        _ => {}
    }
    let enabled = groups.table.iter().flatten().find(|(known, _)| known == v1).map(|(_, enabled)| *enabled);
    let (what, mend) = match enabled {
        Some(true) => ("enabled, but not mounted", format!("mount -t cgroup -o {v1} {v1} {PLACE}/{v1}")),
        Some(false) => {
            (DISABLED, format!("kernel command line: remove cgroup_disable={v1}, or add cgroup_enable={v1}"))
        }
        None => ("not in the kernel", format!("in the kernel configuration: {option}=y")),
    };
    Finding::degraded(Group::Cgroups, name, what, *effect, mend)
}

const DISABLED: &str = "disabled at boot";

/// Where the daemon looks.
const PLACE: &str = "/sys/fs/cgroup";
