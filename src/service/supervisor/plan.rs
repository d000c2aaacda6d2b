//! What a new set changes for each component: a pure difference of two sets.

use std::collections::BTreeMap;

use super::desired::{Component, DesiredSet};
use crate::wire::lifecycle::Lifecycle;
use crate::wire::name::ComponentName;
use crate::wire::run_with::{PosixUser, SystemResourceLimits};
use crate::wire::state::DependencyType;

/// What happens to a component when the set is replaced. A component that is not named keeps running untouched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// It is new.
    Add,
    /// Install again, then start: version, Install step or user are others.
    Reinstall,
    /// Stop and start: another part of the lifecycle, its environment, or a new dependency.
    Restart,
    /// Nothing a running process would notice; the next start sees it.
    Adopt,
    /// It is not wanted any more.
    Remove,
}

/// The difference of two sets.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: BTreeMap<ComponentName, Change>,
    /// Limits to set on living components.
    pub(super) limits: BTreeMap<ComponentName, SystemResourceLimits>,
}

/// Walks both sets once, in name order.
pub(super) fn difference(old: &DesiredSet, new: &DesiredSet) -> Plan {
    let mut plan = Plan::default();
    for name in old.components.keys().filter(|name| !new.components.contains_key(*name)) {
        plan.changes.insert(name.clone(), Change::Remove);
    }
    for (name, after) in &new.components {
        let Some(before) = old.components.get(name) else {
            plan.changes.insert(name.clone(), Change::Add);
            continue;
        };
        if let Some(change) = change_of((old, before), (new, after)) {
            plan.changes.insert(name.clone(), change);
        }
        let limits = effective_limits(new, after);
        if limits != effective_limits(old, before) {
            plan.limits.insert(name.clone(), limits);
        }
    }
    plan
}

/// The limits of a component: its own, else the default.
pub(super) fn effective_limits(set: &DesiredSet, component: &Component) -> SystemResourceLimits {
    component.run_with.limits.unwrap_or(set.run_with_default.limits)
}

/// The user of a component: its own, else the default.
fn effective_user<'a>(set: &'a DesiredSet, component: &'a Component) -> Option<&'a PosixUser> {
    component.run_with.posix_user.as_ref().or(set.run_with_default.posix_user.as_ref())
}

fn change_of((old, before): (&DesiredSet, &Component), (new, after): (&DesiredSet, &Component)) -> Option<Change> {
    let another_life = before.version != after.version
        || before.lifecycle.install != after.lifecycle.install
        || effective_user(old, before) != effective_user(new, after)
        || old.run_with_default.posix_shell != new.run_with_default.posix_shell;
    if another_life {
        return Some(Change::Reinstall);
    }
    let another_run = before.environment != after.environment
        || gained_dependency(before, after)
        || !same_but_shutdown(&before.lifecycle, &after.lifecycle);
    if another_run {
        return Some(Change::Restart);
    }
    (before != after).then_some(Change::Adopt)
}

/// A dependency counts as gained too when it was SOFT and is HARD now: from here on it must be waited for.
fn gained_dependency(before: &Component, after: &Component) -> bool {
    after.dependencies.iter().any(|(name, kind)| match before.dependencies.get(name) {
        None => true,
        Some(was) => *was == DependencyType::Soft && *kind == DependencyType::Hard,
    })
}

/// The Shutdown step is left out: the one fixed at startup is used, so a running component need not know.
fn same_but_shutdown(before: &Lifecycle, after: &Lifecycle) -> bool {
    let Lifecycle { setenv, bootstrap, install, startup, run, shutdown: _, recover, uninstall, error_reset_time } =
        before;
    *setenv == after.setenv
        && *bootstrap == after.bootstrap
        && *install == after.install
        && *startup == after.startup
        && *run == after.run
        && *recover == after.recover
        && *uninstall == after.uninstall
        && *error_reset_time == after.error_reset_time
}

#[cfg(test)]
mod tests;
