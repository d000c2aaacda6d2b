//! Ends process sets: politely, then surely.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::groups::Groups;
use super::keeper::{self, Keeper};
use super::{Children, Inner, Jail, JailError, StepId, reaper};
use crate::base::report::Report;
use crate::sys::cgroup::{Freeze, Group};
use crate::sys::signal::{self, Send};
use crate::sys::{lock, process};
use crate::wire::name::ComponentName;

impl Jail {
    /// SIGTERM to every process of the component, wait up to `grace`, SIGKILL until none is left.
    /// Returns when no process of it lives.
    pub async fn end_all(&self, name: &ComponentName, grace: Duration) {
        let keepers = self.inner.keepers(name, None);
        match &self.inner.groups {
            Some(groups) => {
                end_group(&groups.tree(name), grace).await;
                self.inner.kill_scripts(name, None);
                for leaf in groups.tree(name).children().unwrap_or_default() {
                    // Empty now; what cannot be removed is tried again with the component.
                    let _ = leaf.remove();
                }
            }
            None => end_keepers(&keepers, grace).await,
        }
    }

    /// The same for the process set of one step, while others of the component live on.
    pub async fn end_step(&self, name: &ComponentName, step: StepId, grace: Duration) {
        match &self.inner.groups {
            Some(groups) => {
                if let Some(leaf) = groups.leaf(name, step) {
                    end_group(&leaf, grace).await;
                    let _ = leaf.remove();
                }
                self.inner.kill_scripts(name, Some(step));
            }
            None => end_keepers(&self.inner.keepers(name, Some(step)), grace).await,
        }
    }

    /// Ends what a killed daemon left behind, so that nothing runs twice; then begins to reap strangers.
    /// Once, before the first [`spawn`](Self::spawn).
    pub async fn sweep(&self) -> Result<(), JailError> {
        if let Some(groups) = &self.inner.groups {
            sweep_groups(groups).await?;
        }
        self.inner.wait_for_keepers().await?;
        if self.inner.settings.children == Children::AllOurs {
            // Ends with the runtime, which ends with the daemon.
            tokio::spawn(Arc::clone(&self.inner).reap_strangers());
        }
        Ok(())
    }
}

impl Inner {
    fn keepers(&self, name: &ComponentName, step: Option<StepId>) -> Vec<Arc<Keeper>> {
        let book = self.book();
        let all = book.components.get(name).map(|entry| entry.keepers.as_slice()).unwrap_or_default();
        all.iter().filter(|keeper| step.is_none_or(|step| keeper.id == step)).cloned().collect()
    }

    /// Kills scripts that live outside of their groups: one that is root may leave, or be moved by who is.
    fn kill_scripts(&self, name: &ComponentName, step: Option<StepId>) {
        let book = self.book();
        let Some(entry) = book.components.get(name) else { return };
        for (_, script) in entry.scripts.iter().filter(|(id, _)| step.is_none_or(|step| **id == step)) {
            if matches!(process::state(*script), None | Some('Z' | 'X')) {
                continue;
            }
            let below = process::descendants(*script).unwrap_or_default();
            for pid in below.into_iter().chain([*script]) {
                // Not reaped yet, so the script's number is still its own.
                let _ = signal::send(pid, Send::Kill);
            }
        }
    }

    /// The keepers of a killed daemon hold the lock while they end their sets.
    async fn wait_for_keepers(&self) -> Result<(), JailError> {
        let path = keeper::lock_path(&self.paths.run());
        let cannot = |cause| JailError::OpenLock { path: path.clone(), cause };
        let deadline = Instant::now() + KEEPERS_PATIENCE;
        while !lock::try_exclusive(self.alive.as_fd()).map_err(cannot)? {
            if Instant::now() > deadline {
                return Err(JailError::Leftovers { lock: path });
            }
            sleep(KEEPERS_LOOK).await;
        }
        lock::shared(self.alive.as_fd()).map_err(cannot)
    }
}

async fn sweep_groups(groups: &Groups) -> Result<(), JailError> {
    for group in groups.left_behind()? {
        let count = group.processes().map_or(0, |processes| processes.len());
        if count > 0 {
            tracing::warn!(event = "leftovers-ended", group = %group.directory.display(), count, "Ending processes of an earlier daemon.");
        }
        end_group(&group, Duration::ZERO).await;
        if let Some(name) = group.directory.file_name() {
            remove_emptied(groups, &name.to_string_lossy()).await;
        }
    }
    for name in groups.limit_groups_left_behind() {
        remove_emptied(groups, &name).await;
    }
    Ok(())
}

/// Removes a component's groups, whose processes have ended. One that stays only costs its directory.
async fn remove_emptied(groups: &Groups, directory: &str) {
    let deadline = Instant::now() + LEAVE_PATIENCE;
    while let Err(error) = groups.remove_all(directory) {
        if Instant::now() > deadline {
            tracing::warn!(cause = %Report(&error), "A control group of an earlier daemon stays behind.");
            return;
        }
        // A process leaves the list of its group a little before it leaves the group.
        sleep(MOMENT).await;
    }
}

/// A group's processes, politely for `grace`, then by force until there is none.
async fn end_group(group: &Group, grace: Duration) {
    let deadline = Instant::now() + grace;
    if !grace.is_zero() {
        // A frozen process hears nothing.
        thaw_below(group);
        if group.signal(Send::Terminate).is_ok_and(|count| count == 0) {
            return;
        }
        // One that stopped itself would hear it only when it goes on.
        let _ = group.signal(Send::Continue);
        if timeout_at(deadline, until_empty(group)).await.is_ok() {
            return;
        }
    }
    let mut patience = FIRST_PATIENCE;
    loop {
        kill_at_once(group).await;
        if timeout_at(Instant::now() + patience, until_empty(group)).await.is_ok() {
            return;
        }
        patience = (patience * 2).min(LAST_PATIENCE);
        if patience == LAST_PATIENCE {
            tracing::error!(event = "kill-pending", group = %group.directory.display(), "Killed processes do not end; still trying.");
        }
    }
}

fn thaw_below(group: &Group) {
    let _ = group.freeze(Freeze::Thawed);
    for leaf in group.children().unwrap_or_default() {
        let _ = leaf.freeze(Freeze::Thawed);
    }
}

/// Kills all that is in the group, also what forks faster than it can be listed.
async fn kill_at_once(group: &Group) {
    if group.kill_at_once().is_err() {
        let _ = group.freeze(Freeze::Frozen);
        let deadline = Instant::now() + FREEZE_PATIENCE;
        while !group.frozen().unwrap_or(true) && Instant::now() < deadline {
            sleep(MOMENT).await;
        }
        let _ = group.signal(Send::Kill);
    }
    // Version 1 lets a frozen process die only when it is thawed.
    thaw_below(group);
}

/// Waits until the group has no process, without looking again and again: the end of one is the time to look.
async fn until_empty(group: &Group) {
    loop {
        // A group that cannot be read is one that is gone.
        let Some(pid) = group.processes().unwrap_or_default().first().copied() else { return };
        if reaper::has_ended(pid).await.is_err() {
            sleep(MOMENT).await;
        }
        // It leaves the list a little after its end is told.
        tokio::task::yield_now().await;
    }
}

async fn end_keepers(keepers: &[Arc<Keeper>], grace: Duration) {
    for keeper in keepers {
        keeper.end(grace);
    }
    let deadline = Instant::now() + grace + KEEPER_EXTRA;
    for keeper in keepers {
        if timeout_at(deadline, keeper.gone()).await.is_err() {
            end_without_keeper(keeper).await;
        }
    }
}

/// A keeper that does not answer is stopped or starved: do its work from outside.
async fn end_without_keeper(keeper: &Keeper) {
    while !*keeper.gone.borrow() {
        let set = process::descendants(keeper.pid).unwrap_or_default();
        for pid in &set {
            let _ = signal::send(*pid, Send::Kill);
        }
        if set.is_empty() {
            let _ = signal::send(keeper.pid, Send::Kill);
        }
        let _ = timeout_at(Instant::now() + MOMENT * 5, keeper.gone()).await;
    }
}

/// Between two looks at something that is about to happen.
const MOMENT: Duration = Duration::from_millis(2);

/// How long killed processes get before they are killed again; doubled each time.
const FIRST_PATIENCE: Duration = Duration::from_millis(100);
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// A process in an uninterruptible wait freezes late or never.
const FREEZE_PATIENCE: Duration = Duration::from_millis(500);

/// How long a process that has ended may hold its group.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// What a keeper needs beyond the grace to kill and reap.
const KEEPER_EXTRA: Duration = Duration::from_secs(3);

/// How long keepers of a killed daemon may take; they give their sets two seconds.
const KEEPERS_PATIENCE: Duration = Duration::from_secs(30);
const KEEPERS_LOOK: Duration = Duration::from_millis(10);
