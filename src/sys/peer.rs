//! Who is at the other end of a Unix socket: `unix(7)`, `SO_PEERCRED`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

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

/// The supplementary groups of who connected, as they were then: `socket(7)`, `SO_PEERGROUPS`. Needs Linux 4.13.
pub fn groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; USUAL_GROUPS];
    loop {
        let size = groups.len().saturating_mul(size_of::<u32>());
        let mut length = libc::socklen_t::try_from(size).unwrap_or(libc::socklen_t::MAX);
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes, which is not more
        // than the vector holds, and its new value to `length`.
        let done = unsafe {
            libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut length)
        };
        let needed = usize::try_from(length).unwrap_or_default() / size_of::<u32>();
        if done == 0 {
            groups.truncate(needed);
            return Ok(groups);
        }
        let cause = io::Error::last_os_error();
        if cause.raw_os_error() != Some(libc::ERANGE) || needed <= groups.len() {
            return Err(cause);
        }
        groups.resize(needed, 0);
    }
}

/// Few users are in more.
const USUAL_GROUPS: usize = 32;

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

    #[test]
    fn groups_are_those_of_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut found = super::groups(&one).unwrap();
        let mut own: Vec<u32> = nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        found.sort_unstable();
        own.sort_unstable();
        assert_eq!(found, own);
    }
}
