//! Paths of Unix sockets of any length: `sockaddr_un` holds 107 bytes, and root directories may lie deeper.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A path short enough for `bind` and `connect`, good as long as this value lives.
///
/// A long one goes through `/proc/self/fd/<directory>`: needs no change of the working directory, which is shared
/// by all threads, and no link that could be left behind.
#[derive(Debug)]
pub struct UnixPath {
    short: PathBuf,
    _directory: Option<File>,
}

impl UnixPath {
    /// Bytes of a path in `sockaddr_un`, its end not counted: `unix(7)`.
    pub const MAX: usize = 107;

    pub fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= Self::MAX {
            return Ok(Self { short: path.into(), _directory: None });
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let directory = File::open(directory)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        Ok(Self { short, _directory: Some(directory) })
    }

    pub fn short(&self) -> &Path {
        &self.short
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn socket_in_a_deep_directory_is_reached() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120)).join("e".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let socket = deep.join("a.socket");
        let _listener = UnixListener::bind(UnixPath::new(&socket).unwrap().short()).unwrap();
        assert!(socket.exists());
        UnixStream::connect(UnixPath::new(&socket).unwrap().short()).unwrap();
    }
}
