//! The loop: lets nobody wait for a call to learn that policies changed.

use tokio::task::JoinHandle;

use super::handle::Handle;
use crate::service::config;

/// Compiles the policies there are and follows their changes; ends with the configuration service.
pub fn spawn(config: &config::Handle) -> (Handle, JoinHandle<()>) {
    let mut trees = config.trees();
    trees.mark_unchanged();
    let handle = Handle::new(config.trees());
    let follower = handle.clone();
    let task = tokio::spawn(async move {
        // Changes that come together are taken up together: only the latest tree is there to be seen.
        while trees.changed().await.is_ok() {
            follower.refresh();
        }
    });
    (handle, task)
}
