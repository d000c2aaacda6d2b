//! From a token and the process that shows it to the one who speaks.

use tokio::net::UnixStream;
use tracing::{info, warn};

use super::Services;
use crate::base::report::Report;
use crate::base::token::Token;
use crate::service::supervisor::NotAdmitted;
use crate::sys::peer::{groups, peer};
use crate::wire::principal::Principal;

/// What became of a token.
pub(super) enum Admission {
    Granted(Principal),
    Refused,
    /// The daemon goes down.
    GoingDown,
}

/// Asks the local clients first, then the components. A refusal is in the log when this returns.
pub(super) async fn admit(stream: &UnixStream, services: &Services, token: String) -> Admission {
    let peer = match peer(stream) {
        Ok(peer) => peer,
        Err(cause) => {
            warn!(error = %Report(&cause), "Cannot ask who connected to the IPC socket.");
            return Admission::Refused;
        }
    };
    let token = Token::shown(token);
    // Where the kernel cannot tell the groups, the primary one must do.
    match services.clients.client_of(&token, peer, || groups(stream).unwrap_or_default()) {
        Some(Ok(principal)) => return Admission::Granted(principal),
        Some(Err(outsider)) => {
            warn!(uid = peer.uid, pid = peer.pid, "A local client was refused: {outsider}.");
            return Admission::Refused;
        }
        None => {}
    }
    match services.supervisor.admit(token, peer).await {
        Ok(Ok(name)) => Admission::Granted(Principal::Component(name)),
        Ok(Err(refusal)) => {
            if refusal == NotAdmitted::UnknownToken {
                info!(uid = peer.uid, pid = peer.pid, "An IPC client with an unknown token was refused.");
            }
            Admission::Refused
        }
        Err(_) => Admission::GoingDown,
    }
}
