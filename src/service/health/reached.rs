//! Keeps in mind when the cloud was last reached, for the policy `auto` of a later trial.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::base::report::Report;
use crate::service::ota::trial::{Handle, Standing, Trials};
use crate::wire::state::Link;

/// Writes it down when the link comes up, and each [`PAUSE`] while it stays up. Ends when the link can change no more.
///
/// Not during a trial: what the new system reaches says nothing of what the former one did, and must not raise what is
/// asked of the new one.
pub(super) async fn note(trials: Trials, mut handle: Handle, mut link: watch::Receiver<Link>) {
    if handle.over().await != Standing::Kept {
        return;
    }
    while link.wait_for(|link| *link == Link::Up).await.is_ok() {
        let trials = trials.clone();
        let noted = spawn_blocking(move || trials.note_cloud_reached(PAUSE)).await;
        if let Ok(Err(error)) = noted {
            tracing::warn!(error = %Report(&error), "That the cloud was reached cannot be kept for a later trial.");
        }
        // A link that comes and goes meanwhile is not written down each time.
        sleep(PAUSE).await;
    }
}

/// Flash wears out, and the question is one of days: an hour is near enough.
pub(super) const PAUSE: Duration = Duration::from_secs(60 * 60);
