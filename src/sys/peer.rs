//! Who is at the other end of a Unix socket: `unix(7)`, `SO_PEERCRED`.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Credentials the kernel noted when the peer connected: user and group are the effective ones of that moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    pub uid: u32,
    pub gid: u32,
    /// 0 for a process our pid namespace does not hold; it may have ended, and the number be another's, meanwhile.
    pub pid: i32,
}

/// Asks who connected: `unix(7)`.
pub fn peer(socket: impl AsFd) -> io::Result<Peer> {
    // Not through rustix, whose process numbers cannot be 0.
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    #[test]
    fn peer_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = super::peer(&one).unwrap();
        assert_eq!(peer.pid, i32::try_from(std::process::id()).unwrap());
        assert_eq!(peer.uid, crate::account::own().uid);
    }
}
