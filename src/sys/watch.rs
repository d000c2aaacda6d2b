//! Waits for writes in directories without polling: `inotify(7)`, `poll(2)`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// Tells that something changed in one of some directories; what, the caller finds out by looking.
#[derive(Debug)]
pub struct DirectoryWatch {
    events: OwnedFd,
}

impl DirectoryWatch {
    pub fn new() -> io::Result<Self> {
        Ok(Self { events: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches the files directly in `directory`: written, made, moved in.
    pub fn add(&self, directory: &Path) -> io::Result<()> {
        let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        inotify::add_watch(&self.events, directory, what)?;
        Ok(())
    }

    /// Sleeps until something changed since the last call, or the time is up; `None` is no limit.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut fds = [PollFd::new(&self.events, PollFlags::IN)];
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut space = [MaybeUninit::uninit(); 4096];
        loop {
            match rustix::io::read(&self.events, &mut space) {
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_ends_when_a_file_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let watch = DirectoryWatch::new().unwrap();
        watch.add(directory.path()).unwrap();
        std::fs::write(directory.path().join("a"), "x").unwrap();
        // Would never return were the write not noticed.
        watch.wait(None).unwrap();
        watch.wait(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    fn add_refuses_what_is_no_directory() {
        let watch = DirectoryWatch::new().unwrap();
        assert!(watch.add(Path::new("/no/such/directory")).is_err());
        assert!(watch.add(Path::new("/proc/self/status")).is_err());
    }
}
