//! The same service without a link, where the device shall not talk to the cloud.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::service::config;
use crate::wire::state::Link;

/// There is nothing to begin.
pub fn spawn(_: &config::Handle) -> (watch::Receiver<Link>, JoinHandle<()>) {
    (watch::channel(Link::NotConfigured).1, tokio::spawn(std::future::ready(())))
}
