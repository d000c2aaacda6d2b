//! Ends of children: ours, and those that became ours when their parents ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

use super::{Children, Inner};
use crate::sys::process::{self, Ended};
use crate::sys::signal::Send;
use crate::sys::{pidfd, signal as signals};

/// Waits until a child has ended, and reaps it.
pub(super) async fn ended(pid: i32) -> Ended {
    if has_ended(pid).await.is_err() {
        // No descriptor to be had: every end of a child is a reason to look.
        if let Ok(mut children) = signal(SignalKind::child()) {
            while let Ok(None) = process::reap(pid) {
                children.recv().await;
            }
        }
    }
    loop {
        match process::reap(pid) {
            Ok(Some(end)) => return end,
            Ok(None) => tokio::time::sleep(MOMENT).await,
            // Someone else took it: how it ended is lost, that it ended is not.
            Err(_) => return Ended::Signal(9),
        }
    }
}

/// Waits until a process, child or not, has ended; it may stay a zombie.
pub(super) async fn has_ended(pid: i32) -> io::Result<()> {
    #[expect(deprecated, reason = "an OwnedFd keeps its descriptor, so this is sound; the replacement is unsafe")]
    let descriptor = AsyncFd::with_interest(pidfd::open(pid)?, Interest::READABLE)?;
    drop(descriptor.readable().await?);
    Ok(())
}

impl Inner {
    /// Reaps the zombies nobody waits for, as long as the daemon lives.
    pub(super) async fn reap_strangers(self: Arc<Self>) {
        let Ok(mut children) = signal(SignalKind::child()) else { return };
        loop {
            children.recv().await;
            // Known ones are reaped by who waits for them; one in front hides others until then.
            while let Ok(Some(pid)) = process::peek_ended() {
                if self.book().known.contains(&pid) {
                    tokio::time::sleep(MOMENT).await;
                    if self.book().known.contains(&pid) {
                        break;
                    }
                } else if process::reap(pid).is_err() {
                    break;
                }
            }
        }
    }

    /// Ends every child that nobody waits for and all below it: what a killed keeper left.
    pub(super) async fn end_orphans(&self) {
        if self.settings.children != Children::AllOurs {
            return;
        }
        for _ in 0..MOST_ROUNDS {
            let orphans = self.orphans();
            if orphans.is_empty() {
                return;
            }
            for pid in orphans {
                // One that ended meanwhile is what we want.
                let _ = signals::send(pid, Send::Kill);
            }
            tokio::time::sleep(MOMENT).await;
        }
        tracing::error!(event = "orphans-left", "Processes of a killed keeper do not end.");
    }

    fn orphans(&self) -> Vec<i32> {
        let Ok(all) = process::trees_below(process::own_pid()) else { return Vec::new() };
        let book = self.book();
        all.into_iter().filter(|(child, _)| !book.known.contains(child)).flat_map(|(_, tree)| tree).collect()
    }
}

/// Between two looks at something that is about to happen.
const MOMENT: Duration = Duration::from_millis(2);

/// Two milliseconds each: ten seconds.
const MOST_ROUNDS: u32 = 5_000;
